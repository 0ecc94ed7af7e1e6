import type { Reader } from './record.ts'
import type { RouteRowTable } from './routing-tables.ts'

/** A route, and whether packets get anywhere by it. */
export interface RouteFacts {
  readonly route: RouteRowTable
  /** False is what EC2 calls a blackhole. */
  readonly active: boolean
  /** Of a route to an interface that is in use. */
  readonly instanceId: string | null
}

/** The routes of these tables in the order of their destinations; the local ones follow from the VPC and have no rows. */
export async function readRoutes(
  db: Reader,
  tableIds: readonly string[],
): Promise<Map<string, RouteFacts[]>> {
  const rows: (RouteRowTable & { vpc_id: string })[] = []
  for (let start = 0; start < tableIds.length; start += 500)
    rows.push(
      ...(await db
        .selectFrom('route')
        .innerJoin('route_table', 'route_table.id', 'route.route_table_id')
        .selectAll('route')
        .select('route_table.vpc_id')
        .where('route.route_table_id', 'in', tableIds.slice(start, start + 500))
        .orderBy('route.destination')
        .execute()),
    )
  const targets = await readTargets(db, rows)
  const facts = rows.map(({ vpc_id: vpcId, ...route }): RouteFacts => {
    const instance = targets.instances.get(route.target_id)
    return {
      route,
      active: targets.open.has(`${vpcId} ${route.target_id}`),
      instanceId: instance ?? null,
    }
  })
  return Map.groupBy(facts, ({ route }) => route.route_table_id)
}

interface Targets {
  /** `VPC target`, of targets that take packets of that VPC. */
  readonly open: ReadonlySet<string>
  /** The instances that interfaces are plugged into. */
  readonly instances: ReadonlyMap<string, string>
}

async function readTargets(db: Reader, rows: readonly RouteRowTable[]): Promise<Targets> {
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
    .select(['id', 'vpc_id'])
    .where('id', 'in', idsOf('nat-gateway'))
    .where('state', 'in', ['pending', 'available'])
    .execute()
  const interfaces = await db
    .selectFrom('network_interface as entry')
    .leftJoin('instance', 'instance.id', 'entry.instance_id')
    .select(['entry.id', 'entry.vpc_id', 'entry.instance_id', 'instance.state'])
    .where('entry.id', 'in', idsOf('network-interface'))
    .execute()
  const peerings = await db
    .selectFrom('vpc_peering')
    .select(['id', 'requester_vpc_id', 'accepter_vpc_id'])
    .where('id', 'in', idsOf('vpc-peering-connection'))
    .where('status', '=', 'active')
    .execute()
  const plugged = interfaces.filter((entry) => entry.state === 'pending' || entry.state === 'running')
  return {
    open: new Set([
      ...[...gateways, ...nats, ...plugged].map((row) => `${row.vpc_id} ${row.id}`),
      ...peerings.flatMap((row) => [`${row.requester_vpc_id} ${row.id}`, `${row.accepter_vpc_id} ${row.id}`]),
    ]),
    instances: new Map(
      interfaces.flatMap((entry) =>
        entry.instance_id === null ? [] : [[entry.id, entry.instance_id] as const],
      ),
    ),
  }
}
