import { minuteMs } from '@mallee/base'
import { incorrectState, invalidConversionTaskId } from '@mallee/ec2-api'
import { importMs, listDiskImports, type DiskImportTable } from '../../store/disk-import-store.ts'
import { endDiskImport } from '../../store/end-disk-import.ts'
import type { SnapshotTable } from '../../store/tables.ts'
import type { ActionContext, ActionTransaction } from '../define-action.ts'
import { copyKeyColumns, resolveEncryption } from './encryption.ts'
import { checkVolumeType, chooseStorage, insertVolume } from './new-volume.ts'
import { insertSnapshot } from './snapshots.ts'

/** Until the disk's own is known. */
const provisionalGiB = 1

/** A snapshot whose blocks walrus writes, as a client of the EBS direct APIs would. */
export async function insertImportedSnapshot(
  ctx: ActionContext,
  tx: ActionTransaction,
  of: { readonly description: string; readonly zone: string | null; readonly isEncrypted: boolean },
): Promise<SnapshotTable> {
  const columns = await copyKeyColumns(ctx, tx, of.isEncrypted)
  const row = {
    volume_id: 'vol-ffffffff',
    storage_id: await chooseStorage(tx.db, of.zone, of.isEncrypted),
    size_gib: provisionalGiB,
    description: of.description,
    source_index: null,
    lineage: null,
    staging: 'open' as const,
    timeout_minutes: importMs / minuteMs,
    taken: 1 as const,
  }
  const snapshot = await insertSnapshot(ctx, tx, row, () => columns)
  // The first of its lineage: it is not to be compared with other disks.
  const { id } = snapshot
  await tx.db.updateTable('snapshot').set({ lineage: id }).where('id', '=', id).execute()
  return { ...snapshot, lineage: id }
}

export type NewImport = Pick<DiskImportTable, 'id' | 'snapshot_id' | 'format' | 'bucket' | 'description'> &
  Partial<
    Pick<
      DiskImportTable,
      | 'volume_id'
      | 'availability_zone'
      | 'object_key'
      | 'in_parts'
      | 'sealed_url'
      | 'source_bytes'
      | 'instance_import_id'
      | 'disk_index'
    >
  > & { readonly key: string }

export async function insertImport(
  ctx: ActionContext,
  tx: ActionTransaction,
  { key, ...of }: NewImport,
): Promise<void> {
  await tx.db
    .insertInto('disk_import')
    .values({
      account_id: ctx.caller.accountId,
      object_key: key,
      created_at: ctx.nowMs,
      request_id: ctx.requestId,
      trace_parent: ctx.traceparent,
      phase: 'converting',
      volume_id: null,
      availability_zone: null,
      in_parts: 0,
      sealed_url: null,
      source_bytes: null,
      message: null,
      cancel_reason: null,
      walrus_id: null,
      observed_state: null,
      observed_message: null,
      disk_bytes: null,
      blocks: null,
      progress: null,
      instance_import_id: null,
      disk_index: null,
      ...of,
    })
    .execute()
  tx.touch(of.id, of.snapshot_id)
  tx.afterCommit(() => ctx.wakes.diskImport(of.id))
}

/** A disk in parts that becomes a volume, with the snapshot on its way there. `of`: the task that it is a disk of. */
export async function insertImportedVolume(
  ctx: ActionContext,
  tx: ActionTransaction,
  disk: Omit<NewImport, 'snapshot_id' | 'volume_id' | 'availability_zone' | 'in_parts' | 'sealed_url'> & {
    readonly of: string
    readonly url: string
    readonly zone: string
    readonly sizeGiB: number
  },
): Promise<void> {
  const { of, url, zone, sizeGiB, ...row } = disk
  // AWS's own have no parameter for it; an account that encrypts by default does.
  const isEncrypted = await resolveEncryption(ctx, tx.db, { encrypted: undefined, kmsKeyId: undefined }, null)
  const snapshot = await insertImportedSnapshot(ctx, tx, { description: `Of ${of}`, zone, isEncrypted })
  const type = checkVolumeType({ sizeGiB, type: undefined, iops: undefined, throughput: undefined })
  const volume = await insertVolume(ctx, tx, { sizeGiB, snapshot, ...type, isEncrypted }, zone)
  await insertImport(ctx, tx, {
    ...{ ...row, snapshot_id: snapshot.id, volume_id: volume.id, availability_zone: zone },
    ...{ in_parts: 1, sealed_url: ctx.keyring.seal(url, row.id) },
  })
}

/** Ends an import that is under way; what was made of it is removed. Throws InvalidConversionTaskId, IncorrectState. */
export async function cancelDiskImport(
  ctx: ActionContext,
  tx: ActionTransaction,
  id: string,
  kind: 'snapshot' | 'volume',
  reason: string | null,
): Promise<void> {
  const [task] = await listDiskImports(tx.db, ctx.caller.accountId, { kind, ids: [id] })
  if (!task) throw invalidConversionTaskId([id])
  if (task.phase !== 'converting' && task.phase !== 'gathering')
    throw incorrectState(`The task ${id} is over and cannot be cancelled.`)
  await endDiskImport(tx, ctx.wakes, task, { nowMs: ctx.nowMs, message: null })
  await tx.db.updateTable('disk_import').set({ cancel_reason: reason }).where('id', '=', id).execute()
  tx.touch(id, task.snapshot_id)
}
