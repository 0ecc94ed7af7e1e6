import { command, type Step } from './command.ts'
import { keep, returnsTrue } from './kept-things.ts'

const everywhere = { DestinationCidrBlock: '0.0.0.0/0' }

const routePaths = [
  ...['destinationCidrBlock?', 'gatewayId?', 'instanceId?', 'networkInterfaceId?', 'vpcPeeringConnectionId?'],
  ...['state', 'origin'],
]
const tableLists = ['routeTableSet', 'routeSet', 'associationSet', 'propagatingVgwSet', 'tagSet']
const tablePaths = [
  ...['routeTableId', 'vpcId', 'tagSet[]?.key', 'propagatingVgwSet[]?.gatewayId'],
  ...routePaths.map((path) => `routeSet[].${path}`),
]
const aclLists = ['networkAclSet', 'entrySet', 'associationSet', 'tagSet']
const aclPaths = [
  ...['networkAclId', 'vpcId', 'default', 'tagSet[]?.key'],
  ...['egress', 'ruleNumber', 'ruleAction', 'cidrBlock', 'protocol'].map((name) => `entrySet[].${name}`),
  ...['portRange?.from', 'portRange?.to', 'icmpTypeCode?.type'].map((name) => `entrySet[].${name}`),
]
const natPaths = [
  ...['natGatewayId', 'vpcId', 'subnetId', 'state', 'createTime'],
  ...['allocationId', 'publicIp', 'networkInterfaceId', 'privateIp'].map(
    (name) => `natGatewayAddressSet[].${name}`,
  ),
]
const entry: NonNullable<Step['send']> = (world) => ({
  ...{ NetworkAclId: world.thing('acl'), RuleNumber: 100, Egress: false },
  ...{ Protocol: 6, 'PortRange.From': 22, 'PortRange.To': 22 },
  ...{ CidrBlock: '10.0.0.0/8', RuleAction: 'allow' },
})
const gatewayInVpc: NonNullable<Step['send']> = (world) => ({
  ...{ InternetGatewayId: world.thing('gateway'), VpcId: world.thing('vpc') },
})

