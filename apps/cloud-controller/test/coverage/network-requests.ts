import type { BaseRequest } from './coverage-world.ts'
import {
  aclEntry,
  aclWith,
  address,
  associatedAddress,
  dhcpOptions,
  domainName,
  everywhere,
  flowLog,
  flowLogOf,
  furtherBlock,
  icmpEntry,
  internetGateway,
  natGateway,
  networkAcl,
  openSubnet,
  otherAcl,
  otherTable,
  peering,
  pendingPeering,
  routedTable,
  routeTable,
  subnet,
  tableAndGateway,
  tableAndSubnet,
  tableAssociation,
  twoVpcs,
  vpc,
} from './network-things.ts'

const bare: BaseRequest = { request: () => ({}) }
const ofVpc: BaseRequest = { request: async (world) => ({ VpcId: await vpc(world) }) }
const ofSubnet: BaseRequest = { request: async (world) => ({ SubnetId: await subnet(world) }) }

/** Of every action on what VPCs are made of. */
export const networkRequests: Readonly<Record<string, BaseRequest>> = {
  AllocateAddress: bare,
  AssociateAddress: {
    request: async (world) => ({
      ...{ InstanceId: await world.runningInstance(), AllocationId: (await address(world)).allocationId },
    }),
  },
  DescribeAddresses: bare,
  DescribeAddressesAttribute: bare,
  DescribeMovingAddresses: bare,
  DisassociateAddress: {
    request: async (world) => ({ AssociationId: (await associatedAddress(world)).associationId }),
  },
  ModifyAddressAttribute: {
    request: async (world) => ({ AllocationId: (await address(world)).allocationId }),
    refusedAs: 'UnsupportedOperation',
  },
  MoveAddressToVpc: {
    request: async (world) => ({ PublicIp: (await address(world)).publicIp }),
    refusedAs: 'InvalidParameterValue',
  },
  ReleaseAddress: { request: async (world) => ({ AllocationId: (await address(world)).allocationId }) },
  ResetAddressAttribute: {
    request: async (world) => ({
      ...{ AllocationId: (await address(world)).allocationId, Attribute: 'domain-name' },
    }),
    refusedAs: 'UnsupportedOperation',
  },
  RestoreAddressToClassic: {
    request: async (world) => ({ PublicIp: (await address(world)).publicIp }),
    refusedAs: 'UnsupportedOperation',
  },
  AssociateSubnetCidrBlock: { ...ofSubnet, refusedAs: 'UnsupportedOperation' },
  AssociateVpcCidrBlock: {
    request: async (world) => ({ VpcId: await vpc(world), CidrBlock: '10.7.0.0/16' }),
  },
  // Whoever takes the defaults away takes them from every other request: subnets.test.ts and vpcs.test.ts make them anew.
  CreateDefaultSubnet: {
    request: () => ({ AvailabilityZone: 'us-east-1a' }),
    refusedAs: 'DefaultSubnetAlreadyExistsInAvailabilityZone',
  },
  CreateDefaultVpc: { ...bare, refusedAs: 'DefaultVpcAlreadyExists' },
  CreateSubnet: { request: async (world) => ({ VpcId: await vpc(world), CidrBlock: '10.0.1.0/24' }) },
  CreateVpc: { request: () => ({ CidrBlock: '10.0.0.0/16' }) },
  DeleteSubnet: ofSubnet,
  DeleteVpc: ofVpc,
  DescribeSubnets: bare,
  DescribeVpcAttribute: {
    request: async (world) => ({ VpcId: await vpc(world), Attribute: 'enableDnsSupport' }),
  },
  DescribeVpcs: bare,
  DisassociateSubnetCidrBlock: {
    request: () => ({ AssociationId: 'subnet-cidr-assoc-12345678' }),
    refusedAs: 'InvalidSubnetCidrBlockAssociationID.NotFound',
  },
  DisassociateVpcCidrBlock: {
    request: async (world) => ({ AssociationId: await furtherBlock(world) }),
  },
  ModifySubnetAttribute: {
    request: async (world) => ({ SubnetId: await subnet(world), 'MapPublicIpOnLaunch.Value': true }),
  },
  ModifyVpcAttribute: {
    request: async (world) => ({ VpcId: await vpc(world), 'EnableDnsHostnames.Value': true }),
  },
  AssociateRouteTable: { request: tableAndSubnet },
  AttachInternetGateway: {
    request: async (world) => ({ InternetGatewayId: await internetGateway(world), VpcId: await vpc(world) }),
  },
  CreateFlowLogs: {
    request: async (world) => flowLogOf('VPC', await vpc(world)),
    others: [async (world) => flowLogOf('Subnet', await subnet(world))],
  },
  DeleteFlowLogs: { request: async (world) => ({ 'FlowLogId.1': await flowLog(world) }) },
  DescribeFlowLogs: bare,
  CreateInternetGateway: bare,
  CreateNatGateway: {
    request: async (world) => ({
      SubnetId: await openSubnet(world),
      AllocationId: (await address(world)).allocationId,
    }),
    others: [async (world) => ({ SubnetId: await subnet(world), ConnectivityType: 'private' })],
  },
  CreateNetworkAcl: ofVpc,
  CreateNetworkAclEntry: {
    request: async (world) => ({ NetworkAclId: await networkAcl(world), ...aclEntry }),
    others: [async (world) => ({ NetworkAclId: await networkAcl(world), ...icmpEntry })],
  },
  CreateRoute: {
    request: async (world) => ({ ...(await tableAndGateway(world)), ...everywhere }),
  },
  CreateRouteTable: ofVpc,
  DeleteInternetGateway: {
    request: async (world) => ({ InternetGatewayId: await internetGateway(world) }),
  },
  DeleteNatGateway: { request: async (world) => ({ NatGatewayId: await natGateway(world) }) },
  DeleteNetworkAcl: { request: async (world) => ({ NetworkAclId: await networkAcl(world) }) },
  DeleteNetworkAclEntry: {
    request: async (world) => ({ ...(await aclWith(world, aclEntry)), RuleNumber: 100, Egress: false }),
  },
  DeleteRoute: {
    request: async (world) => ({ RouteTableId: (await routedTable(world)).RouteTableId, ...everywhere }),
  },
  DeleteRouteTable: { request: async (world) => ({ RouteTableId: await routeTable(world) }) },
  DescribeEgressOnlyInternetGateways: bare,
  DescribeInternetGateways: bare,
  DescribeNatGateways: bare,
  DescribeNetworkAcls: bare,
  DescribeRouteTables: bare,
  DetachInternetGateway: {
    request: async (world) => {
      const vpcId = await vpc(world)
      return { InternetGatewayId: await internetGateway(world, vpcId), VpcId: vpcId }
    },
  },
  DisassociateRouteTable: {
    request: async (world) => ({ AssociationId: await tableAssociation(world) }),
  },
  ReplaceNetworkAclAssociation: { request: otherAcl },
  ReplaceNetworkAclEntry: {
    request: async (world) => ({ ...(await aclWith(world, aclEntry)), ...aclEntry }),
    others: [async (world) => ({ ...(await aclWith(world, icmpEntry)), ...icmpEntry })],
  },
  ReplaceRoute: { request: async (world) => ({ ...(await routedTable(world)), ...everywhere }) },
  ReplaceRouteTableAssociation: { request: otherTable },
  AcceptVpcPeeringConnection: {
    request: async (world) => ({ VpcPeeringConnectionId: await pendingPeering(world) }),
  },
  AssociateDhcpOptions: {
    request: async (world) => ({ DhcpOptionsId: await dhcpOptions(world), VpcId: await vpc(world) }),
  },
  CreateDhcpOptions: { request: () => domainName },
  CreateVpcPeeringConnection: { request: twoVpcs },
  DeleteDhcpOptions: { request: async (world) => ({ DhcpOptionsId: await dhcpOptions(world) }) },
  DeleteVpcPeeringConnection: {
    request: async (world) => ({ VpcPeeringConnectionId: await peering(world) }),
  },
  DescribeDhcpOptions: bare,
  DescribeVpcPeeringConnections: bare,
  ModifyVpcPeeringConnectionOptions: {
    request: async (world) => ({
      VpcPeeringConnectionId: await peering(world),
      'AccepterPeeringConnectionOptions.AllowDnsResolutionFromRemoteVpc': true,
    }),
  },
  RejectVpcPeeringConnection: {
    request: async (world) => ({ VpcPeeringConnectionId: await pendingPeering(world) }),
  },
}
