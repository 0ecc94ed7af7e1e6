import { command, type Step } from './command.ts'
import { keep, returnsTrue } from './kept-things.ts'

const dhcpLists = ['dhcpOptionsSet', 'dhcpConfigurationSet', 'valueSet', 'tagSet']
const dhcpPaths = [
  ...['dhcpOptionsId', 'tagSet[]?.key', 'dhcpConfigurationSet[].key'],
  'dhcpConfigurationSet[].valueSet[].value',
]
const side = ['ownerId', 'vpcId', 'cidrBlock?']
const peeringPaths = [
  ...['vpcPeeringConnectionId', 'status.code', 'status.message', 'expirationTime?', 'tagSet[]?.key'],
  ...side.flatMap((name) => [`requesterVpcInfo.${name}`, `accepterVpcInfo.${name}`]),
]
const peeringLists = ['vpcPeeringConnectionSet', 'tagSet']
const toSecond: Step = {
  action: 'CreateVpcPeeringConnection',
  send: (world) => ({ VpcId: world.thing('vpc'), PeerVpcId: world.thing('secondVpc') }),
  lists: peeringLists,
  walks: peeringPaths.map((path) => `vpcPeeringConnection.${path}`),
  keep: keep('peering', 'vpcPeeringConnection.vpcPeeringConnectionId'),
}
const onPeering: NonNullable<Step['send']> = (world) => ({ VpcPeeringConnectionId: world.thing('peering') })

/** Of DHCP options and peering connections, of the VPC that other commands made. */
export const peeringCommands = [
  command('euca-create-dhcp-options', {
    action: 'CreateDhcpOptions',
    send: () => ({ 'DhcpConfiguration.1.Key': 'domain-name', 'DhcpConfiguration.1.Value.1': 'example.com' }),
    lists: dhcpLists,
    walks: dhcpPaths.map((path) => `dhcpOptions.${path}`),
    keep: keep('dhcp', 'dhcpOptions.dhcpOptionsId'),
  }),
  command(
    'euca-associate-dhcp-options',
    {
      action: 'AssociateDhcpOptions',
      send: (world) => ({ DhcpOptionsId: world.thing('dhcp'), VpcId: world.thing('vpc') }),
      ...returnsTrue,
    },
    {
      action: 'AssociateDhcpOptions',
      send: (world) => ({ DhcpOptionsId: 'default', VpcId: world.thing('vpc') }),
      ...returnsTrue,
    },
  ),
  command('euca-describe-dhcp-options', {
    action: 'DescribeDhcpOptions',
    lists: dhcpLists,
    walks: dhcpPaths.map((path) => `dhcpOptionsSet[].${path}`),
    whenEmpty: true,
  }),
  command('euca-delete-dhcp-options', {
    action: 'DeleteDhcpOptions',
    send: (world) => ({ DhcpOptionsId: world.thing('dhcp') }),
    ...returnsTrue,
  }),
  command(
    'euca-create-vpc-peering-connection',
    {
      action: 'CreateVpc',
      send: () => ({ CidrBlock: '10.9.0.0/16' }),
      keep: keep('secondVpc', 'vpc.vpcId'),
    },
    toSecond,
  ),
  command('euca-accept-vpc-peering-connection', {
    action: 'AcceptVpcPeeringConnection',
    send: onPeering,
    lists: peeringLists,
    walks: peeringPaths.map((path) => `vpcPeeringConnection.${path}`),
  }),
  command('euca-describe-vpc-peering-connections', {
    action: 'DescribeVpcPeeringConnections',
    lists: peeringLists,
    walks: peeringPaths.map((path) => `vpcPeeringConnectionSet[].${path}`),
    whenEmpty: true,
  }),
  command('euca-delete-vpc-peering-connection', {
    action: 'DeleteVpcPeeringConnection',
    send: onPeering,
    ...returnsTrue,
  }),
  command('euca-reject-vpc-peering-connection', toSecond, {
    action: 'RejectVpcPeeringConnection',
    send: onPeering,
    ...returnsTrue,
  }),
]
