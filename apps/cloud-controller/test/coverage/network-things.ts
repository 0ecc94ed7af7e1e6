import type { CoverageWorld } from './coverage-world.ts'

/** What requests about networks speak of: made anew each time, in VPCs that nothing else is in. */

export async function address(world: CoverageWorld): Promise<{ allocationId: string; publicIp: string }> {
  return world.call('AllocateAddress', {})
}

/** One that a running instance has. */
export async function associatedAddress(world: CoverageWorld) {
  const made = await address(world)
  const { associationId } = await world.call('AssociateAddress', {
    ...{ InstanceId: await world.runningInstance(), AllocationId: made.allocationId },
  })
  return { ...made, associationId: associationId as string }
}

export async function vpc(world: CoverageWorld): Promise<string> {
  return (await world.call('CreateVpc', { CidrBlock: '10.0.0.0/16' })).vpc.vpcId
}

/** In a VPC of its own, if none is given. */
export async function subnet(world: CoverageWorld, vpcId?: string): Promise<string> {
  const made = await world.call('CreateSubnet', {
    ...{ VpcId: vpcId ?? (await vpc(world)), CidrBlock: '10.0.1.0/24', AvailabilityZone: 'us-east-1a' },
  })
  return made.subnet.subnetId
}

export async function furtherBlock(world: CoverageWorld): Promise<string> {
  const made = await world.call('AssociateVpcCidrBlock', {
    ...{ VpcId: await vpc(world), CidrBlock: '10.7.0.0/16' },
  })
  return made.cidrBlockAssociation.associationId
}

/** The default VPC without what is in it, so that it, or its subnets, can be made anew. */
export async function withoutDefaults(world: CoverageWorld, what: 'vpc' | 'subnet'): Promise<void> {
  const { accountId } = world.cloud.admin
  await world.cloud.cloud.record.transaction('action', async (tx) => {
    const own = { is_default: 0 } as const
    await tx.db.updateTable('subnet').set(own).where('account_id', '=', accountId).execute()
    if (what === 'vpc') await tx.db.updateTable('vpc').set(own).where('account_id', '=', accountId).execute()
  })
}
