import type { Wakes } from '../wakes.ts'
import { wakeVpc } from './network-reach.ts'
import type { QuotaName } from './quota-store.ts'
import type { Reader, Tx } from './record.ts'
import type { PrefixListEntryTable, PrefixListTable } from './routing-tables.ts'
import { deleteTagsOf } from './tag-store.ts'

export interface PrefixListEntry {
  readonly cidr: string
  readonly description: string | null
}

/** Versions that are kept of a list: with a further one the oldest goes (VPC quotas, "Versions per prefix list"). */
const keptVersions = 1000

export function listEntries(db: Reader, listId: string, version: number): Promise<PrefixListEntryTable[]> {
  return db
    .selectFrom('prefix_list_entry')
    .selectAll()
    .where('prefix_list_id', '=', listId)
    .where('version', '=', version)
    .orderBy('cidr')
    .execute()
}

/** Whether a version is among those that are kept. */
export function isKept(list: PrefixListTable, version: number): boolean {
  return (
    Number.isInteger(version) &&
    version > list.version - keptVersions &&
    version >= 1 &&
    version <= list.version
  )
}

export async function insertPrefixList(
  tx: Tx,
  list: PrefixListTable,
  entries: readonly PrefixListEntry[],
): Promise<void> {
  await tx.db.insertInto('prefix_list').values(list).execute()
  await insertEntries(tx, list, entries)
}

async function insertEntries(
  tx: Tx,
  list: Pick<PrefixListTable, 'id' | 'version'>,
  entries: readonly PrefixListEntry[],
): Promise<void> {
  // SQLite takes so many values in one statement, and no more.
  for (let from = 0; from < entries.length; from += 500) {
    const rows = entries
      .slice(from, from + 500)
      .map((entry) => ({ prefix_list_id: list.id, version: list.version, ...entry }))
    await tx.db.insertInto('prefix_list_entry').values(rows).execute()
  }
}

/** Makes these its entries, as a new version; resources that name the list go by the newest. */
export async function addVersion(
  tx: Tx,
  list: PrefixListTable,
  entries: readonly PrefixListEntry[],
): Promise<PrefixListTable> {
  const next = { ...list, version: list.version + 1 }
  await insertEntries(tx, next, entries)
  await tx.db
    .deleteFrom('prefix_list_entry')
    .where('prefix_list_id', '=', list.id)
    .where('version', '<=', next.version - keptVersions)
    .execute()
  return next
}

export async function updatePrefixList(tx: Tx, list: PrefixListTable): Promise<void> {
  const { id, account_id: _owner, created_at: _made, ...changes } = list
  await tx.db.updateTable('prefix_list').set(changes).where('id', '=', id).execute()
}

export async function deletePrefixList(tx: Tx, id: string): Promise<void> {
  await deleteTagsOf(tx, id)
  await tx.db.deleteFrom('prefix_list_entry').where('prefix_list_id', '=', id).execute()
  await tx.db.deleteFrom('prefix_list').where('id', '=', id).execute()
}

/** What names a list: a security group or a route table. */
export interface PrefixListUse {
  readonly resourceId: string
  readonly accountId: string
  readonly vpcId: string
}

export async function usesOf(db: Reader, listId: string): Promise<PrefixListUse[]> {
  const groups = await db
    .selectFrom('security_group_rule as rule')
    .innerJoin('security_group as group', 'group.id', 'rule.group_id')
    .select(['group.id as resourceId', 'group.account_id as accountId', 'group.vpc_id as vpcId'])
    .distinct()
    .where('rule.prefix_list_id', '=', listId)
    .execute()
  const tables = await db
    .selectFrom('route')
    .innerJoin('route_table as table', 'table.id', 'route.route_table_id')
    .select(['table.id as resourceId', 'table.account_id as accountId', 'table.vpc_id as vpcId'])
    .distinct()
    .where('route.prefix_list_id', '=', listId)
    .execute()
  return [...groups, ...tables]
}

/** Whom a change of a list concerns: the nodes of every VPC whose groups or routes name it. */
export async function wakeUsers(tx: Tx, wakes: Wakes, listId: string): Promise<void> {
  const vpcIds = new Set((await usesOf(tx.db, listId)).map((use) => use.vpcId))
  for (const vpcId of vpcIds) await wakeVpc(tx, wakes, vpcId)
}

/** Those of its users that would have more rules or routes than they may, if the list might have so many entries. */
export async function usersTooSmall(
  db: Reader,
  list: PrefixListTable,
  maxEntries: number,
  quota: (name: QuotaName) => Promise<number>,
): Promise<string[]> {
  const rules = await db
    .selectFrom('security_group_rule as rule')
    .leftJoin('prefix_list', 'prefix_list.id', 'rule.prefix_list_id')
    .select(['rule.group_id', 'rule.is_egress', 'rule.prefix_list_id', 'prefix_list.max_entries'])
    .where('rule.group_id', 'in', (eb) =>
      eb.selectFrom('security_group_rule').select('group_id').where('prefix_list_id', '=', list.id),
    )
    .execute()
  const routes = await db
    .selectFrom('route')
    .leftJoin('prefix_list', 'prefix_list.id', 'route.prefix_list_id')
    .select(['route.route_table_id', 'route.prefix_list_id', 'prefix_list.max_entries'])
    .where('route.route_table_id', 'in', (eb) =>
      eb.selectFrom('route').select('route_table_id').where('prefix_list_id', '=', list.id),
    )
    .execute()
  const [perGroup, perTable] = [await quota('rules-per-group'), await quota('routes-per-table')]
  type Row = { prefix_list_id: string | null; max_entries: number | null }
  const weight = (rows: readonly Row[]) =>
    rows.reduce((sum, row) => sum + (row.prefix_list_id === list.id ? maxEntries : (row.max_entries ?? 1)), 0)
  const names = (rows: readonly Row[]) => rows.some((row) => row.prefix_list_id === list.id)
  const sides = Map.groupBy(rules, (rule) => `${rule.group_id} ${rule.is_egress}`)
  const tables = Map.groupBy(routes, (route) => route.route_table_id)
  const small = [
    ...[...sides.values()]
      .filter((side) => names(side) && weight(side) > perGroup)
      .map(([rule]) => rule!.group_id),
    ...[...tables].filter(([, own]) => weight(own) > perTable).map(([id]) => id),
  ]
  return [...new Set(small)].toSorted()
}
