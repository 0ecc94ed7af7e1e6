import { assert, newId, type Random } from '@mallee/base'
import {
  attachmentLifecycle,
  volumeLifecycle,
  type AttachmentEvent,
  type VolumeEvent,
} from '@mallee/lifecycles'
import type { Wakes } from '../wakes.ts'
import { recordTransition } from './event-store.ts'
import type { Reader, Tx } from './record.ts'
import { changeUsage, closeUsage, dropUsage } from './usage-store.ts'
import type {
  VolumeAttachmentTable,
  VolumeExportTable,
  VolumeModificationTable,
  VolumeTable,
} from './tables.ts'

export function getVolume(db: Reader, id: string): Promise<VolumeTable | undefined> {
  return db.selectFrom('volume').selectAll().where('id', '=', id).executeTakeFirst()
}

export function getAttachment(db: Reader, id: string): Promise<VolumeAttachmentTable | undefined> {
  return db.selectFrom('volume_attachment').selectAll().where('id', '=', id).executeTakeFirst()
}

export function attachmentOfVolume(db: Reader, volumeId: string): Promise<VolumeAttachmentTable | undefined> {
  return db.selectFrom('volume_attachment').selectAll().where('volume_id', '=', volumeId).executeTakeFirst()
}

/** What an instance has, the root first and then by device. */
export async function attachmentsOfInstance(
  db: Reader,
  instanceId: string,
): Promise<VolumeAttachmentTable[]> {
  return db
    .selectFrom('volume_attachment')
    .selectAll()
    .where('instance_id', '=', instanceId)
    .orderBy('is_root', 'desc')
    .orderBy('device')
    .execute()
}

export function exportsOfAttachment(db: Reader, attachmentId: string): Promise<VolumeExportTable[]> {
  return db
    .selectFrom('volume_export')
    .selectAll()
    .where('attachment_id', '=', attachmentId)
    .orderBy('created_at')
    .orderBy('id')
    .execute()
}

/**
 * By which an instance reaches its volumes: those that were ready once and are not withdrawn. One that is being made anew
 * (its volume grew, its target daemon died) is waited for by who has it, and is no reason to take a disk from a guest.
 */
export async function reachedExports(
  db: Reader,
  instanceId: string,
): Promise<Map<string, VolumeExportTable>> {
  const rows = await liveExports(db, instanceId)
  return new Map(rows.filter((row) => row.portal !== null).map((row) => [row.attachment_id, row]))
}

/** By which an instance reaches its volumes now: those that are ready and not withdrawn. */
export async function readyExports(db: Reader, instanceId: string): Promise<Map<string, VolumeExportTable>> {
  const rows = await liveExports(db, instanceId)
  return new Map(rows.filter((row) => row.observed_state === 'ready').map((row) => [row.attachment_id, row]))
}

function liveExports(db: Reader, instanceId: string): Promise<VolumeExportTable[]> {
  return db
    .selectFrom('volume_export')
    .innerJoin('volume_attachment', 'volume_attachment.id', 'volume_export.attachment_id')
    .selectAll('volume_export')
    .where('volume_attachment.instance_id', '=', instanceId)
    .where('volume_export.withdrawn', '=', 0)
    .execute()
}

/** The row of a volume that an instance is to have; its reconciler does the rest. */
export async function insertAttachment(
  tx: Tx,
  ctx: { readonly random: Random; readonly nowMs: number; readonly wakes: Wakes },
  wish: {
    readonly volume: VolumeTable
    readonly instanceId: string
    readonly device: string
    readonly isRoot: boolean
    readonly deleteOnTermination: boolean
  },
): Promise<VolumeAttachmentTable> {
  const row: VolumeAttachmentTable = {
    id: newId('volumeAttachment', ctx.random),
    account_id: wish.volume.account_id,
    volume_id: wish.volume.id,
    instance_id: wish.instanceId,
    device: wish.device,
    is_root: wish.isRoot ? 1 : 0,
    delete_on_termination: wish.deleteOnTermination ? 1 : 0,
    state: 'attaching',
    forced: 0,
    attached_at: ctx.nowMs,
    exports: 0,
    message: null,
  }
  await tx.db.insertInto('volume_attachment').values(row).execute()
  tx.afterCommit(() => ctx.wakes.attachment(row.id))
  return row
}

