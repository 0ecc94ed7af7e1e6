import { GiB } from '@mallee/base'
import type { AttachedFacts, SnapshotIndex, VolumeItem } from '@mallee/agent-contract'
import type { PassResult, Reconciler } from '@mallee/workflow'
import { isForgotten } from '../store/agent-store.ts'
import { sealedSnapshotKey } from '../store/ebs-encryption-store.ts'
import { wakeImportOf } from '../store/disk-import-store.ts'
import { dropDesired, putDesired } from '../store/desired-store.ts'
import { currentDomain, getInstance } from '../store/instance-store.ts'
import type { Reader, Tx } from '../store/record.ts'
import { getSnapshot } from '../store/snapshot-store.ts'
import { deleteTagsOf } from '../store/tag-store.ts'
import type { VolumeAttachmentTable, VolumeTable } from '../store/tables.ts'
import {
  attachmentOfVolume,
  completeModification,
  getModification,
  getVolume,
  transitionVolume,
} from '../store/volume-store.ts'
import { causeOf } from './domain-item.ts'
import type { ReconcilerContext } from './reconciler-context.ts'

/** Turns volume rows into items of their storage controllers, and what those observed into volume states. */
export function volumesReconciler(ctx: ReconcilerContext): Reconciler {
  return {
    name: 'volumes',
    everyMs: 60_000,
    list: () =>
      ctx.record.read(async (db) =>
        (await db.selectFrom('volume').select('id').execute()).map((row) => row.id),
      ),
    reconcile: (id) =>
      ctx.record.transaction('reconcile', async (tx): Promise<PassResult> => {
        const volume = await getVolume(tx.db, id)
        if (!volume) return { settled: true }
        await reconcileVolume(ctx, tx, volume)
        return { settled: true }
      }),
  }
}

async function reconcileVolume(ctx: ReconcilerContext, tx: Tx, volume: VolumeTable): Promise<void> {
  const nowMs = ctx.clock.now()
  if (volume.state === 'deleting' || volume.state === 'deleted') {
    await wakeImportOf(tx, ctx.wakes, volume.id)
    return remove(ctx, tx, volume)
  }
  if (volume.state === 'error') return drop(ctx, tx, volume)
  const forgotten = await isForgotten(tx.db, volume.storage_id)
  if (volume.state === 'available' && (volume.observed_state === 'failed' || forgotten)) {
    const reason = forgotten
      ? 'Its storage controller was lost.'
      : (volume.observed_message ?? 'The volume is lost.')
    await transitionVolume(tx, volume, 'lost', { nowMs, reason })
    return
  }
  if (volume.state === 'creating') {
    const attachment = await attachmentOfVolume(tx.db, volume.id)
    if (volume.observed_state === 'failed') {
      const reason = volume.observed_message ?? 'The volume could not be created.'
      await transitionVolume(tx, volume, 'createFailed', { nowMs, reason })
    } else if (volume.observed_state === 'available') {
      await transitionVolume(tx, volume, attachment ? 'madeForInstance' : 'created', { nowMs })
    }
    if (volume.observed_state === 'failed' || volume.observed_state === 'available') {
      tx.afterCommit(() => ctx.wakes.volume(volume.id))
      await wakeImportOf(tx, ctx.wakes, volume.id)
      if (attachment) {
        tx.afterCommit(() => ctx.wakes.attachment(attachment.id))
        tx.afterCommit(() => ctx.wakes.instance(attachment.instance_id))
      }
      return
    }
  }
  if (forgotten || (await isAwaited(tx.db, volume))) return
  const body = await volumeItem(tx.db, volume, false)
  await putDesired(tx, ctx.wakes, { agentId: volume.storage_id, kind: 'volume', id: volume.id, body })
  await followGrowth(ctx, tx, volume)
}

/**
 * Made of a snapshot that is not whole yet, as an import's is, it begins when that is; one whose snapshot never will be is
 * ended with its import, and is never made of nothing.
 */
async function isAwaited(db: Reader, { state, snapshot_id: id }: VolumeTable): Promise<boolean> {
  return state === 'creating' && id !== null && (await getSnapshot(db, id))?.index_object === null
}

