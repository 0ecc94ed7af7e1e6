import type { Wakes } from '../wakes.ts'
import { endDiskImport } from './end-disk-import.ts'
import { disksOfImport, moveInstanceImport, type InstanceImportTable } from './instance-import-store.ts'
import type { Tx } from './record.ts'
import { getVolume, transitionVolume } from './volume-store.ts'

/**
 * Nothing of the import is to be left; then it has failed, for the reason given, or is cancelled where that is null. A
 * volume that its owner has put to another use meanwhile stays his.
 */
export async function endInstanceImport(
  tx: Tx,
  wakes: Wakes,
  task: InstanceImportTable,
  { nowMs, message }: { readonly nowMs: number; readonly message: string | null },
): Promise<void> {
  await moveInstanceImport(tx, task.id, { phase: 'ending', message })
  for (const disk of await disksOfImport(tx.db, task.id)) {
    if (disk.phase === 'converting' || disk.phase === 'gathering')
      await endDiskImport(tx, wakes, disk, { nowMs, message })
    if (disk.phase !== 'completed') continue
    const volume = await getVolume(tx.db, disk.volume_id!)
    if (volume?.state !== 'available') continue
    await transitionVolume(tx, volume, 'deleteAsked', { nowMs })
    tx.afterCommit(() => wakes.volume(volume.id))
  }
  tx.afterCommit(() => wakes.instanceImport(task.id))
}
