import { GiB, minuteMs } from '@mallee/base'
import type { DiskImportItem } from '@mallee/agent-contract'
import type { PassResult, Reconciler } from '@mallee/workflow'
import { listAgents } from '../store/agent-store.ts'
import { dropDesired, putDesired } from '../store/desired-store.ts'
import {
  getDiskImport,
  importMs,
  moveDiskImport,
  openImportPhases,
  type DiskImportTable,
} from '../store/disk-import-store.ts'
import type { Tx } from '../store/record.ts'
import { endDiskImport } from '../store/end-disk-import.ts'
import { dropSnapshot, getSnapshot } from '../store/snapshot-store.ts'
import type { SnapshotTable } from '../store/tables.ts'
import { getVolume } from '../store/volume-store.ts'
import { causeOf } from './domain-item.ts'
import type { ReconcilerContext } from './reconciler-context.ts'

const settled: PassResult = { settled: true }

/**
 * Leads an import on: walrus cuts the disk into blocks as a client would write them, the snapshot is sealed and gathered
 * as any that a client writes, and of that, for ImportVolume, its volume is made, after which the snapshot goes.
 */
export function diskImportsReconciler(ctx: ReconcilerContext): Reconciler {
  return {
    name: 'disk-imports',
    everyMs: minuteMs,
    list: () =>
      ctx.record.read(async (db) => {
        const open = db.selectFrom('disk_import').select('id').where('phase', 'in', openImportPhases)
        return (await open.execute()).map((row) => row.id)
      }),
    reconcile: (id) =>
      ctx.record.transaction('reconcile', async (tx) => {
        const task = await getDiskImport(tx.db, id)
        const whole = task?.instance_import_id
        if (whole) tx.afterCommit(() => ctx.wakes.instanceImport(whole))
        if (task?.phase === 'ending') return end(ctx, tx, task)
        if (task?.phase === 'converting') return convert(ctx, tx, task)
        if (task?.phase === 'gathering') return gather(ctx, tx, task)
        return settled
      }),
  }
}

async function convert(ctx: ReconcilerContext, tx: Tx, task: DiskImportTable): Promise<PassResult> {
  const snapshot = await getSnapshot(tx.db, task.snapshot_id)
  const volume = task.volume_id === null ? null : await getVolume(tx.db, task.volume_id)
  if (!snapshot || snapshot.state !== 'pending' || (volume !== null && volume?.state !== 'creating')) {
    const message = snapshot?.state_message ?? 'What it was to fill was deleted.'
    return giveUp(ctx, tx, task, message)
  }
  if (task.observed_state === 'failed')
    return giveUp(ctx, tx, task, task.observed_message ?? 'The disk cannot be used.')
  if (task.observed_state === 'staged') return seal(ctx, tx, task, snapshot)
  if (ctx.clock.now() > task.created_at + importMs)
    return giveUp(ctx, tx, task, 'The disk did not arrive in time.')
  // One that was forgotten cuts nothing any more.
  const present = (await walruses(tx)).map(({ id }) => id)
  const walrusId = present.find((id) => id === task.walrus_id) ?? present[0]
  if (walrusId === undefined) return settled // the next scan looks again
  if (walrusId !== task.walrus_id) await moveDiskImport(tx, task.id, { walrus_id: walrusId })
  await putItem(ctx, tx, { ...task, walrus_id: walrusId }, false)
  return settled
}

/** The disk's size is known only now. */
async function seal(
  ctx: ReconcilerContext,
  tx: Tx,
  task: DiskImportTable,
  snapshot: SnapshotTable,
): Promise<PassResult> {
  const sizeGiB = Math.max(1, Math.ceil((task.disk_bytes ?? 0) / GiB))
  const volume = task.volume_id === null ? null : await getVolume(tx.db, task.volume_id)
  if (volume && volume.size_gib < sizeGiB)
    return giveUp(ctx, tx, task, `The disk has ${sizeGiB} GiB, and the volume ${volume.size_gib} GiB.`)
  await tx.db
    .updateTable('snapshot')
    .set({ size_gib: sizeGiB, staging: 'sealed', written_count: task.blocks ?? 0 })
    .where('id', '=', snapshot.id)
    .execute()
  await moveDiskImport(tx, task.id, { phase: 'gathering' })
  // What it wrote is the snapshot's now, and goes with what a client would have written.
  await dropDesired(tx, ctx.wakes, task.walrus_id!, 'disk-import', task.id)
  tx.afterCommit(() => ctx.wakes.snapshot(snapshot.id))
  return settled
}

async function gather(ctx: ReconcilerContext, tx: Tx, task: DiskImportTable): Promise<PassResult> {
  const snapshot = await getSnapshot(tx.db, task.snapshot_id)
  const isLost = snapshot?.state === 'deleted' && (task.volume_id === null || snapshot.index_object === null)
  if (!snapshot || snapshot.state === 'error' || isLost)
    return giveUp(ctx, tx, task, snapshot?.state_message ?? 'Its snapshot was deleted.')
  if (snapshot.state === 'pending') return settled
  if (task.volume_id === null) {
    await moveDiskImport(tx, task.id, { phase: 'completed' })
    return settled
  }
  const volume = await getVolume(tx.db, task.volume_id)
  if (!volume || volume.state === 'error' || volume.state === 'deleting')
    return giveUp(ctx, tx, task, volume?.state_reason ?? 'Its volume was deleted.')
  if (volume.state === 'creating') {
    tx.afterCommit(() => ctx.wakes.volume(volume.id))
    return settled
  }
  await moveDiskImport(tx, task.id, { phase: 'completed' })
  await dropSnapshot(tx, ctx.wakes, snapshot, ctx.clock.now()) // it stays while the volume is being filled from it
  return settled
}

async function giveUp(
  ctx: ReconcilerContext,
  tx: Tx,
  task: DiskImportTable,
  message: string,
): Promise<PassResult> {
  await endDiskImport(tx, ctx.wakes, task, { nowMs: ctx.clock.now(), message })
  return settled
}

async function end(ctx: ReconcilerContext, tx: Tx, task: DiskImportTable): Promise<PassResult> {
  const { walrus_id: walrusId } = task
  const walrus = walrusId === null ? undefined : (await walruses(tx)).find(({ id }) => id === walrusId)
  if (walrus && task.observed_state !== 'gone') {
    await putItem(ctx, tx, task, true)
    return settled
  }
  if (walrus) await dropDesired(tx, ctx.wakes, walrus.id, 'disk-import', task.id)
  await moveDiskImport(tx, task.id, { phase: task.message === null ? 'cancelled' : 'failed' })
  return settled
}

async function putItem(
  ctx: ReconcilerContext,
  tx: Tx,
  task: DiskImportTable,
  remove: boolean,
): Promise<void> {
  const body: DiskImportItem = {
    snapshotId: task.snapshot_id,
    accountId: task.account_id,
    format: task.format,
    bucket: task.bucket,
    key: task.object_key,
    inParts: task.in_parts === 1,
    mostBytes: ctx.settings.maxImageGiB * GiB,
    remove,
    ...causeOf(task),
  }
  await putDesired(tx, ctx.wakes, { agentId: task.walrus_id!, kind: 'disk-import', id: task.id, body })
}

const walruses = async (tx: Tx) =>
  (await listAgents(tx.db, 'walrus')).filter((agent) => agent.state !== 'forgotten')
