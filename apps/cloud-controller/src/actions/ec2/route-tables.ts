import { hasDependencies, routeTableLimitExceeded } from '@mallee/ec2-api'
import { requireQuota } from '../../store/quota-store.ts'
import { readInSlices } from '../../store/read-in-slices.ts'
import type { Reader } from '../../store/record.ts'
import { readRoutes } from '../../store/route-store.ts'
import type { RouteTableTable } from '../../store/routing-tables.ts'
import { deleteTagsOf, putTags, readTags } from '../../store/tag-store.ts'
import { readVpcCidrs } from '../../store/vpc-cidr-store.ts'
import { insertRouteTable } from '../../store/vpc-store.ts'
import { routeTableView, routeViews, type RouteTableRows } from '../../views/route-table-view.ts'
import { defineEc2Action } from '../define-action.ts'
import { describeThings } from '../describe-things.ts'
import { filterNames, type FilterFields } from '../filters.ts'
import { ownedOf, requireOwned } from '../owned-networks.ts'
import { tagRows } from '../tag-specifications.ts'

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateRouteTable.html */
export const createRouteTable = defineEc2Action('CreateRouteTable', {
  honours: ['VpcId', 'TagSpecifications'],
  creates: ['route-table'],
  async run(ctx, input) {
    const { accountId } = ctx.caller
    const id = await ctx.transaction(async (tx) => {
      const vpc = await requireOwned(ctx, tx.db, 'vpc', input.VpcId)
      const present = await tx.db
        .selectFrom('route_table')
        .select('id')
        .where('vpc_id', '=', vpc.id)
        .execute()
      await requireQuota(tx.db, ctx.caller, 'route-tables-per-vpc', present.length, routeTableLimitExceeded)
      const made = await insertRouteTable(tx, { vpc, random: ctx.random, nowMs: ctx.nowMs })
      await putTags(tx, tagRows(ctx, input.TagSpecifications, 'route-table', [made]))
      tx.touch(made)
      return made
    })
    return ctx.read(async (db) => {
      const [rows] = await readTables(db, [await requireOwned(ctx, db, 'routeTable', id)])
      const tags = (await readTags(db, accountId, [id])).get(id) ?? []
      return { RouteTable: routeTableView(rows!, tags), ClientToken: input.ClientToken }
    })
  },
})

/** Its routes go with it; what is associated with it holds it. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteRouteTable.html */
export const deleteRouteTable = defineEc2Action('DeleteRouteTable', {
  honours: ['RouteTableId'],
  run(ctx, input) {
    return ctx.transaction(async (tx) => {
      const table = await requireOwned(ctx, tx.db, 'routeTable', input.RouteTableId)
      const used = await tx.db
        .selectFrom('route_table_association')
        .select('id')
        .where('route_table_id', '=', table.id)
        .executeTakeFirst()
      if (used) throw hasDependencies('routeTable', table.id)
      await deleteTagsOf(tx, table.id)
      await tx.db.deleteFrom('route').where('route_table_id', '=', table.id).execute()
      await tx.db.deleteFrom('route_table').where('id', '=', table.id).execute()
      tx.touch(table.id)
      return {}
    })
  },
})

const associations =
  (read: (row: RouteTableRows['associations'][number]) => string | boolean | null) =>
  (rows: RouteTableRows) =>
    rows.associations.map(read)
const routes = (name: keyof ReturnType<typeof routeViews>[number]) => (rows: RouteTableRows) =>
  routeViews(rows).map((route) => route[name])

const fields: FilterFields<RouteTableRows> = {
  'association.main': associations((row) => row.is_main === 1),
  'association.route-table-association-id': associations((row) => row.id),
  'association.route-table-id': associations((row) => row.route_table_id),
  'association.subnet-id': associations((row) => row.subnet_id),
  'owner-id': ({ table }) => [table.account_id],
  'route-table-id': ({ table }) => [table.id],
  'route.destination-cidr-block': routes('DestinationCidrBlock'),
  'route.destination-ipv6-cidr-block': () => [],
  'route.destination-prefix-list-id': routes('DestinationPrefixListId'),
  'route.egress-only-internet-gateway-id': () => [],
  'route.gateway-id': routes('GatewayId'),
  'route.instance-id': routes('InstanceId'),
  'route.nat-gateway-id': routes('NatGatewayId'),
  'route.origin': routes('Origin'),
  'route.state': routes('State'),
  'route.transit-gateway-id': () => [],
  'route.vpc-peering-connection-id': routes('VpcPeeringConnectionId'),
  'vpc-id': ({ table }) => [table.vpc_id],
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeRouteTables.html */
export const describeRouteTables = defineEc2Action('DescribeRouteTables', {
  honours: ['RouteTableIds', 'Filters', 'MaxResults', 'NextToken'],
  filters: filterNames(fields, { tagged: true }),
  ids: ['RouteTableIds'],
  run(ctx, input) {
    return ctx.read(async (db) => {
      const { views, nextToken } = await describeThings(ctx, db, input, {
        things: await readTables(db, await ownedOf(ctx, db, 'routeTable', input.RouteTableIds)),
        idOf: ({ table }) => table.id,
        fields,
        exclusiveIds: (input.RouteTableIds?.length ?? 0) > 0,
        largest: 100,
        view: routeTableView,
      })
      return { RouteTables: views, NextToken: nextToken }
    })
  },
})

async function readTables(db: Reader, tables: readonly RouteTableTable[]): Promise<RouteTableRows[]> {
  const ids = tables.map((table) => table.id)
  const cidrs = await readVpcCidrs(db, [...new Set(tables.map((table) => table.vpc_id))])
  const known = await readRoutes(db, ids)
  const links = await readInSlices(ids, (slice) =>
    db
      .selectFrom('route_table_association')
      .selectAll()
      .where('route_table_id', 'in', slice)
      .orderBy('is_main', 'desc')
      .orderBy('id')
      .execute(),
  )
  const linksOf = Map.groupBy(links, (link) => link.route_table_id)
  return tables.map((table) => ({
    table,
    cidrs: cidrs.get(table.vpc_id) ?? [],
    routes: known.get(table.id) ?? [],
    associations: linksOf.get(table.id) ?? [],
  }))
}
