import { GiB } from '@mallee/base'
import type { SnapshotIndex, SnapshotItem } from '@mallee/agent-contract'
import type { PassResult, Reconciler } from '@mallee/workflow'
import { isForgotten } from '../store/agent-store.ts'
import { sealedSnapshotKey } from '../store/ebs-encryption-store.ts'
import { wakeImportOf } from '../store/disk-import-store.ts'
import { dropDesired, putDesired } from '../store/desired-store.ts'
import type { Reader, Tx } from '../store/record.ts'
import { failWriting, getSnapshot, transitionSnapshot } from '../store/snapshot-store.ts'
import type { SnapshotTable } from '../store/tables.ts'
import { deleteTagsOf } from '../store/tag-store.ts'
import { causeOf } from './domain-item.ts'
import { expireWriting, moveStaging, offerBlocks } from './readable-snapshots.ts'
import type { ReconcilerContext } from './reconciler-context.ts'

/** Tells storage controllers which snapshots to take, keep and remove. */
export function snapshotsReconciler(ctx: ReconcilerContext): Reconciler {
  return {
    name: 'snapshots',
    everyMs: 60_000,
    list: () =>
      ctx.record.read(async (db) =>
        (await db.selectFrom('snapshot').select('id').execute()).map((row) => row.id),
      ),
    reconcile: (id) =>
      ctx.record.transaction('reconcile', async (tx): Promise<PassResult> => {
        const snapshot = await getSnapshot(tx.db, id)
        if (!snapshot) return { settled: true }
        await reconcileSnapshot(ctx, tx, snapshot)
        return { settled: true }
      }),
  }
}

async function reconcileSnapshot(ctx: ReconcilerContext, tx: Tx, given: SnapshotTable): Promise<void> {
  const snapshot = await moveStaging(tx, await transition(ctx, tx, given))
  if (snapshot.state !== 'pending') {
    await wakeSources(ctx, tx, snapshot)
    await wakeImportOf(tx, ctx.wakes, snapshot.id)
  }
  await offerBlocks(ctx, tx, snapshot)
  if (snapshot.state === 'deleted') return remove(ctx, tx, snapshot)
  const image = await imageOf(tx.db, snapshot.id)
  if (image && image.state === 'pending') tx.afterCommit(() => ctx.wakes.image(image.id))
  if (snapshot.present !== 1) return drop(ctx, tx, snapshot)
  // Not while blocks may still be written, and not while the instance that an image is made of still runs.
  const { staging, staging_observed: observed, state } = snapshot
  const isWritten = staging === null || state !== 'pending' || (staging === 'sealed' && observed === 'sealed')
  if (isWritten && image?.create_phase !== 'shutdown') await put(ctx, tx, snapshot, false)
}

/** What follows of what its storage controller has said, and of what nobody says any more. */
async function transition(ctx: ReconcilerContext, tx: Tx, snapshot: SnapshotTable): Promise<SnapshotTable> {
  const nowMs = ctx.clock.now()
  if (snapshot.state !== 'pending') return snapshot
  if (snapshot.index_object !== null)
    return transitionSnapshot(tx, snapshot, 'completed', { nowMs, message: null })
  if (snapshot.present === 0) {
    const message = snapshot.state_message ?? 'The snapshot could not be taken.'
    return transitionSnapshot(tx, snapshot, 'failed', { nowMs, message })
  }
  if (snapshot.staging !== null && (await isForgotten(tx.db, snapshot.storage_id)))
    return failWriting(tx, snapshot, nowMs, 'The storage controller of the snapshot is gone.')
  return expireWriting(ctx, tx, snapshot)
}

/** The pending image that the snapshot is taken for. */
function imageOf(db: Reader, snapshotId: string) {
  return db
    .selectFrom('image_block_device')
    .innerJoin('image', 'image.id', 'image_block_device.image_id')
    .select(['image.id', 'image.state', 'image.create_phase'])
    .where('image_block_device.snapshot_id', '=', snapshotId)
    .where('image.state', '=', 'pending')
    .executeTakeFirst()
}

