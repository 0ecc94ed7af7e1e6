import { formatIpv4 } from '@mallee/base'
import type { AclEntry, VpcItem, VpcRoute } from '@mallee/agent-contract'
import { readRoutes, type RouteFacts } from '../store/route-store.ts'
import type { Reader } from '../store/record.ts'
import type { NetworkAclEntryTable } from '../store/routing-tables.ts'
import type { SecurityGroupRuleTable, SubnetTable, VpcTable } from '../store/tables.ts'

type RouteTables = NonNullable<VpcItem['routeTables']>

/** The route tables that these subnets go by, with every target as it is now. */
export async function readRouteTables(
  db: Reader,
  vpc: VpcTable,
  subnets: readonly SubnetTable[],
): Promise<{ all: RouteTables; of(subnetId: string): string }> {
  const associations = await db
    .selectFrom('route_table_association')
    .selectAll()
    .where('vpc_id', '=', vpc.id)
    .execute()
  const main = associations.find((row) => row.is_main === 1)!.route_table_id
  const own = new Map(associations.map((row) => [row.subnet_id, row.route_table_id]))
  const of = (subnetId: string) => own.get(subnetId) ?? main
  const ids = [...new Set(subnets.map((subnet) => of(subnet.id)))].toSorted()
  const known = await readRoutes(db, ids)
  const lists = await entriesOf(
    db,
    [...known.values()].flat().flatMap(({ route }) => route.prefix_list_id ?? []),
  )
  const routesOf = (id: string): VpcRoute[] =>
    (known.get(id) ?? []).flatMap((facts) => {
      const { prefix_list_id: listId, destination: own } = facts.route
      const destinations = listId === null ? [own] : (lists.get(listId) ?? [])
      const target = targetOf(facts)
      return destinations.map((destination) => ({ destination, ...target }))
    })
  return { all: ids.map((id) => ({ routeTableId: id, routes: routesOf(id) })), of }
}

/** Where a route leads; a target that is gone, detached or not running is a black hole, as on AWS. */
function targetOf({ route, active, via }: RouteFacts): Omit<VpcRoute, 'destination'> {
  const { target_kind: kind, target_id: id } = route
  if (!active) return { target: 'blackhole' }
  switch (kind) {
    case 'internet-gateway':
      return { target: kind }
    case 'vpc-peering-connection':
      return { target: kind, peeringId: id }
    case 'nat-gateway':
    case 'network-interface':
      return via === null
        ? { target: 'blackhole' }
        : { target: kind, via: formatIpv4(via.privateIp), viaSubnetId: via.subnetId }
  }
}

type Acls = NonNullable<VpcItem['networkAcls']>

/** The network ACLs of these subnets; those that let everything pass are not said. */
export async function readAcls(
  db: Reader,
  subnets: readonly SubnetTable[],
): Promise<{ all: Acls; of(subnetId: string): { networkAclId?: string } }> {
  if (subnets.length === 0) return { all: [], of: () => ({}) }
  const associations = await db
    .selectFrom('network_acl_association')
    .select(['acl_id', 'subnet_id'])
    .where(
      'subnet_id',
      'in',
      subnets.map((subnet) => subnet.id),
    )
    .execute()
  const ids = [...new Set(associations.map((row) => row.acl_id))].toSorted()
  const entries = await db
    .selectFrom('network_acl_entry')
    .selectAll()
    .where('acl_id', 'in', ['', ...ids])
    .orderBy('rule_number')
    .execute()
  const of = (id: string, egress: 0 | 1) =>
    entries.filter((entry) => entry.acl_id === id && entry.is_egress === egress)
  const all = ids
    .filter((id) => !(isOpen(of(id, 0)) && isOpen(of(id, 1))))
    .map((id) => ({
      networkAclId: id,
      ingress: of(id, 0).map(entryOf),
      egress: of(id, 1).map(entryOf),
    }))
  const said = new Set(all.map((acl) => acl.networkAclId))
  const bySubnet = new Map(associations.map((row) => [row.subnet_id, row.acl_id]))
  return {
    all,
    of(subnetId) {
      const id = bySubnet.get(subnetId)
      return id !== undefined && said.has(id) ? { networkAclId: id } : {}
    },
  }
}

const isOpen = ([first]: readonly NetworkAclEntryTable[]) =>
  first?.allow === 1 && first.protocol === '-1' && first.cidr === '0.0.0.0/0'

const entryOf = (entry: NetworkAclEntryTable): AclEntry => ({
  allow: entry.allow === 1,
  protocol: entry.protocol,
  fromPort: entry.from_port,
  toPort: entry.to_port,
  cidr: entry.cidr,
})

/** The active peering connections of a VPC, seen from it. */
export async function readPeerings(db: Reader, vpcId: string): Promise<NonNullable<VpcItem['peerings']>> {
  const rows = await db
    .selectFrom('vpc_peering')
    .select(['id', 'requester_vpc_id', 'accepter_vpc_id'])
    .where((eb) => eb.or([eb('requester_vpc_id', '=', vpcId), eb('accepter_vpc_id', '=', vpcId)]))
    .where('status', '=', 'active')
    .orderBy('id')
    .execute()
  const others = rows.map((row) => ({
    peeringId: row.id,
    vpcId: row.requester_vpc_id === vpcId ? row.accepter_vpc_id : row.requester_vpc_id,
  }))
  if (others.length === 0) return []
  const cidrs = await db
    .selectFrom('vpc_cidr')
    .select(['vpc_id', 'cidr'])
    .where(
      'vpc_id',
      'in',
      others.map((other) => other.vpcId),
    )
    .orderBy('cidr')
    .execute()
  const of = Map.groupBy(cidrs, (row) => row.vpc_id)
  return others.map((other) => ({ ...other, cidrs: (of.get(other.vpcId) ?? []).map(({ cidr }) => cidr) }))
}

/** The blocks of the prefix lists that these rules name. */
export function readPrefixLists(
  db: Reader,
  rules: readonly SecurityGroupRuleTable[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  return entriesOf(
    db,
    rules.flatMap((rule) => rule.prefix_list_id ?? []),
  )
}

async function entriesOf(
  db: Reader,
  listIds: readonly string[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  if (listIds.length === 0) return new Map()
  const rows = await db
    .selectFrom('prefix_list')
    .innerJoin('prefix_list_entry as entry', (join) =>
      join
        .onRef('entry.prefix_list_id', '=', 'prefix_list.id')
        .onRef('entry.version', '=', 'prefix_list.version'),
    )
    .select(['prefix_list.id', 'entry.cidr'])
    .where('prefix_list.id', 'in', [...new Set(listIds)])
    .orderBy('entry.cidr')
    .execute()
  return new Map(
    [...Map.groupBy(rows, (row) => row.id)].map(([id, entries]) => [id, entries.map(({ cidr }) => cidr)]),
  )
}
