import { minuteMs } from '@mallee/base'
import { currentDomain, getInstance } from '../store/instance-store.ts'
import type { Tx } from '../store/record.ts'
import { transitionSnapshot } from '../store/snapshot-store.ts'
import type { ImageTable, SnapshotTable } from '../store/tables.ts'
import { transitionImage } from '../store/transition.ts'
import type { ReconcilerContext } from './reconciler-context.ts'

/** A guest that has its grace and is then ended is down by far sooner, unless its node is away. */
const shutdownMs = 30 * minuteMs
/** A moment is fixed within milliseconds, unless the storage controller is away. */
const freezeMs = 5 * minuteMs

/**
 * Leads a pending image of snapshots on: its instance is shut down (by its own reconciler, which asks whether there is
 * such an image) until every volume's moment is fixed; when every snapshot is whole, so is the image.
 */
export async function reconcileSnapshotImage(
  ctx: ReconcilerContext,
  tx: Tx,
  image: ImageTable,
): Promise<void> {
  if (image.state !== 'pending') return
  const snapshots = await tx.db
    .selectFrom('image_block_device')
    .innerJoin('snapshot', 'snapshot.id', 'image_block_device.snapshot_id')
    .selectAll('snapshot')
    .where('image_block_device.image_id', '=', image.id)
    .execute()
  const broken = snapshots.find(({ state }) => state === 'error' || state === 'deleted')
  if (broken) {
    const why = broken.state_message ?? 'It was deleted.'
    return fail(ctx, tx, { image, snapshots, reason: `The snapshot ${broken.id} failed: ${why}` })
  }
  switch (image.create_phase) {
    case 'shutdown':
      return awaitShutdown(ctx, tx, image, snapshots)
    case 'freeze':
      if (snapshots.every(({ taken }) => taken === 1)) return move(ctx, tx, image, 'upload')
      // The guest waits for it.
      if (ctx.clock.now() - image.created_at > shutdownMs + freezeMs)
        await fail(ctx, tx, { image, snapshots, reason: 'The volumes could not be frozen.' })
      return
    case 'upload':
    case null:
      if (!snapshots.every(({ state }) => state === 'completed')) return
      await transitionImage(tx, image, 'inspected', { nowMs: ctx.clock.now() })
      return move(ctx, tx, image, null)
  }
}

async function awaitShutdown(
  ctx: ReconcilerContext,
  tx: Tx,
  image: ImageTable,
  snapshots: readonly SnapshotTable[],
): Promise<void> {
  const instance = await getInstance(tx.db, image.source_instance_id ?? '')
  const domain = instance && (await currentDomain(tx.db, instance))
  const isDown =
    instance?.state === 'stopped' || (domain?.intent === 'release' && domain.observed_state === 'gone')
  if (isDown) {
    await move(ctx, tx, image, 'freeze')
    for (const { id } of snapshots) tx.afterCommit(() => ctx.wakes.snapshot(id))
    return
  }
  if (!instance || instance.state === 'shutting-down' || instance.state === 'terminated')
    return fail(ctx, tx, { image, snapshots, reason: 'The instance was terminated.' })
  if (ctx.clock.now() - image.created_at > shutdownMs)
    return fail(ctx, tx, { image, snapshots, reason: 'The instance could not be shut down.' })
  tx.afterCommit(() => ctx.wakes.instance(instance.id))
}

async function move(
  ctx: ReconcilerContext,
  tx: Tx,
  image: ImageTable,
  phase: ImageTable['create_phase'],
): Promise<void> {
  await tx.db.updateTable('image').set({ create_phase: phase }).where('id', '=', image.id).execute()
  tx.afterCommit(() => {
    if (phase !== null) ctx.wakes.image(image.id)
    if (image.source_instance_id !== null) ctx.wakes.instance(image.source_instance_id)
  })
}

/** Nothing of it stays: its snapshots were made for it alone. */
async function fail(
  ctx: ReconcilerContext,
  tx: Tx,
  end: { image: ImageTable; snapshots: readonly SnapshotTable[]; reason: string },
): Promise<void> {
  const nowMs = ctx.clock.now()
  await transitionImage(tx, end.image, 'refused', { nowMs, reason: end.reason })
  for (const snapshot of end.snapshots) {
    await transitionSnapshot(tx, snapshot, 'deleteAsked', { nowMs })
    tx.afterCommit(() => ctx.wakes.snapshot(snapshot.id))
  }
  await move(ctx, tx, end.image, null)
}
