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

export async function internetGateway(world: CoverageWorld, vpcId?: string): Promise<string> {
  const { internetGatewayId } = (await world.call('CreateInternetGateway', {})).internetGateway
  if (vpcId !== undefined)
    await world.call('AttachInternetGateway', { InternetGatewayId: internetGatewayId, VpcId: vpcId })
  return internetGatewayId
}

export async function routeTable(world: CoverageWorld, vpcId?: string): Promise<string> {
  const made = await world.call('CreateRouteTable', { VpcId: vpcId ?? (await vpc(world)) })
  return made.routeTable.routeTableId
}

/** A table and a subnet of one VPC. */
export async function tableAndSubnet(world: CoverageWorld) {
  const vpcId = await vpc(world)
  return { RouteTableId: await routeTable(world, vpcId), SubnetId: await subnet(world, vpcId) }
}

export async function tableAssociation(world: CoverageWorld): Promise<string> {
  return (await world.call('AssociateRouteTable', await tableAndSubnet(world))).associationId
}

/** An association, and another table of the same VPC. */
export async function otherTable(world: CoverageWorld) {
  const vpcId = await vpc(world)
  const first = { RouteTableId: await routeTable(world, vpcId), SubnetId: await subnet(world, vpcId) }
  const { associationId } = await world.call('AssociateRouteTable', first)
  return { AssociationId: associationId as string, RouteTableId: await routeTable(world, vpcId) }
}

/** A table, and a gateway that its VPC has. */
export async function tableAndGateway(world: CoverageWorld) {
  const vpcId = await vpc(world)
  return { RouteTableId: await routeTable(world, vpcId), GatewayId: await internetGateway(world, vpcId) }
}

export const everywhere = { DestinationCidrBlock: '0.0.0.0/0' }

/** A table that has a route to everywhere. */
export async function routedTable(world: CoverageWorld) {
  const route = await tableAndGateway(world)
  await world.call('CreateRoute', { ...route, ...everywhere })
  return route
}

export async function networkAcl(world: CoverageWorld, vpcId?: string): Promise<string> {
  const made = await world.call('CreateNetworkAcl', { VpcId: vpcId ?? (await vpc(world)) })
  return made.networkAcl.networkAclId
}

export const aclEntry = {
  ...{ RuleNumber: 100, Protocol: '6', RuleAction: 'allow', Egress: false, CidrBlock: '10.1.2.3/32' },
  ...{ 'PortRange.From': 22, 'PortRange.To': 22 },
}
export const icmpEntry = {
  ...{ RuleNumber: 90, Protocol: '1', RuleAction: 'allow', Egress: false, CidrBlock: '10.1.2.3/32' },
  ...{ 'Icmp.Type': 8, 'Icmp.Code': -1 },
}

export async function aclWith(world: CoverageWorld, entry: typeof aclEntry | typeof icmpEntry) {
  const own = { NetworkAclId: await networkAcl(world) }
  await world.call('CreateNetworkAclEntry', { ...own, ...entry })
  return own
}

/** The association of a new subnet with its VPC's default ACL, and another ACL of that VPC. */
export async function otherAcl(world: CoverageWorld) {
  const vpcId = await vpc(world)
  const filter = { 'Filter.1.Name': 'association.subnet-id', 'Filter.1.Value.1': await subnet(world, vpcId) }
  const [acl] = (await world.call('DescribeNetworkAcls', filter)).networkAclSet.item
  return {
    AssociationId: acl.associationSet.item[0].networkAclAssociationId as string,
    NetworkAclId: await networkAcl(world, vpcId),
  }
}

/** A subnet from which a public NAT gateway can lead. */
export async function openSubnet(world: CoverageWorld): Promise<string> {
  const vpcId = await vpc(world)
  await internetGateway(world, vpcId)
  return subnet(world, vpcId)
}

export async function natGateway(world: CoverageWorld): Promise<string> {
  const asked = { SubnetId: await subnet(world), ConnectivityType: 'private' }
  return (await world.call('CreateNatGateway', asked)).natGateway.natGatewayId
}

export const flowLogOf = (ResourceType: string, id: string) => ({
  ...{ ResourceType, 'ResourceId.1': id, TrafficType: 'ALL', LogDestinationType: 's3' },
  LogDestination: 'arn:aws:s3:::records',
})

export async function flowLog(world: CoverageWorld): Promise<string> {
  const made = await world.call('CreateFlowLogs', flowLogOf('VPC', await vpc(world)))
  return made.flowLogIdSet.item[0]
}

