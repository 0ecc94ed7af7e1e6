import { isWellFormedId, type IdKind } from '@mallee/base'
import {
  invalidAllocationIdMalformed,
  invalidAllocationIdNotFound,
  invalidDhcpOptionsIdMalformed,
  invalidDhcpOptionsIdNotFound,
  invalidFlowLogIdMalformed,
  invalidFlowLogIdNotFound,
  invalidInternetGatewayIdMalformed,
  invalidInternetGatewayIdNotFound,
  invalidNetworkAclIdMalformed,
  invalidNetworkAclIdNotFound,
  invalidNetworkInterfaceIdMalformed,
  invalidNetworkInterfaceIdNotFound,
  invalidPrefixListIdMalformed,
  invalidPrefixListIdNotFound,
  invalidRouteTableIdMalformed,
  invalidRouteTableIdNotFound,
  invalidSubnetIdMalformed,
  invalidSubnetIdNotFound,
  invalidVpcIdMalformed,
  invalidVpcIdNotFound,
  natGatewayMalformed,
  natGatewayNotFound,
} from '@mallee/ec2-api'
import type { Reader } from '../store/record.ts'
import type { Tables } from '../store/tables.ts'
import type { NetworkInterfaceTable, SubnetTable, VpcTable } from '../store/network-tables.ts'
import type {
  DhcpOptionsTable,
  FlowLogTable,
  InternetGatewayTable,
  NatGatewayTable,
  NetworkAclTable,
  PrefixListTable,
  RouteTableTable,
} from '../store/routing-tables.ts'
import type { ActionContext } from './define-action.ts'
import { requireIds } from './required-ids.ts'

/** What of a network has an owner and an id of its own. */
interface Owned {
  vpc: VpcTable
  subnet: SubnetTable
  internetGateway: InternetGatewayTable
  routeTable: RouteTableTable
  networkAcl: NetworkAclTable
  natGateway: NatGatewayTable
  dhcpOptions: DhcpOptionsTable
  networkInterface: NetworkInterfaceTable
  prefixList: PrefixListTable
  flowLog: FlowLogTable
}
export type OwnedKind = keyof Owned & IdKind

interface Naming {
  readonly table: keyof Tables & OwnedTable
  readonly malformed: (id: string) => Error
  readonly missing: (ids: string[]) => Error
}

type OwnedTable =
  | 'vpc'
  | 'subnet'
  | 'internet_gateway'
  | 'route_table'
  | 'network_acl'
  | 'nat_gateway'
  | 'dhcp_options'
  | 'network_interface'
  | 'prefix_list'
  | 'flow_log'

const namings: Readonly<Record<OwnedKind, Naming>> = {
  vpc: { table: 'vpc', malformed: invalidVpcIdMalformed, missing: invalidVpcIdNotFound },
  subnet: { table: 'subnet', malformed: invalidSubnetIdMalformed, missing: invalidSubnetIdNotFound },
  internetGateway: {
    table: 'internet_gateway',
    malformed: invalidInternetGatewayIdMalformed,
    missing: invalidInternetGatewayIdNotFound,
  },
  routeTable: {
    table: 'route_table',
    malformed: invalidRouteTableIdMalformed,
    missing: invalidRouteTableIdNotFound,
  },
  networkAcl: {
    table: 'network_acl',
    malformed: invalidNetworkAclIdMalformed,
    missing: invalidNetworkAclIdNotFound,
  },
  natGateway: { table: 'nat_gateway', malformed: natGatewayMalformed, missing: natGatewayNotFound },
  dhcpOptions: {
    table: 'dhcp_options',
    malformed: invalidDhcpOptionsIdMalformed,
    missing: invalidDhcpOptionsIdNotFound,
  },
  networkInterface: {
    table: 'network_interface',
    malformed: invalidNetworkInterfaceIdMalformed,
    missing: invalidNetworkInterfaceIdNotFound,
  },
  prefixList: {
    table: 'prefix_list',
    malformed: invalidPrefixListIdMalformed,
    missing: ([id]) => invalidPrefixListIdNotFound(id!),
  },
  flowLog: { table: 'flow_log', malformed: invalidFlowLogIdMalformed, missing: invalidFlowLogIdNotFound },
}

/** The caller's own of that id; another account's is as if it did not exist. */
export async function requireOwned<K extends OwnedKind>(
  ctx: ActionContext,
  db: Reader,
  kind: K,
  id: string,
): Promise<Owned[K]> {
  const { table, malformed, missing } = namings[kind]
  if (!isWellFormedId(kind, id)) throw malformed(id)
  const row = await db
    .selectFrom(table)
    .selectAll()
    .where('id', '=', id)
    .where('account_id', '=', ctx.caller.accountId)
    .executeTakeFirst()
  if (!row) throw missing([id])
  return row as unknown as Owned[K]
}

/** For a describe: those of the given ids, or all that the caller may see where none is given. */
export async function ownedOf<K extends OwnedKind>(
  ctx: ActionContext,
  db: Reader,
  kind: K,
  ids: readonly string[] = [],
): Promise<Owned[K][]> {
  const { table, malformed, missing } = namings[kind]
  const rows = await db
    .selectFrom(table)
    .selectAll()
    .$if(ctx.scope !== null, (query) => query.where('account_id', '=', ctx.scope!))
    .$if(ids.length > 0 && ids.length <= 500, (query) => query.where('id', 'in', ids))
    .execute()
  const all = rows as unknown as Owned[K][]
  return ids.length === 0 ? all : requireIds(ids, all, { kind, idOf: (row) => row.id, malformed, missing })
}

/** The caller's elastic address by its allocation id. */
export async function requireAllocation(ctx: ActionContext, db: Reader, id: string) {
  if (!isWellFormedId('allocation', id)) throw invalidAllocationIdMalformed(id)
  const row = await db
    .selectFrom('address')
    .selectAll()
    .where('allocation_id', '=', id)
    .where('account_id', '=', ctx.caller.accountId)
    .executeTakeFirst()
  if (!row) throw invalidAllocationIdNotFound([id])
  return row
}