interface TransitionOptions {
  readonly nowMs: number
  readonly reason?: string | null
  readonly requestId?: string
}

export async function transitionVolume(
  tx: Tx,
  volume: VolumeTable,
  event: VolumeEvent,
  options: TransitionOptions,
): Promise<VolumeTable> {
  const state = volumeLifecycle.next(volume.state, event)
  assert(state !== null, `volume ${volume.id} is ${volume.state} and cannot take ${event}`)
  if (state === volume.state) return volume
  const changes = {
    state,
    state_changed_at: options.nowMs,
    state_reason: options.reason === undefined ? volume.state_reason : options.reason,
    request_id: options.requestId ?? volume.request_id,
  }
  const result = await tx.db
    .updateTable('volume')
    .set(changes)
    .where('id', '=', volume.id)
    .where('state', '=', volume.state)
    .executeTakeFirst()
  assert(result.numUpdatedRows === 1n, `volume ${volume.id} moved under a transaction`)
  if (volume.state === 'creating' && state === 'error') await dropUsage(tx, volume.id)
  else if (!volumeIsUsed(state)) await closeUsage(tx, volume.id, options.nowMs)
  await recordTransition(tx, {
    nowMs: options.nowMs,
    accountId: volume.account_id,
    event,
    requestId: changes.request_id,
    resourceId: volume.id,
    from: volume.state,
    to: state,
    reason: options.reason ?? null,
  })
  return { ...volume, ...changes }
}

const volumeIsUsed = (state: VolumeTable['state']): boolean =>
  state === 'creating' || state === 'available' || state === 'in-use'

export async function transitionAttachment(
  tx: Tx,
  attachment: VolumeAttachmentTable,
  event: AttachmentEvent,
  options: TransitionOptions & { forced?: boolean },
): Promise<VolumeAttachmentTable> {
  const state = attachmentLifecycle.next(attachment.state, event)
  assert(state !== null, `attachment ${attachment.id} is ${attachment.state} and cannot take ${event}`)
  const changes = {
    state,
    message: options.reason === undefined ? attachment.message : options.reason,
    forced: options.forced ? (1 as const) : attachment.forced,
    // What its owner takes away is not to go with the instance any more.
    delete_on_termination: event === 'detachAsked' ? (0 as const) : attachment.delete_on_termination,
  }
  await tx.db.updateTable('volume_attachment').set(changes).where('id', '=', attachment.id).execute()
  if (state !== attachment.state) {
    await recordTransition(tx, {
      nowMs: options.nowMs,
      accountId: attachment.account_id,
      event,
      requestId: options.requestId ?? null,
      resourceId: attachment.volume_id,
      from: attachment.state,
      to: state,
      reason: options.reason ?? null,
    })
  }
  return { ...attachment, ...changes }
}

/** The last that was asked for of a volume, done or not. */
export function getModification(db: Reader, volumeId: string): Promise<VolumeModificationTable | undefined> {
  return db.selectFrom('volume_modification').selectAll().where('volume_id', '=', volumeId).executeTakeFirst()
}

/** In place of the last one, which must be done. */
export async function beginModification(tx: Tx, row: VolumeModificationTable): Promise<void> {
  const { volume_id: volumeId, target_size, target_type, target_iops, target_throughput } = row
  await tx.db.deleteFrom('volume_modification').where('volume_id', '=', volumeId).execute()
  await tx.db.insertInto('volume_modification').values(row).execute()
  await tx.db
    .updateTable('volume')
    .set({
      ...{ size_gib: target_size, type: target_type },
      ...{ iops: target_iops, throughput: target_throughput },
    })
    .where('id', '=', volumeId)
    .execute()
  const usage = { variety: target_type, quantity: target_size, nowMs: row.started_at }
  await changeUsage(tx, volumeId, usage)
}

export async function completeModification(tx: Tx, volumeId: string, nowMs: number): Promise<void> {
  const changes: Partial<VolumeModificationTable> = { state: 'completed', ended_at: nowMs }
  await tx.db.updateTable('volume_modification').set(changes).where('volume_id', '=', volumeId).execute()
}
