import type { Wakes } from '../wakes.ts'
import { moveDiskImport, type DiskImportTable } from './disk-import-store.ts'
import type { Tx } from './record.ts'
import { dropSnapshot, failWriting, getSnapshot } from './snapshot-store.ts'
import { getVolume, transitionVolume } from './volume-store.ts'

/** Nothing of the import is to be left; then it has failed, for the reason given, or is cancelled where that is null. */
export async function endDiskImport(
  tx: Tx,
  wakes: Wakes,
  task: DiskImportTable,
  { nowMs, message }: { readonly nowMs: number; readonly message: string | null },
): Promise<void> {
  await moveDiskImport(tx, task.id, { phase: 'ending', message })
  const snapshot = await getSnapshot(tx.db, task.snapshot_id)
  // Of a failed one its owner sees why; what was only on the way to a volume is nobody's.
  if (snapshot?.state === 'pending' && message !== null && task.volume_id === null)
    await failWriting(tx, snapshot, nowMs, message)
  else if (snapshot) await dropSnapshot(tx, wakes, snapshot, nowMs)
  const volume = task.volume_id === null ? undefined : await getVolume(tx.db, task.volume_id)
  if (volume?.state === 'creating') await transitionVolume(tx, volume, 'deleteAsked', { nowMs })
  tx.afterCommit(() => {
    if (volume) wakes.volume(volume.id)
    wakes.snapshot(task.snapshot_id)
    wakes.diskImport(task.id)
  })
}
