import { sql } from 'kysely'
import { getSetting, setSetting } from './setting-store.ts'
import type { Reader, Tx } from './record.ts'
import type { DomainTable, InstanceTable } from './tables.ts'

export async function getInstance(db: Reader, id: string): Promise<InstanceTable | undefined> {
  return db.selectFrom('instance').selectAll().where('id', '=', id).executeTakeFirst()
}

/**
 * The instances of these ids that the account owns, in the order of their launch; ids of others are as if they did not
 * exist. Null instead of an account: everyone's.
 */
export function listInstances(
  db: Reader,
  accountId: string | null,
  ids?: readonly string[],
): Promise<InstanceTable[]> {
  return db
    .selectFrom('instance')
    .selectAll()
    .$if(accountId !== null, (query) => query.where('account_id', '=', accountId!))
    .$if(ids !== undefined, (query) => query.where('id', 'in', ids!.length > 0 ? ids! : ['']))
    .orderBy('launched_at')
    .orderBy('id')
    .execute()
}

/** At most `limit` instances, from the one after (launch time, id) on: what a page costs does not grow with the account. */
export function listInstancesAfter(
  db: Reader,
  accountId: string | null,
  range: { after: { launchedAt: number; id: string } | null; limit: number },
): Promise<InstanceTable[]> {
  const { after, limit } = range
  return db
    .selectFrom('instance')
    .selectAll()
    .$if(accountId !== null, (query) => query.where('account_id', '=', accountId!))
    .$if(after !== null, (query) =>
      query.where(sql<boolean>`(launched_at, id) > (${after!.launchedAt}, ${after!.id})`),
    )
    .orderBy('launched_at')
    .orderBy('id')
    .limit(limit)
    .execute()
}

export function currentDomain(db: Reader, instance: InstanceTable): Promise<DomainTable | undefined> {
  return db
    .selectFrom('domain')
    .selectAll()
    .where('instance_id', '=', instance.id)
    .where('incarnation', '=', instance.incarnation)
    .executeTakeFirst()
}

/** Changes what the instance takes of which node: the scheduler's sums follow. */
export async function changeUse(
  tx: Tx,
  id: string,
  changes: Partial<Pick<InstanceTable, 'node_id' | 'instance_type' | 'vcpus' | 'memory_mib'>>,
): Promise<void> {
  await tx.db
    .updateTable('instance')
    .set({ ...changes, usage_revision: nextUsageRevision })
    .where('id', '=', id)
    .execute()
}

export async function updateInstance(
  tx: Tx,
  id: string,
  changes: Partial<Omit<InstanceTable, 'id' | 'state'>>,
): Promise<void> {
  await tx.db.updateTable('instance').set(changes).where('id', '=', id).execute()
}

export async function updateDomain(
  tx: Tx,
  id: string,
  changes: Partial<Omit<DomainTable, 'id'>>,
): Promise<void> {
  await tx.db.updateTable('domain').set(changes).where('id', '=', id).execute()
}

/** The setting that holds the highest usage revision of all instances that were deleted. */
const usageFloor = 'usage.floor'

/** For a row that begins or ceases to use its node: those who keep sums in memory read it again. */
export const nextUsageRevision = sql<number>`(select coalesce(max(r), 0) + 1 from (
  select max(usage_revision) as r from instance
  union all select cast(value as bigint) from setting where name = ${usageFloor}) as revisions)`

/** Before a row is deleted: the revision that it had is never given again, or nobody would read the row that gets it. */
export async function keepUsageFloor(tx: Tx, usageRevision: number): Promise<void> {
  const floor = Number((await getSetting(tx.db, usageFloor)) ?? 0)
  if (usageRevision > floor) await setSetting(tx, usageFloor, String(usageRevision))
}

export interface NodeUse {
  readonly vcpus: number
  readonly memoryMiB: number
  readonly diskGiB: number
  readonly instances: number
}

/** What the instances placed on each node hold: derived from their rows, never a ledger of its own. */
export async function useByNode(db: Reader): Promise<Map<string, NodeUse>> {
  const rows = await db
    .selectFrom('instance')
    .select((eb) => [
      'node_id',
      eb.fn.sum<number>('vcpus').as('vcpus'),
      eb.fn.sum<number>('memory_mib').as('memory'),
      eb.fn.sum<number>('disk_gib').as('disk'),
      eb.fn.countAll<number>().as('count'),
    ])
    .where('node_id', 'is not', null)
    .where('state', '!=', 'terminated')
    .groupBy('node_id')
    .execute()
  return new Map(
    rows.map((row) => [
      row.node_id!,
      {
        vcpus: Number(row.vcpus),
        memoryMiB: Number(row.memory),
        diskGiB: Number(row.disk),
        instances: Number(row.count),
      },
    ]),
  )
}