export async function volumeItem(db: Reader, volume: VolumeTable, remove: boolean): Promise<VolumeItem> {
  const snapshot = volume.snapshot_id === null ? undefined : await getSnapshot(db, volume.snapshot_id)
  const index = snapshot?.index_object == null ? null : (JSON.parse(snapshot.index_object) as SnapshotIndex)
  // Encrypted snapshots are never shared: the key is the volume's own account's.
  const isEncrypted = snapshot !== undefined && snapshot.kms_key_id !== null
  const snapshotKey = isEncrypted ? await sealedSnapshotKey(db, snapshot.account_id) : undefined
  return {
    volumeId: volume.id,
    accountId: volume.account_id,
    sizeBytes: volume.size_gib * GiB,
    source:
      index === null ? null : { snapshotId: snapshot!.id, index, ...(snapshotKey ? { snapshotKey } : {}) },
    remove,
    ...(volume.sealed_key === null ? {} : { dataKey: volume.sealed_key }),
    ...causeOf(volume),
  }
}

/** Only when no target of it is left: a volume that somebody could still reach is not deleted. */
async function remove(ctx: ReconcilerContext, tx: Tx, volume: VolumeTable): Promise<void> {
  const used = await tx.db
    .selectFrom('volume_export')
    .select('id')
    .where('volume_id', '=', volume.id)
    .executeTakeFirst()
  if (used || (await isBeingTaken(tx.db, volume.id))) return
  if (volume.observed_state !== 'gone' && !(await isForgotten(tx.db, volume.storage_id))) {
    const body = await volumeItem(tx.db, volume, true)
    await putDesired(tx, ctx.wakes, { agentId: volume.storage_id, kind: 'volume', id: volume.id, body })
    return
  }
  await drop(ctx, tx, volume)
  await transitionVolume(tx, volume, 'removed', { nowMs: ctx.clock.now() })
  await deleteTagsOf(tx, volume.id)
  await tx.db.deleteFrom('volume_modification').where('volume_id', '=', volume.id).execute()
  await tx.db.deleteFrom('volume').where('id', '=', volume.id).execute()
  if (volume.snapshot_id !== null) {
    const snapshotId = volume.snapshot_id
    tx.afterCommit(() => ctx.wakes.snapshot(snapshotId))
  }
}

/** A snapshot of it was acknowledged, and its moment is not fixed yet. */
async function isBeingTaken(db: Reader, volumeId: string): Promise<boolean> {
  const row = await db
    .selectFrom('snapshot')
    .select('id')
    .where('volume_id', '=', volumeId)
    .where('state', '=', 'pending')
    .where('taken', '=', 0)
    .where('present', '=', 1)
    .where('source_index', 'is', null)
    .executeTakeFirst()
  return row !== undefined
}

async function drop(ctx: ReconcilerContext, tx: Tx, volume: VolumeTable): Promise<void> {
  if (await isForgotten(tx.db, volume.storage_id)) return
  await dropDesired(tx, ctx.wakes, volume.storage_id, 'volume', volume.id)
}

/** A growth is complete when the storage controller has grown the volume, and the guest that has it was told. */
async function followGrowth(ctx: ReconcilerContext, tx: Tx, volume: VolumeTable): Promise<void> {
  const modification = await getModification(tx.db, volume.id)
  if (modification?.state !== 'modifying') return
  const wanted = modification.target_size * GiB
  if ((volume.observed_size_bytes ?? 0) < wanted) return
  const attachment = await attachmentOfVolume(tx.db, volume.id)
  if (attachment && !(await guestKnows(tx.db, attachment, wanted))) {
    tx.afterCommit(() => ctx.wakes.instance(attachment.instance_id)) // its item is to say how large it is now
    return
  }
  await completeModification(tx, volume.id, ctx.clock.now())
}

async function guestKnows(
  db: Reader,
  attachment: VolumeAttachmentTable,
  sizeBytes: number,
): Promise<boolean> {
  const instance = await getInstance(db, attachment.instance_id)
  const domain = instance && (await currentDomain(db, instance))
  if (domain?.observed_state !== 'running') return true
  const all = JSON.parse(domain.volumes ?? '[]') as AttachedFacts[]
  const facts = all.find(({ attachmentId }) => attachmentId.startsWith(`${attachment.id}.`))
  return (facts?.sizeBytes ?? sizeBytes) >= sizeBytes
}
