import { blockWithin, blocksOverlap, formatCidr, parseCidr } from '@mallee/base'
import {
  invalidParameterCombination,
  invalidParameterValue,
  invalidRouteNotFound,
  missingParameter,
  routeAlreadyExists,
  routeLimitExceeded,
} from '@mallee/ec2-api'
import { wakeVpc } from '../../store/network-reach.ts'
import { requireQuota } from '../../store/quota-store.ts'
import type { Reader, Tx } from '../../store/record.ts'
import type { RouteTableTable } from '../../store/routing-tables.ts'
import { vpcBlocks } from '../../store/vpc-cidr-store.ts'
import { requireBlock } from '../address-blocks.ts'
import { defineEc2Action, type ActionContext } from '../define-action.ts'
import { requireOwned } from '../owned-networks.ts'
import { requireTarget, targetMembers, type RouteTarget } from './route-targets.ts'

interface Destination {
  /** A block, or the id of a prefix list. */
  readonly key: string
  readonly prefixListId: string | null
  /** How many routes it counts as: a prefix list, as many as it may have entries. */
  readonly weight: number
  /** Whether it is one of the VPC's own blocks, whose route is always there. */
  readonly isLocal: boolean
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateRoute.html */
export const createRoute = defineEc2Action('CreateRoute', {
  honours: ['RouteTableId', 'DestinationCidrBlock', 'DestinationPrefixListId', ...targetMembers],
  run(ctx, input) {
    return ctx.transaction(async (tx) => {
      const table = await requireOwned(ctx, tx.db, 'routeTable', input.RouteTableId)
      const destination = await requireDestination(ctx, tx.db, table, input)
      const target = await requireTarget(ctx, tx.db, table, input)
      if (destination.isLocal) throw routeAlreadyExists(destination.key)
      if (target === 'local') throw notLocal(destination)
      if (await findRoute(tx.db, table, destination)) throw routeAlreadyExists(destination.key)
      await checkQuota(ctx, tx.db, table, destination)
      await tx.db
        .insertInto('route')
        .values({
          route_table_id: table.id,
          destination: destination.key,
          prefix_list_id: destination.prefixListId,
          target_kind: target.kind,
          target_id: target.id,
          created_at: ctx.nowMs,
        })
        .execute()
      tx.touch(table.id)
      await wakeVpc(tx, ctx.wakes, table.vpc_id)
      return { Return: true }
    })
  },
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReplaceRoute.html */
export const replaceRoute = defineEc2Action('ReplaceRoute', {
  honours: [
    ...(['RouteTableId', 'DestinationCidrBlock', 'DestinationPrefixListId', 'LocalTarget'] as const),
    ...targetMembers,
  ],
  run(ctx, input) {
    return ctx.transaction(async (tx) => {
      const table = await requireOwned(ctx, tx.db, 'routeTable', input.RouteTableId)
      const destination = await requireDestination(ctx, tx.db, table, input)
      const target = await requireTarget(ctx, tx.db, table, input)
      if (destination.isLocal && target === 'local') return {}
      if (destination.isLocal) throw moreSpecificThanLocal(destination.key)
      if (target === 'local') throw notLocal(destination)
      if (!(await findRoute(tx.db, table, destination)))
        throw invalidParameterValue(
          `There is no route defined for '${destination.key}' in the route table. Use CreateRoute instead.`,
        )
      await setTarget(tx, table, destination, target)
      tx.touch(table.id)
      await wakeVpc(tx, ctx.wakes, table.vpc_id)
      return {}
    })
  },
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteRoute.html */
export const deleteRoute = defineEc2Action('DeleteRoute', {
  honours: ['RouteTableId', 'DestinationCidrBlock', 'DestinationPrefixListId'],
  run(ctx, input) {
    return ctx.transaction(async (tx) => {
      const table = await requireOwned(ctx, tx.db, 'routeTable', input.RouteTableId)
      const key = keyOf(input)
      if ((await localBlocks(tx.db, table)).includes(key))
        throw invalidParameterValue(`cannot remove local route ${key} in route table ${table.id}`)
      const { numDeletedRows } = await tx.db
        .deleteFrom('route')
        .where('route_table_id', '=', table.id)
        .where('destination', '=', key)
        .executeTakeFirstOrThrow()
      if (Number(numDeletedRows) === 0) throw invalidRouteNotFound(key, table.id)
      tx.touch(table.id)
      await wakeVpc(tx, ctx.wakes, table.vpc_id)
      return {}
    })
  },
})

interface DestinationInput {
  DestinationCidrBlock?: string | undefined
  DestinationPrefixListId?: string | undefined
}

/** What the route's row is found by. */
function keyOf({ DestinationCidrBlock: cidr, DestinationPrefixListId: list }: DestinationInput): string {
  if (cidr !== undefined && list !== undefined)
    throw invalidParameterCombination(
      'The request must contain exactly one of destinationCidrBlock or destinationPrefixListId',
    )
  if (cidr === undefined && list === undefined) throw missingParameter('DestinationCidrBlock')
  return cidr === undefined ? list! : formatCidr(requireBlock(cidr, 'destinationCidrBlock'))
}

async function localBlocks(db: Reader, table: RouteTableTable): Promise<string[]> {
  return (await vpcBlocks(db, table.vpc_id)).map(formatCidr)
}

/** Where metadata, names and time are served on every subnet: no route leads those away. */
const linkLocal = parseCidr('169.254.0.0/16')!

async function requireDestination(
  ctx: ActionContext,
  db: Reader,
  table: RouteTableTable,
  input: DestinationInput,
): Promise<Destination> {
  const key = keyOf(input)
  if (input.DestinationPrefixListId !== undefined) {
    const list = await requireOwned(ctx, db, 'prefixList', input.DestinationPrefixListId)
    return { key: list.id, prefixListId: list.id, weight: list.max_entries, isLocal: false }
  }
  const block = parseCidr(key)!
  const own = await vpcBlocks(db, table.vpc_id)
  const isLocal = own.some((other) => formatCidr(other) === key)
  if (!isLocal && own.some((other) => blockWithin(other, block))) throw moreSpecificThanLocal(key)
  if (blocksOverlap(linkLocal, block) && block.prefixLength >= linkLocal.prefixLength)
    throw invalidParameterValue(`The destination CIDR block ${key} is reserved.`)
  return { key, prefixListId: null, weight: 1, isLocal }
}

/**
 * What a VPC has of its own goes to where it is: AWS lets routes in between pass an appliance, which this cloud does
 * not.
 */
function moreSpecificThanLocal(key: string) {
  return invalidParameterValue(
    `The destination CIDR block ${key} is equal to or more specific than one of this VPC's CIDR blocks. This cloud routes nothing within a VPC by another way.`,
  )
}

function notLocal({ key }: Destination) {
  return invalidParameterValue(
    `The local target is for the VPC's own CIDR blocks, and ${key} is none of them.`,
  )
}

function findRoute(db: Reader, table: RouteTableTable, destination: Destination) {
  return db
    .selectFrom('route')
    .select('destination')
    .where('route_table_id', '=', table.id)
    .where('destination', '=', destination.key)
    .executeTakeFirst()
}

async function setTarget(
  tx: Tx,
  table: RouteTableTable,
  destination: Destination,
  target: RouteTarget,
): Promise<void> {
  await tx.db
    .updateTable('route')
    .set({ target_kind: target.kind, target_id: target.id })
    .where('route_table_id', '=', table.id)
    .where('destination', '=', destination.key)
    .execute()
}

async function checkQuota(
  ctx: ActionContext,
  db: Reader,
  table: RouteTableTable,
  added: Destination,
): Promise<void> {
  const rows = await db
    .selectFrom('route')
    .leftJoin('prefix_list', 'prefix_list.id', 'route.prefix_list_id')
    .select('prefix_list.max_entries')
    .where('route.route_table_id', '=', table.id)
    .execute()
  const used = rows.reduce((sum, row) => sum + (row.max_entries ?? 1), added.weight)
  await requireQuota(db, ctx.caller, 'routes-per-table', 0, () => routeLimitExceeded(table.id), used)
}