/** Not while a volume is still being filled from it, or a copy made of it. */
async function remove(ctx: ReconcilerContext, tx: Tx, snapshot: SnapshotTable): Promise<void> {
  if (await isBeingRead(tx.db, snapshot)) return
  if (snapshot.present === 1 && !(await isForgotten(tx.db, snapshot.storage_id)))
    return put(ctx, tx, snapshot, true)
  await drop(ctx, tx, snapshot)
  if (snapshot.staging !== null && snapshot.staging !== 'gone') return // walrus says when what was written is gone
  await deleteTagsOf(tx, snapshot.id)
  await tx.db.deleteFrom('snapshot_permission').where('snapshot_id', '=', snapshot.id).execute()
  await tx.db.deleteFrom('snapshot').where('id', '=', snapshot.id).execute()
}

async function isBeingRead(db: Reader, snapshot: SnapshotTable): Promise<boolean> {
  const volume = await db
    .selectFrom('volume')
    .select('id')
    .where('snapshot_id', '=', snapshot.id)
    .where('state', 'not in', ['deleting', 'deleted', 'error'])
    .where((eb) => eb.or([eb('hydrated_percent', 'is', null), eb('hydrated_percent', '<', 100)]))
    .executeTakeFirst()
  if (volume || snapshot.index_object === null) return volume !== undefined
  const copy = await db
    .selectFrom('snapshot')
    .select('id')
    .where('state', '=', 'pending')
    .where((eb) =>
      eb.or([eb('source_index', '=', snapshot.index_object), eb('parent_index', '=', snapshot.index_object)]),
    )
    .executeTakeFirst()
  return copy !== undefined
}

/** A copy that is made, or never will be, holds what it was made of no longer; nor does one on top of another. */
async function wakeSources(ctx: ReconcilerContext, tx: Tx, snapshot: SnapshotTable): Promise<void> {
  const made = [snapshot.source_index, snapshot.parent_index].filter((index) => index !== null)
  if (made.length === 0) return
  const sources = await tx.db
    .selectFrom('snapshot')
    .select('id')
    .where('state', '=', 'deleted')
    .where('index_object', 'in', made)
    .execute()
  for (const { id } of sources) tx.afterCommit(() => ctx.wakes.snapshot(id))
}

async function put(ctx: ReconcilerContext, tx: Tx, snapshot: SnapshotTable, removal: boolean): Promise<void> {
  const source = snapshot.source_index
  const body: SnapshotItem = {
    snapshotId: snapshot.id,
    accountId: snapshot.account_id,
    volumeId: snapshot.volume_id,
    sizeBytes: snapshot.size_gib * GiB,
    remove: removal,
    ...(source === null ? {} : { copyOf: JSON.parse(source) as SnapshotIndex }),
    ...(snapshot.sealed_key === null ? {} : { dataKey: snapshot.sealed_key }),
    ...(snapshot.kms_key_id === null
      ? {}
      : { snapshotKey: await sealedSnapshotKey(tx.db, snapshot.account_id) }),
    ...written(snapshot),
    ...causeOf(snapshot),
  }
  if (await isForgotten(tx.db, snapshot.storage_id)) return
  await putDesired(tx, ctx.wakes, { agentId: snapshot.storage_id, kind: 'snapshot', id: snapshot.id, body })
}

/** As CompleteSnapshot has it; it stays so. */
function written(snapshot: SnapshotTable): Pick<SnapshotItem, 'written'> {
  const { written_count: changedBlocksCount, written_checksum: checksum, parent_index: parent } = snapshot
  if (changedBlocksCount === null) return {}
  return {
    written: {
      prefix: `direct/${snapshot.id}/`,
      parent: parent === null ? null : (JSON.parse(parent) as SnapshotIndex),
      changedBlocksCount,
      checksum,
    },
  }
}

async function drop(ctx: ReconcilerContext, tx: Tx, snapshot: SnapshotTable): Promise<void> {
  if (await isForgotten(tx.db, snapshot.storage_id)) return
  await dropDesired(tx, ctx.wakes, snapshot.storage_id, 'snapshot', snapshot.id)
}
