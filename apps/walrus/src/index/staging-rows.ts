import { snapshotBucket, stagedNumberPrefix, stagingPrefix } from '@mallee/volume-snapshots'
import { given, rowOf, rowsOf } from './statements.ts'
import { deleteVersion } from './store-version.ts'
import type { Reader, StagingTable, Tx } from './tables.ts'
import { endOfPrefix } from './walk-keys.ts'

/** Blocks that are removed by one commit. */
const perCommit = 100

export function stagingOf(db: Reader, snapshotId: string): Promise<StagingTable | null> {
  return rowOf<StagingTable>(db, 'select * from staging where snapshot_id = ?', [snapshotId])
}

export async function stagedSnapshotIds(db: Reader): Promise<string[]> {
  return (await db.selectFrom('staging').select('snapshot_id').execute()).map((row) => row.snapshot_id)
}

/** `progress` is percent; null where the client did not say. */
export async function noteWrite(
  tx: Tx,
  write: { readonly snapshotId: string; readonly nowMs: number; readonly progress: number | null },
): Promise<void> {
  await rowsOf(
    tx.db,
    `insert into staging (snapshot_id, written_at, progress) values (?, ?, coalesce(?, 0)) on conflict (snapshot_id)
      do update set written_at = excluded.written_at, progress = coalesce(?, progress)`,
    [write.snapshotId, write.nowMs, write.progress, write.progress],
  )
}

/** Other blocks than this under the same number: what was written before is overwritten. Answers blobs that may go. */
export async function dropOverwritten(
  tx: Tx,
  block: { readonly snapshotId: string; readonly number: number; readonly key: string },
): Promise<string[]> {
  const rows = await stagedUnder(tx.db, stagedNumberPrefix(block.snapshotId, block.number), perCommit)
  return remove(
    tx,
    rows.filter((row) => row.key !== block.key),
  )
}

/** Removes some of what was written of a snapshot; the last time its row too. */
export async function dropStaged(
  tx: Tx,
  snapshotId: string,
): Promise<{ readonly dropped: string[]; readonly isLast: boolean }> {
  const rows = await stagedUnder(tx.db, stagingPrefix(snapshotId), perCommit)
  const dropped = await remove(tx, rows)
  const isLast = rows.length < perCommit
  if (isLast) await tx.db.deleteFrom('staging').where('snapshot_id', '=', snapshotId).execute()
  return { dropped, isLast }
}

interface Staged {
  readonly key: string
  readonly version_id: string
}

function stagedUnder(db: Reader, prefix: string, limit: number): Promise<readonly Staged[]> {
  return rowsOf<Staged>(
    db,
    `select key, version_id from object where bucket = ${given} and key >= ${given} and key < ${given} order by key limit ?`,
    [snapshotBucket, prefix, endOfPrefix(prefix), limit],
  )
}

async function remove(tx: Tx, rows: readonly Staged[]): Promise<string[]> {
  const dropped: string[] = []
  for (const { key, version_id } of rows)
    dropped.push(...(await deleteVersion(tx, snapshotBucket, key, version_id)).dropped)
  return dropped
}
