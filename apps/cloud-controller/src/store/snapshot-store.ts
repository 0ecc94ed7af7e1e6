import { assert } from '@mallee/base'
import { snapshotLifecycle, type SnapshotEvent } from '@mallee/lifecycles'
import { recordTransition } from './event-store.ts'
import type { Wakes } from '../wakes.ts'
import type { Reader, Tx } from './record.ts'
import { closeUsage, dropUsage } from './usage-store.ts'
import type { SnapshotTable } from './tables.ts'

export function getSnapshot(db: Reader, id: string): Promise<SnapshotTable | undefined> {
  return db.selectFrom('snapshot').selectAll().where('id', '=', id).executeTakeFirst()
}

/** The snapshots that an account may use: its own, what is public, and what is shared with it; all where it is null. */
export function visibleSnapshots(db: Reader, viewer: string | null) {
  const present = db.selectFrom('snapshot').selectAll().where('state', '!=', 'deleted')
  if (viewer === null) return present
  return present.where((eb) =>
    eb.or([
      eb('account_id', '=', viewer),
      eb('is_public', '=', 1),
      eb(
        'id',
        'in',
        eb.selectFrom('snapshot_permission').select('snapshot_id').where('account_id', '=', viewer),
      ),
    ]),
  )
}

export async function readSnapshotPermissions(
  db: Reader,
  snapshotIds: readonly string[],
): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>()
  if (snapshotIds.length === 0) return found
  const rows = await db
    .selectFrom('snapshot_permission')
    .selectAll()
    .where('snapshot_id', 'in', snapshotIds)
    .orderBy('account_id')
    .execute()
  for (const row of rows) found.set(row.snapshot_id, [...(found.get(row.snapshot_id) ?? []), row.account_id])
  return found
}

export async function transitionSnapshot(
  tx: Tx,
  snapshot: SnapshotTable,
  event: SnapshotEvent,
  options: { nowMs: number; message?: string | null; requestId?: string },
): Promise<SnapshotTable> {
  const state = snapshotLifecycle.next(snapshot.state, event)
  assert(state !== null, `snapshot ${snapshot.id} is ${snapshot.state} and cannot take ${event}`)
  const changes = {
    state,
    state_message: options.message === undefined ? snapshot.state_message : options.message,
    completed_at:
      event === 'completed' && snapshot.state === 'pending' ? options.nowMs : snapshot.completed_at,
  }
  await tx.db.updateTable('snapshot').set(changes).where('id', '=', snapshot.id).execute()
  if (state !== snapshot.state) {
    if (state === 'deleted') await closeUsage(tx, snapshot.id, options.nowMs)
    else if (state !== 'completed') await dropUsage(tx, snapshot.id)
    await recordTransition(tx, {
      nowMs: options.nowMs,
      accountId: snapshot.account_id,
      event,
      requestId: options.requestId ?? snapshot.request_id,
      resourceId: snapshot.id,
      from: snapshot.state,
      to: state,
      reason: options.message ?? null,
    })
  }
  return { ...snapshot, ...changes }
}

/** Accounts that may make volumes of the snapshot; those that already may, may. */
export async function permitSnapshot(
  tx: Tx,
  snapshotId: string,
  accountIds: readonly string[],
): Promise<void> {
  if (accountIds.length === 0) return
  await tx.db
    .insertInto('snapshot_permission')
    .values(accountIds.map((account_id) => ({ snapshot_id: snapshotId, account_id })))
    .onConflict((conflict) => conflict.columns(['snapshot_id', 'account_id']).doNothing())
    .execute()
}

export async function forbidSnapshot(
  tx: Tx,
  snapshotId: string,
  accountIds: readonly string[],
): Promise<void> {
  if (accountIds.length === 0) return
  await tx.db
    .deleteFrom('snapshot_permission')
    .where('snapshot_id', '=', snapshotId)
    .where('account_id', 'in', accountIds)
    .execute()
}

/** Its storage controller was never told of it, or will not answer. */
export async function failWriting(
  tx: Tx,
  snapshot: SnapshotTable,
  nowMs: number,
  message: string,
): Promise<SnapshotTable> {
  await tx.db.updateTable('snapshot').set({ present: 0 }).where('id', '=', snapshot.id).execute()
  return transitionSnapshot(tx, { ...snapshot, present: 0 }, 'failed', { nowMs, message })
}

/** Not shown any more; what still reads it reads it to its end. */
export async function dropSnapshot(
  tx: Tx,
  wakes: Wakes,
  snapshot: SnapshotTable,
  nowMs: number,
): Promise<void> {
  if (snapshot.state !== 'deleted') await transitionSnapshot(tx, snapshot, 'deleteAsked', { nowMs })
  tx.afterCommit(() => wakes.snapshot(snapshot.id))
}
