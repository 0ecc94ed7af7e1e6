/** A process that serves S3 beside others. Started by walrus' first process, which tells it everything. */
import { systemClock, systemRandom } from '@mallee/base'
import { createLog, Metrics, SharedListener } from '@mallee/service-kit'
import { joinStorage } from '../open-storage.ts'
import { closeGraceMs, openDoor } from '../http/open-door.ts'
import { AccessKeys } from '../identity/access-keys.ts'
import { AccessLog } from '../logging/access-log.ts'
import { logsEveryMs } from '../background.ts'
import { workerFigures } from '../metrics/walrus-figures.ts'
import { KnownSnapshots } from '../ebs/known-snapshots.ts'
import { FirstProcess } from './first-process.ts'
import type { ToWorker } from './messages.ts'

const first = new FirstProcess()
const { config, number, tag, beliefs, tls } = await first.begin()
const log = createLog({ name: 'walrus', level: config.logLevel }).child({ worker: number })

const fail = (error: unknown) => {
  log.error({ err: error }, 'ended by an error that nobody caught')
  process.exit(1)
}
process.on('uncaughtException', fail)
process.on('unhandledRejection', fail)

const clock = systemClock
const metrics = new Metrics().ofProcess()
const figures = workerFigures(metrics, number)
const storage = await joinStorage(config, { log, figures, tag, owner: first, clock })
const { index, blobs } = storage
const keys = new AccessKeys()
let { images, flowLogs } = beliefs
keys.replace(beliefs.identities)
const snapshots = new KnownSnapshots(clock)
snapshots.replace(beliefs.snapshots)
const accessLog = new AccessLog({ source: storage, clock, random: systemRandom, log })
const { door, listener } = await openDoor({
  ...{ config, log, clock, keys, snapshots, accessLog, figures },
  source: storage,
  images: () => images,
  flowLogs: () => flowLogs,
  wakeEvents: () => first.eventsWait(),
})
if (tls) listener.useTls(tls)
const delivering = setInterval(() => void accessLog.deliver(), logsEveryMs)

/** It acts by it when nothing is under way that it would not begin any more. */
async function believe({
  count,
  beliefs: now,
  snapshots: change,
}: ToWorker & { say: 'believe' }): Promise<void> {
  keys.replace(now.identities)
  images = now.images
  flowLogs = now.flowLogs
  snapshots.apply(change)
  await snapshots.settled()
  first.believed(count)
}

let stopping = false
async function stop(serving: SharedListener): Promise<void> {
  if (stopping) return
  stopping = true
  clearInterval(delivering)
  await serving.close(closeGraceMs)
  await door.close()
  await accessLog.deliver()
  await blobs.settled()
  await index.close()
  await first.settled()
  process.exit(0)
}

first.on((message: ToWorker) => {
  switch (message.say) {
    case 'believe':
      return void believe(message)
    case 'tls':
      return listener.useTls(message.tls)
    case 'let go':
      return blobs.forgetHere(message.ids)
    case 'count':
      return void metrics.snapshot().then((counted) => first.counted(counted))
    case 'stop':
      return void stop(listener)
  }
})
// An interrupt at the terminal reaches all processes; whoever is to go on is started again.
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stop(listener))

first.serving(await listener.listen(config.listen))
log.info({ tag }, 'a worker serves')
