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
