import { walk } from './client-answers.ts'
import { command, type Step } from './command.ts'
import { keep, returnsTrue } from './kept-things.ts'
import { lastRoutingCommands } from './routing-commands.ts'

/** Of what VPCs are made of: in the order in which one thing needs another. */
export const networkCommands = [
  command('euca-allocate-address', {
    action: 'AllocateAddress',
    send: () => ({ Domain: 'vpc' }),
    walks: ['publicIp', 'domain', 'allocationId'],
    keep: (world, answer) => {
      world.things['address'] = walk(answer, 'publicIp')[0]!
      world.things['allocation'] = walk(answer, 'allocationId')[0]!
    },
  }),
  command(
    'euca-associate-address',
    {
      action: 'AssociateAddress',
      send: (world) => ({ InstanceId: world.thing('instance'), PublicIp: world.thing('address') }),
      walks: ['associationId'],
    },
    {
      action: 'AssociateAddress',
      // -a eipalloc-… --allow-reassociation
      send: (world) => ({
        InstanceId: world.thing('instance'),
        AllocationId: world.thing('allocation'),
        AllowReassociation: true,
      }),
      walks: ['associationId'],
      keep: keep('addressAssociation', 'associationId'),
    },
  ),
  command('euca-describe-addresses with one', {
    action: 'DescribeAddresses',
    lists: ['addressesSet'],
    walks: [
      ...['publicIp', 'instanceId', 'domain', 'allocationId'],
      ...['associationId', 'networkInterfaceId', 'privateIpAddress'],
    ].map((name) => `addressesSet[].${name}`),
    shows: (world) => ({ 'addressesSet[].publicIp': world.thing('address') }),
  }),
  command(
    'euca-disassociate-address',
    {
      action: 'DisassociateAddress',
      send: (world) => ({ AssociationId: world.thing('addressAssociation') }),
      ...returnsTrue,
    },
    {
      action: 'DisassociateAddress',
      send: (world) => ({ PublicIp: world.thing('address') }),
      ...returnsTrue,
    },
  ),
  command('euca-release-address', {
    action: 'ReleaseAddress',
    send: (world) => ({ PublicIp: world.thing('address') }),
    ...returnsTrue,
  }),
  command('euca-create-vpc', {
    action: 'CreateVpc',
    // -t default: the tenancy
    send: () => ({ CidrBlock: '10.0.0.0/16', InstanceTenancy: 'default' }),
    lists: ['tagSet'],
    walks: ['vpcId', 'state', 'cidrBlock', 'dhcpOptionsId', 'instanceTenancy'].map((name) => `vpc.${name}`),
    keep: keep('vpc', 'vpc.vpcId'),
  }),
  command(
    'euca-modify-vpc-attribute',
    ...[{ 'EnableDnsSupport.Value': true }, { 'EnableDnsHostnames.Value': false }].map((attribute): Step => ({
      action: 'ModifyVpcAttribute',
      send: (world) => ({ VpcId: world.thing('vpc'), ...attribute }),
      ...returnsTrue,
    })),
  ),
  command('euca-describe-vpc-attribute', {
    action: 'DescribeVpcAttribute',
    send: (world) => ({ VpcId: world.thing('vpc'), Attribute: 'enableDnsSupport' }),
    walks: ['vpcId', 'enableDnsSupport.value'],
  }),
  command('euca-create-subnet', {
    action: 'CreateSubnet',
    send: (world) => ({
      ...{ VpcId: world.thing('vpc'), CidrBlock: '10.0.1.0/24', AvailabilityZone: 'us-east-1a' },
    }),
    lists: ['tagSet'],
    walks: ['subnetId', 'state', 'vpcId', 'cidrBlock', 'availableIpAddressCount', 'availabilityZone'].map(
      (name) => `subnet.${name}`,
    ),
    keep: keep('ownSubnet', 'subnet.subnetId'),
  }),
  command('euca-modify-subnet-attribute', {
    action: 'ModifySubnetAttribute',
    send: (world) => ({ SubnetId: world.thing('ownSubnet'), 'MapPublicIpOnLaunch.Value': true }),
    ...returnsTrue,
  }),
]

/** What takes them away again. */
export const lastNetworkCommands = [
  ...lastRoutingCommands,
  command('euca-delete-subnet', {
    action: 'DeleteSubnet',
    send: (world) => ({ SubnetId: world.thing('ownSubnet') }),
    ...returnsTrue,
  }),
  command('euca-delete-network-acl', {
    action: 'DeleteNetworkAcl',
    send: (world) => ({ NetworkAclId: world.thing('acl') }),
    ...returnsTrue,
  }),
  command('euca-detach-internet-gateway', {
    action: 'DetachInternetGateway',
    send: (world) => ({ InternetGatewayId: world.thing('gateway'), VpcId: world.thing('vpc') }),
    ...returnsTrue,
  }),
  command('euca-delete-internet-gateway', {
    action: 'DeleteInternetGateway',
    send: (world) => ({ InternetGatewayId: world.thing('gateway') }),
    ...returnsTrue,
  }),
  command('euca-delete-vpc', {
    action: 'DeleteVpc',
    send: (world) => ({ VpcId: world.thing('vpc') }),
    ...returnsTrue,
  }),
]
