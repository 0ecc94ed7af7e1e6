import { readInSlices } from './read-in-slices.ts'
import type { Reader } from './record.ts'
import type { RouteRowTable } from './routing-tables.ts'

/** A route, and whether packets get anywhere by it. */
export interface RouteFacts {
  readonly route: RouteRowTable
  /** False is what EC2 calls a blackhole. */
  readonly active: boolean
  /** Of a route to an interface that is in use. */
  readonly instanceId: string | null
  /** Where packets are handed to, of a route to an interface or to a NAT gateway's that is active. */
  readonly via: RouteVia | null
}

export interface RouteVia {
  readonly privateIp: number
  readonly subnetId: string
}

/** The routes of these tables in the order of their destinations; the local ones follow from the VPC and have no rows. */
export async function readRoutes(
  db: Reader,
  tableIds: readonly string[],
): Promise<Map<string, RouteFacts[]>> {
  const rows = await readInSlices(tableIds, (slice) =>
    db
      .selectFrom('route')
      .innerJoin('route_table', 'route_table.id', 'route.route_table_id')
      .selectAll('route')
      .select('route_table.vpc_id')
      .where('route.route_table_id', 'in', slice)
      .orderBy('route.destination')
      .execute(),
  )
  const targets = await readTargets(db, rows)
  const facts = rows.map(({ vpc_id: vpcId, ...route }): RouteFacts => {
    const target = targets.get(route.target_id)
    const active = target?.vpcIds.includes(vpcId) ?? false
    return {
      route,
      active,
      instanceId: target?.instanceId ?? null,
      via: active ? (target?.via ?? null) : null,
    }
  })
  return Map.groupBy(facts, ({ route }) => route.route_table_id)
}

interface Target {
  /** Of the VPCs whose packets it takes. */
  readonly vpcIds: readonly string[]
  readonly instanceId?: string | null
  readonly via?: RouteVia | null
}

async function readTargets(db: Reader, rows: readonly RouteRowTable[]): Promise<ReadonlyMap<string, Target>> {
  const idsOf = (kind: RouteRowTable['target_kind']) => [
    '',
    ...new Set(rows.filter((row) => row.target_kind === kind).map((row) => row.target_id)),
  ]
  const gateways = await db
    .selectFrom('internet_gateway')
    .select(['id', 'vpc_id'])
    .where('id', 'in', idsOf('internet-gateway'))
    .execute()
  const nats = await db
    .selectFrom('nat_gateway')
    .select(['id', 'vpc_id', 'private_ip', 'subnet_id'])
    .where('id', 'in', idsOf('nat-gateway'))
    .where('state', 'in', ['pending', 'available'])
    .execute()
  const interfaces = await db
    .selectFrom('network_interface as entry')
    .leftJoin('instance', 'instance.id', 'entry.instance_id')
    .select(['entry.id', 'entry.vpc_id', 'entry.private_ip', 'entry.subnet_id', 'entry.instance_id'])
    .select('instance.state')
    .where('entry.id', 'in', idsOf('network-interface'))
    .execute()
  const peerings = await db
    .selectFrom('vpc_peering')
    .select(['id', 'requester_vpc_id', 'accepter_vpc_id'])
    .where('id', 'in', idsOf('vpc-peering-connection'))
    .where('status', '=', 'active')
    .execute()
  return new Map<string, Target>([
    ...gateways.map((row) => [row.id, { vpcIds: row.vpc_id === null ? [] : [row.vpc_id] }] as const),
    ...nats.map((row) => [row.id, { vpcIds: [row.vpc_id], via: viaOf(row) }] as const),
    ...interfaces.map(
      (row) =>
        [
          row.id,
          {
            vpcIds: row.state === 'pending' || row.state === 'running' ? [row.vpc_id] : [],
            instanceId: row.instance_id,
            via: viaOf(row),
          },
        ] as const,
    ),
    ...peerings.map((row) => [row.id, { vpcIds: [row.requester_vpc_id, row.accepter_vpc_id] }] as const),
  ])
}

function viaOf(row: { private_ip: number | null; subnet_id: string }): RouteVia | null {
  return row.private_ip === null ? null : { privateIp: row.private_ip, subnetId: row.subnet_id }
}
