import type { Kind, Tenant } from './foreign-things.ts'

/** What each kind of name is of, as in ARNs. */
export const arnTypes: Readonly<Record<Kind, string>> = {
  instance: 'instance',
  image: 'image',
  kernel: 'image',
  ramdisk: 'image',
  keyPair: 'key-pair',
  keyName: 'key-pair',
  securityGroup: 'security-group',
  securityGroupName: 'security-group',
  securityGroupRule: 'security-group-rule',
  placementGroup: 'placement-group',
  placementGroupName: 'placement-group',
  launchTemplate: 'launch-template',
  launchTemplateName: 'launch-template',
  subnet: 'subnet',
  vpc: 'vpc',
  networkInterface: 'network-interface',
  volume: 'volume',
  snapshot: 'snapshot',
  allocation: 'elastic-ip',
  publicIp: 'elastic-ip',
  association: 'elastic-ip',
  vpcCidrAssociation: 'vpc',
  internetGateway: 'internet-gateway',
  routeTable: 'route-table',
  routeTableAssociation: 'route-table',
  networkAcl: 'network-acl',
  networkAclAssociation: 'network-acl',
  natGateway: 'natgateway',
  prefixList: 'prefix-list',
  flowLog: 'vpc-flow-log',
  vpcPeeringConnection: 'vpc-peering-connection',
  dhcpOptions: 'dhcp-options',
}

/** What stands in the ARN of a thing that was named so, as a describe has it. */
export async function idInArn(owner: Tenant, kind: Kind, named: string): Promise<string> {
  const found = (action: string, filter: string) =>
    owner.call(action, { 'Filter.1.Name': filter, 'Filter.1.Value.1': named })
  switch (kind) {
    case 'keyPair':
      return (await owner.call('DescribeKeyPairs', { 'KeyPairId.1': named })).keySet.item[0].keyName
    case 'placementGroup':
      return (await owner.call('DescribePlacementGroups', { 'GroupId.1': named })).placementGroupSet.item[0]
        .groupName
    case 'securityGroupName':
      return (await owner.call('DescribeSecurityGroups', { 'GroupName.1': named })).securityGroupInfo.item[0]
        .groupId
    case 'launchTemplateName':
      return (await owner.call('DescribeLaunchTemplates', { 'LaunchTemplateName.1': named })).launchTemplates
        .item[0].launchTemplateId
    case 'publicIp':
      return (await found('DescribeAddresses', 'public-ip')).addressesSet.item[0].allocationId
    case 'association':
      return (await found('DescribeAddresses', 'association-id')).addressesSet.item[0].allocationId
    case 'vpcCidrAssociation':
      return (await found('DescribeVpcs', 'cidr-block-association.association-id')).vpcSet.item[0].vpcId
    case 'routeTableAssociation':
      return (await found('DescribeRouteTables', 'association.route-table-association-id')).routeTableSet
        .item[0].routeTableId
    case 'networkAclAssociation':
      return (await found('DescribeNetworkAcls', 'association.association-id')).networkAclSet.item[0]
        .networkAclId
    default:
      return named
  }
}