/** Of gateways, routes and ACLs, in the VPC that other commands made. */
export const routingCommands = [
  command('euca-create-internet-gateway', {
    action: 'CreateInternetGateway',
    lists: ['attachmentSet', 'tagSet'],
    walks: ['internetGateway.internetGatewayId', 'internetGateway.attachmentSet[]?.vpcId'],
    keep: keep('gateway', 'internetGateway.internetGatewayId'),
  }),
  command('euca-attach-internet-gateway', {
    action: 'AttachInternetGateway',
    send: gatewayInVpc,
    ...returnsTrue,
  }),
  command('euca-describe-internet-gateways', {
    action: 'DescribeInternetGateways',
    lists: ['internetGatewaySet', 'attachmentSet', 'tagSet'],
    walks: ['internetGatewayId', 'attachmentSet[].vpcId', 'attachmentSet[].state', 'tagSet[]?.key'].map(
      (path) => `internetGatewaySet[].${path}`,
    ),
    whenEmpty: true,
  }),
  command('euca-create-route-table', {
    action: 'CreateRouteTable',
    send: (world) => ({ VpcId: world.thing('vpc') }),
    lists: tableLists,
    walks: tablePaths.map((path) => `routeTable.${path}`),
    keep: keep('table', 'routeTable.routeTableId'),
  }),
  command('euca-create-route', {
    action: 'CreateRoute',
    // -i igw-…
    send: (world) => ({
      ...{ RouteTableId: world.thing('table'), ...everywhere, GatewayId: world.thing('gateway') },
    }),
    ...returnsTrue,
  }),
  command('euca-replace-route', {
    action: 'ReplaceRoute',
    send: (world) => ({
      ...{ RouteTableId: world.thing('table'), ...everywhere, GatewayId: world.thing('gateway') },
    }),
    ...returnsTrue,
  }),
  command('euca-associate-route-table', {
    action: 'AssociateRouteTable',
    send: (world) => ({ RouteTableId: world.thing('table'), SubnetId: world.thing('ownSubnet') }),
    walks: ['associationId'],
    keep: keep('tableAssociation', 'associationId'),
  }),
  command('euca-replace-route-table-association', {
    action: 'ReplaceRouteTableAssociation',
    send: (world) => ({ AssociationId: world.thing('tableAssociation'), RouteTableId: world.thing('table') }),
    walks: ['newAssociationId'],
    keep: keep('tableAssociation', 'newAssociationId'),
  }),
  command('euca-describe-route-tables', {
    action: 'DescribeRouteTables',
    lists: tableLists,
    walks: [
      ...tablePaths,
      ...['routeTableAssociationId', 'routeTableId', 'subnetId?', 'main'].map(
        (name) => `associationSet[].${name}`,
      ),
    ].map((path) => `routeTableSet[].${path}`),
    shows: (world) => ({ 'routeTableSet[].associationSet[].subnetId?': world.thing('ownSubnet') }),
    whenEmpty: true,
  }),
  command('euca-create-network-acl', {
    action: 'CreateNetworkAcl',
    send: (world) => ({ VpcId: world.thing('vpc') }),
    lists: aclLists,
    walks: aclPaths.map((path) => `networkAcl.${path}`),
    keep: keep('acl', 'networkAcl.networkAclId'),
  }),
  command('euca-create-network-acl-entry', { action: 'CreateNetworkAclEntry', send: entry, ...returnsTrue }),
  command('euca-replace-network-acl-entry', {
    action: 'ReplaceNetworkAclEntry',
    send: entry,
    ...returnsTrue,
  }),
  command('euca-describe-network-acls', {
    action: 'DescribeNetworkAcls',
    lists: aclLists,
    walks: [...aclPaths, 'associationSet[]?.networkAclAssociationId', 'associationSet[]?.subnetId'].map(
      (path) => `networkAclSet[].${path}`,
    ),
    keep: keep('aclAssociation', 'networkAclSet[].associationSet[]?.networkAclAssociationId'),
    whenEmpty: true,
  }),
  command(
    'euca-replace-network-acl-association',
    {
      action: 'DescribeNetworkAcls',
      send: (world) => ({
        ...{ 'Filter.1.Name': 'association.subnet-id', 'Filter.1.Value.1': world.thing('ownSubnet') },
      }),
      lists: aclLists,
      keep: keep('aclAssociation', 'networkAclSet[].associationSet[].networkAclAssociationId'),
    },
    {
      action: 'ReplaceNetworkAclAssociation',
      send: (world) => ({
        ...{ AssociationId: world.thing('aclAssociation'), NetworkAclId: world.thing('acl') },
      }),
      walks: ['newAssociationId'],
    },
  ),
  command(
    'euca-create-nat-gateway',
    {
      action: 'AllocateAddress',
      send: () => ({ Domain: 'vpc' }),
      keep: keep('natAllocation', 'allocationId'),
    },
    {
      action: 'CreateNatGateway',
      send: (world) => ({
        AllocationId: world.thing('natAllocation'),
        ...{ SubnetId: world.thing('subnet'), ClientToken: 'nat' },
      }),
      lists: ['natGatewayAddressSet'],
      walks: natPaths.map((path) => `natGateway.${path}`),
      keep: keep('nat', 'natGateway.natGatewayId'),
    },
  ),
  command('euca-describe-nat-gateways', {
    action: 'DescribeNatGateways',
    lists: ['natGatewaySet', 'natGatewayAddressSet'],
    walks: natPaths.map((path) => `natGatewaySet[].${path}`),
    whenEmpty: true,
  }),
]

/** What takes them away again; the subnet goes first where it still is. */
export const lastRoutingCommands = [
  command('euca-delete-nat-gateway', {
    action: 'DeleteNatGateway',
    send: (world) => ({ NatGatewayId: world.thing('nat') }),
    walks: ['natGatewayId'],
  }),
  command('euca-disassociate-route-table', {
    action: 'DisassociateRouteTable',
    send: (world) => ({ AssociationId: world.thing('tableAssociation') }),
    ...returnsTrue,
  }),
  command('euca-delete-route', {
    action: 'DeleteRoute',
    send: (world) => ({ RouteTableId: world.thing('table'), ...everywhere }),
    ...returnsTrue,
  }),
  command('euca-delete-route-table', {
    action: 'DeleteRouteTable',
    send: (world) => ({ RouteTableId: world.thing('table') }),
    ...returnsTrue,
  }),
  command('euca-delete-network-acl-entry', {
    action: 'DeleteNetworkAclEntry',
    send: (world) => ({ NetworkAclId: world.thing('acl'), RuleNumber: 100, Egress: false }),
    ...returnsTrue,
  }),
]