export const prefixListOf = (name: string) => ({
  ...{ PrefixListName: name, MaxEntries: 2, AddressFamily: 'IPv4' },
  ...{ 'Entry.1.Cidr': '10.1.0.0/16', 'Entry.1.Description': 'x' },
})

export async function prefixList(world: CoverageWorld): Promise<string> {
  const made = await world.call('CreateManagedPrefixList', prefixListOf(world.name()))
  return made.prefixList.prefixListId
}

/** A rule that names one. */
export async function listRule(world: CoverageWorld) {
  return {
    'IpPermissions.1.IpProtocol': '-1',
    'IpPermissions.1.PrefixListIds.1.PrefixListId': await prefixList(world),
  }
}

/** A group, and a rule of it that names a group of a VPC that is peered with its own. */
export async function peerRule(world: CoverageWorld) {
  const sides = await peeredVpcs(world)
  const [own, far] = [await groupIn(world, sides.VpcId), await groupIn(world, sides.PeerVpcId)]
  return {
    ...{ GroupId: own, 'IpPermissions.1.IpProtocol': '-1', 'IpPermissions.1.Groups.1.GroupId': far },
  }
}

async function groupIn(world: CoverageWorld, vpcId: string): Promise<string> {
  const asked = { GroupName: world.name(), GroupDescription: 'x', VpcId: vpcId }
  return (await world.call('CreateSecurityGroup', asked)).groupId
}

/** One that a peer's rule names. */
export async function referencedGroup(world: CoverageWorld): Promise<string> {
  const rule = await peerRule(world)
  await world.call('AuthorizeSecurityGroupIngress', rule)
  return rule['IpPermissions.1.Groups.1.GroupId']
}

/** A VPC with a group whose rules name one of a VPC that it is no longer peered with. */
export async function staleVpc(world: CoverageWorld): Promise<string> {
  const { peeringId, ...sides } = await peeredVpcs(world)
  const rule = {
    ...{ GroupId: await groupIn(world, sides.VpcId), 'IpPermissions.1.IpProtocol': 'tcp' },
    ...{ 'IpPermissions.1.FromPort': 22, 'IpPermissions.1.ToPort': 22 },
    'IpPermissions.1.Groups.1.GroupId': await groupIn(world, sides.PeerVpcId),
    'IpPermissions.1.Groups.1.Description': 'x',
  }
  await world.call('AuthorizeSecurityGroupIngress', rule)
  await world.call('AuthorizeSecurityGroupEgress', rule)
  await world.call('DeleteVpcPeeringConnection', { VpcPeeringConnectionId: peeringId })
  return sides.VpcId
}

/** One of two versions. */
export async function modifiedPrefixList(world: CoverageWorld): Promise<string> {
  const id = await prefixList(world)
  await world.call('ModifyManagedPrefixList', { PrefixListId: id, 'AddEntry.1.Cidr': '10.2.0.0/16' })
  return id
}

/** Of two VPCs of one account, not accepted yet. */
export async function pendingPeering(world: CoverageWorld): Promise<string> {
  const made = await world.call('CreateVpcPeeringConnection', await twoVpcs(world))
  return made.vpcPeeringConnection.vpcPeeringConnectionId
}

export async function twoVpcs(world: CoverageWorld) {
  const { vpc: second } = await world.call('CreateVpc', { CidrBlock: '10.8.0.0/16' })
  return { VpcId: await vpc(world), PeerVpcId: second.vpcId as string }
}

/** Both VPCs of which give DNS names. */
export async function peering(world: CoverageWorld): Promise<string> {
  return (await peeredVpcs(world)).peeringId
}

async function peeredVpcs(world: CoverageWorld) {
  const sides = await twoVpcs(world)
  for (const VpcId of Object.values(sides))
    await world.call('ModifyVpcAttribute', { VpcId, 'EnableDnsHostnames.Value': true })
  const { vpcPeeringConnection: made } = await world.call('CreateVpcPeeringConnection', sides)
  await world.call('AcceptVpcPeeringConnection', { VpcPeeringConnectionId: made.vpcPeeringConnectionId })
  return { ...sides, peeringId: made.vpcPeeringConnectionId as string }
}

export const domainName = {
  'DhcpConfiguration.1.Key': 'domain-name',
  'DhcpConfiguration.1.Value.1': 'example.com',
}

export async function dhcpOptions(world: CoverageWorld): Promise<string> {
  return (await world.call('CreateDhcpOptions', domainName)).dhcpOptions.dhcpOptionsId
}
