import { dayMs } from '@mallee/base'
import type { DiskImportFacts, DiskImportItem, Observation } from '@mallee/agent-contract'
import type { Wakes } from '../wakes.ts'
import type { Reader, Tx } from './record.ts'
import type { AgentTable, Bit } from './tables.ts'

/**
 * A disk of ImportSnapshot, ImportVolume or ImportInstance. The snapshot that it fills, and the volume made of that, are
 * there from the start.
 */
export interface DiskImportTable {
  id: string
  account_id: string
  snapshot_id: string
  /** Of ImportVolume and ImportInstance. */
  volume_id: string | null
  availability_zone: string | null
  format: DiskImportItem['format']
  bucket: string
  /** Of the disk, or of the manifest of its parts. */
  object_key: string
  in_parts: Bit
  /** The manifest's URL as it was given, which its signature makes a secret; wrapped by the keyring. */
  sealed_url: string | null
  /** Of the disk's file, as the caller says. */
  source_bytes: number | null
  description: string | null
  created_at: number
  request_id: string | null
  trace_parent: string | null
  /**
   * - `converting`: walrus cuts the disk into blocks;
   * - `gathering`: a storage controller makes the snapshot of them, and the volume of that;
   * - `ending`: failed or cancelled, and walrus may still hold something of it;
   * - `completed`, `failed`, `cancelled`.
   */
  phase: 'converting' | 'gathering' | 'ending' | 'completed' | 'failed' | 'cancelled'
  /** Why it failed; null of one that was cancelled. */
  message: string | null
  cancel_reason: string | null
  /** That was told of it. */
  walrus_id: string | null
  observed_state: DiskImportFacts['state'] | null
  observed_message: string | null
  disk_bytes: number | null
  blocks: number | null
  progress: number | null
  /** The ImportInstance that it is a disk of, and which of them, from 0. */
  instance_import_id: string | null
  disk_index: number | null
}

/** So long a disk may take to arrive, as AWS has it. */
export const importMs = 7 * dayMs

/** Phases in which something is still to be done. */
export const openImportPhases = ['converting', 'gathering', 'ending'] as const

export function getDiskImport(db: Reader, id: string): Promise<DiskImportTable | undefined> {
  return db.selectFrom('disk_import').selectAll().where('id', '=', id).executeTakeFirst()
}

/** Of one account, or of all where it is null; all where no ids are given. Those of ImportInstance are its own. */
export function listDiskImports(
  db: Reader,
  accountId: string | null,
  of: { readonly kind: 'snapshot' | 'volume'; readonly ids: readonly string[] },
): Promise<DiskImportTable[]> {
  return db
    .selectFrom('disk_import')
    .selectAll()
    .where('volume_id', of.kind === 'volume' ? 'is not' : 'is', null)
    .where('instance_import_id', 'is', null)
    .$if(accountId !== null, (query) => query.where('account_id', '=', accountId!))
    .$if(of.ids.length > 0, (query) => query.where('id', 'in', of.ids))
    .execute()
}

export async function moveDiskImport(
  tx: Tx,
  id: string,
  changes: Partial<Pick<DiskImportTable, 'phase' | 'message' | 'cancel_reason' | 'walrus_id'>>,
): Promise<void> {
  await tx.db.updateTable('disk_import').set(changes).where('id', '=', id).execute()
}

/** What walrus says of one: facts, and no decisions. */
export async function recordDiskImport(
  tx: Tx,
  wakes: Wakes,
  agent: AgentTable,
  observation: Observation<'disk-import'>,
): Promise<boolean> {
  const facts: DiskImportFacts = observation.facts
  const task = await getDiskImport(tx.db, observation.id)
  if (!task || task.walrus_id !== agent.id) return false
  // `gone` answers a removal that was asked for, and after it nothing else is believed.
  if ((facts.state === 'gone') !== (task.phase === 'ending')) return true
  await tx.db
    .updateTable('disk_import')
    .set({
      observed_state: facts.state,
      observed_message: facts.message,
      disk_bytes: facts.diskBytes,
      blocks: facts.blocks,
      progress: facts.progress,
    })
    .where('id', '=', task.id)
    .execute()
  if (facts.state !== 'converting') tx.afterCommit(() => wakes.diskImport(task.id))
  return true
}

/** Whoever fills it hears of how it is with a snapshot, or with a volume. */
export async function wakeImportOf(tx: Tx, wakes: Wakes, resourceId: string): Promise<void> {
  const column = resourceId.startsWith('snap-') ? 'snapshot_id' : 'volume_id'
  const tasks = await tx.db
    .selectFrom('disk_import')
    .select('id')
    .where(column, '=', resourceId)
    .where('phase', 'in', openImportPhases)
    .execute()
  for (const { id } of tasks) tx.afterCommit(() => wakes.diskImport(id))
}
