import { spawnSync } from 'node:child_process'
import { Chapters } from '@mallee/testkit'
import { simulatedHost } from '../crash/host.ts'
import { FullCloud, tellTroubles } from './full-cloud.ts'
import { firstStart, fullBackup } from './folder-chapters.ts'
import { fullJoin, fullLogs, fullNode } from './node-chapters.ts'
import { fullObjects, fullObjectsRestart } from './object-chapters.ts'
import { realNode } from './real-node-chapter.ts'
import { fullRecord, fullRestart } from './record-chapters.ts'

/**
 * No room under each folder that a daemon writes, one after the other: what is asked for is refused clearly, what was
 * acknowledged stays, reads go on, and when there is room again so does everything else. The filesystems are mounted in
 * namespaces of this test's own; they and every process go with it.
 */
const inside = 'MALLEE_DISK_FULL_INSIDE'
if (process.env[inside] === undefined) {
  const words = [
    ...'--mount --propagation private --pid --fork --kill-child --mount-proc'.split(' '),
    process.execPath,
    ...process.execArgv,
  ]
  const { status } = spawnSync('unshare', [...words, import.meta.filename, ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, [inside]: '1' },
  })
  process.exit(status ?? 1)
}

const chapters: Readonly<Record<string, (full: FullCloud) => Promise<void>>> = {
  'a full record refuses what it cannot keep, and reads on': fullRecord,
  'a cloud controller that starts on a full disk comes back when there is room': fullRestart,
  'walrus takes no object that it cannot keep': fullObjects,
  'walrus starts on a full disk, or as soon as there is room': fullObjectsRestart,
  'a full node keeps its guests and takes up what waited': fullNode,
  'full logs cost lines and nothing else': fullLogs,
  'an agent joins when there is room': fullJoin,
  'a backup is whole or is not there': fullBackup,
  'a new cloud starts when there is room, whatever it wrote before': firstStart,
}

const told = new Chapters()
const wanted = process.argv[2] ?? ''
const real = 'a launch that fills its node fails with a reason'
if (real.includes(wanted)) await told.tell(real, realNode)
const full = await FullCloud.start(simulatedHost)
try {
  for (const [name, work] of Object.entries(chapters))
    if (name.includes(wanted) && !(await told.tell(name, () => work(full)))) {
      await tellTroubles(full.world.dir)
      break
    }
} finally {
  await full.stop()
}
process.exit(told.end('disk-full'))
