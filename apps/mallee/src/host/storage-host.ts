import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { endProcess, readPidFile } from '@mallee/base'

/**
 * Ends what outlives the storage controller so that guests go on: what brings volumes out of walrus and shows them as files,
 * the target daemon, and then what holds the volumes' file system. Guests that still had a volume lose it. Harmless when repeated.
 */
export async function endStorageHost(runDir: string): Promise<void> {
  const names = await readdir(runDir).catch(() => []) // there was none
  const fronts = names.filter((name) => /^(?:restore|served|image)-.*\.pid$/.test(name))
  // The target daemon does not end by being asked while it has targets.
  for (const mark of [...fronts, 'tgtd.pid', 'holder.pid'])
    await endProcess(await readPidFile(path.join(runDir, mark)), 0)
}
