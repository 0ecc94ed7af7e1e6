import path from 'node:path'
import { endProcess, readPidFile } from '@mallee/base'

/** What outlives the storage controller, so that guests go on: the target daemon, then what holds its file system. */
const marks = ['tgtd.pid', 'holder.pid']

/** Ends both; guests that still had a volume lose it. Harmless when repeated. */
export async function endStorageHost(runDir: string): Promise<void> {
  // The target daemon does not end by being asked while it has targets.
  for (const mark of marks) await endProcess(await readPidFile(path.join(runDir, mark)), 0)
}
