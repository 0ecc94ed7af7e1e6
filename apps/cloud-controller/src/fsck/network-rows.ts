import type { Reader } from '../store/record.ts'
import type { NetworkInterfaceAddressTable, VpcCidrTable } from '../store/network-tables.ts'
import type {
  DhcpOptionsTable,
  FlowLogTable,
  InternetGatewayTable,
  NatGatewayTable,
  NetworkAclAssociationTable,
  NetworkAclTable,
  PrefixListTable,
  RouteRowTable,
  RouteTableAssociationTable,
  RouteTableTable,
  VpcPeeringTable,
} from '../store/routing-tables.ts'

/** What VPCs are made of, beside VPCs, subnets, interfaces and addresses. */
export interface NetworkRows {
  readonly cidrs: readonly VpcCidrTable[]
  readonly privateAddresses: readonly NetworkInterfaceAddressTable[]
  readonly gateways: readonly InternetGatewayTable[]
  readonly routeTables: readonly RouteTableTable[]
  readonly routeTableLinks: readonly RouteTableAssociationTable[]
  readonly routes: readonly RouteRowTable[]
  readonly acls: readonly NetworkAclTable[]
  readonly aclLinks: readonly NetworkAclAssociationTable[]
  readonly natGateways: readonly NatGatewayTable[]
  readonly peerings: readonly VpcPeeringTable[]
  readonly dhcpOptions: readonly DhcpOptionsTable[]
  readonly prefixLists: readonly PrefixListTable[]
  readonly flowLogs: readonly FlowLogTable[]
  readonly prefixListSizes: readonly {
    readonly prefix_list_id: string
    readonly version: number
    readonly entries: number | string | bigint
  }[]
  readonly rules: readonly {
    readonly id: string
    readonly peer_group_id: string | null
    readonly peer_vpc_id: string | null
    readonly peering_id: string | null
    readonly prefix_list_id: string | null
  }[]
  readonly groups: readonly { readonly id: string; readonly vpc_id: string; readonly name: string }[]
}

export async function readNetworkRows(db: Reader): Promise<NetworkRows> {
  return {
    cidrs: await db.selectFrom('vpc_cidr').selectAll().execute(),
    privateAddresses: await db.selectFrom('network_interface_address').selectAll().execute(),
    gateways: await db.selectFrom('internet_gateway').selectAll().execute(),
    routeTables: await db.selectFrom('route_table').selectAll().execute(),
    routeTableLinks: await db.selectFrom('route_table_association').selectAll().execute(),
    routes: await db.selectFrom('route').selectAll().execute(),
    acls: await db.selectFrom('network_acl').selectAll().execute(),
    aclLinks: await db.selectFrom('network_acl_association').selectAll().execute(),
    natGateways: await db.selectFrom('nat_gateway').selectAll().execute(),
    peerings: await db.selectFrom('vpc_peering').selectAll().execute(),
    dhcpOptions: await db.selectFrom('dhcp_options').selectAll().execute(),
    prefixLists: await db.selectFrom('prefix_list').selectAll().execute(),
    flowLogs: await db.selectFrom('flow_log').selectAll().execute(),
    prefixListSizes: await db
      .selectFrom('prefix_list_entry')
      .select(['prefix_list_id', 'version', (eb) => eb.fn.countAll().as('entries')])
      .groupBy(['prefix_list_id', 'version'])
      .execute(),
    rules: await db
      .selectFrom('security_group_rule')
      .select(['id', 'peer_group_id', 'peer_vpc_id', 'peering_id', 'prefix_list_id'])
      .execute(),
    groups: await db.selectFrom('security_group').select(['id', 'vpc_id', 'name']).execute(),
  }
}
