import type { Parameters } from './client-requests.ts'
import { command } from './command.ts'

const vpc = 'vpc-01234567'
const table = 'rtb-01234567'
const gateway = 'vgw-01234567'
const cidr = '10.0.0.0/16'

/** What these send, and that the cloud has no such action yet: by name. */
const requests: readonly (readonly [name: string, action: string, parameters: Parameters])[] = [
  ['euca-attach-vpn-gateway', 'AttachVpnGateway', { VpnGatewayId: gateway, VpcId: vpc }],
  [
    'euca-create-customer-gateway',
    'CreateCustomerGateway',
    { Type: 'ipsec.1', IpAddress: '192.0.2.1', BgpAsn: 65000 },
  ],
  [
    'euca-create-vpn-connection',
    'CreateVpnConnection',
    {
      Type: 'ipsec.1',
      CustomerGatewayId: 'cgw-01234567',
      VpnGatewayId: gateway,
      'Options.StaticRoutesOnly': true,
    },
  ],
  [
    'euca-create-vpn-connection-route',
    'CreateVpnConnectionRoute',
    { VpnConnectionId: 'vpn-01234567', DestinationCidrBlock: cidr },
  ],
  ['euca-create-vpn-gateway', 'CreateVpnGateway', { Type: 'ipsec.1' }],
  ['euca-delete-customer-gateway', 'DeleteCustomerGateway', { CustomerGatewayId: 'cgw-01234567' }],
  ['euca-delete-vpn-connection', 'DeleteVpnConnection', { VpnConnectionId: 'vpn-01234567' }],
  [
    'euca-delete-vpn-connection-route',
    'DeleteVpnConnectionRoute',
    { VpnConnectionId: 'vpn-01234567', DestinationCidrBlock: cidr },
  ],
  ['euca-delete-vpn-gateway', 'DeleteVpnGateway', { VpnGatewayId: gateway }],
  ['euca-describe-customer-gateways', 'DescribeCustomerGateways', {}],
  ['euca-describe-vpn-connections', 'DescribeVpnConnections', {}],
  ['euca-describe-vpn-gateways', 'DescribeVpnGateways', {}],
  ['euca-detach-vpn-gateway', 'DetachVpnGateway', { VpnGatewayId: gateway, VpcId: vpc }],
  [
    'euca-disable-vgw-route-propagation',
    'DisableVgwRoutePropagation',
    { RouteTableId: table, GatewayId: gateway },
  ],
  [
    'euca-enable-vgw-route-propagation',
    'EnableVgwRoutePropagation',
    { RouteTableId: table, GatewayId: gateway },
  ],
]

export const absentCommands = requests.map(([name, action, parameters]) =>
  command(name, { action, send: () => parameters, refused: ['UnsupportedOperation', action] }),
)
