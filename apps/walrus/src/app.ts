import path from 'node:path'
import { systemClock, systemRandom, type Clock, type Log } from '@mallee/base'
import { obtainIdentity, type AgentIdentity, type Cloud } from '@mallee/agent-kit'
import {
  Metrics,
  startHealthServer,
  type DoorTls,
  type FiguresSource,
  type Readiness,
  type Service,
} from '@mallee/service-kit'
import { Background } from './background.ts'
import { WalrusAgent } from './agent/walrus-agent.ts'
import { workerCount, type WalrusConfig } from './config.ts'
import type { BlobKeeper } from './drivers/blob-keeper.ts'
import type { FolderClaim } from './drivers/folder-claim.ts'
import { KnownSnapshots } from './ebs/known-snapshots.ts'
import type { MasterKeys } from './encryption/master-keys.ts'
import { closeGraceMs, openDoor, type DoorDependencies } from './http/open-door.ts'
import { AccessKeys } from './identity/access-keys.ts'
import { isBlob } from './index/blob-rows.ts'
import type { Index } from './index/tables.ts'
import { walrusReadiness } from './metrics/walrus-figures.ts'
import type { ObjectSource } from './objects/open-object.ts'
import { openStorage, type StorageDependencies } from './open-storage.ts'
import { LateOthers } from './workers/late-others.ts'
import type { Beliefs } from './workers/messages.ts'
import { WorkerGroup } from './workers/worker-group.ts'

export { walrusSchema, type WalrusConfig } from './config.ts'

export { registerWalrusGauges, walrusFigures } from './metrics/walrus-figures.ts'

/** The port, and whoever serves what comes there. */
export interface Serving {
  listen(options: WalrusConfig['listen']): Promise<string>
  useTls(tls: DoorTls): void
  /** Answers under way are finished, for at most `graceMs`. */
  close(graceMs: number): Promise<void>
}

/** Walrus without its socket, and its agent. */
export interface Walrus {
  readonly listener: Serving
  readonly index: Index
  readonly blobs: BlobKeeper
  readonly masterKeys: MasterKeys
  readonly background: Background
  readonly metrics: FiguresSource
  /** Where there are workers, their processes by number. */
  workerPids(): ReadonlyMap<number, number>
  /** What stands in the way of serving. */
  ready(): Promise<Readiness>
  /** Becomes an agent: by the identity it has, or by waiting for its join token. */
  join(): Promise<void>
  close(): Promise<void>
}

export interface WalrusDependencies extends StorageDependencies {
  readonly clock?: Clock
  /** In tests: a cloud without a socket. */
  readonly cloud?: Cloud
}

export async function buildWalrus(config: WalrusConfig, deps: WalrusDependencies): Promise<Walrus> {
  const { log } = deps
  const clock = deps.clock ?? systemClock
  const others = workerCount(config) > 1 ? new LateOthers() : undefined
  const storage = await openStorage(config, { ...deps, ...(others ? { others } : {}) }, clock)
  const { index, blobs, masterKeys, figures, claim } = storage
  const keys = new AccessKeys()
  const snapshots = new KnownSnapshots(clock)
  const source = { index, blobs, masterKeys }
  const background = new Background({
    ...{ config, source, clock, log },
    random: systemRandom,
    onScrubbed: (bytes) => figures.scrubbed(bytes),
  })
  let agent: WalrusAgent | null = null
  const images = () => agent?.images() ?? []
  const flowLogs = () => agent?.flowLogs() ?? []
  const about = { ...{ config, source, clock, log }, wakeEvents: () => background.events.wake() }
  const group = others ? startGroup(others, claim, about) : null
  const { accessLog } = background
  const listener: Serving =
    group ?? (await servingHere({ ...about, keys, images, flowLogs, snapshots, figures, accessLog }))
  const stopping = new AbortController()
  background.start()

  const { metrics } = figures
  return {
    listener,
    index,
    blobs,
    masterKeys,
    background,
    metrics: group?.figuresWith(metrics) ?? metrics,
    workerPids: () => group?.pids() ?? new Map(),
    ready: async () => ({
      ...(await walrusReadiness({ index, keys })),
      ...(group ? { workers: group.problem() } : {}),
    }),
    async join() {
      const identity = await obtainIdentity(config, { log, clock, signal: stopping.signal })
      if (!identity) return
      listener.useTls(tlsOf(identity))
      agent = await WalrusAgent.start({
        dir: config.dir,
        workDir: path.join(config.dataDir, 'converting'),
        identity,
        ...source,
        keys,
        spread: (beliefs) => group?.believe(beliefs) ?? believeHere(snapshots, beliefs),
        clock,
        log,
        onRenewed: (renewed) => listener.useTls(tlsOf(renewed)),
        ...(deps.cloud ? { cloud: deps.cloud } : {}),
      })
      if (stopping.signal.aborted) await agent.stop()
    },
    async close() {
      // No new requests, then the agent, then the index: whatever was answered is committed by now.
      stopping.abort()
      await listener.close(closeGraceMs)
      await background.stop()
      await agent?.stop()
      await blobs.settled()
      await index.close()
      await claim.giveUp()
    },
  }
}

/** Of what one process believes its agent has told it the rest. */
async function believeHere(known: KnownSnapshots, { snapshots }: Beliefs): Promise<void> {
  known.replace(snapshots)
  await known.settled()
}

const tlsOf = (identity: AgentIdentity) => ({
  key: identity.key,
  cert: `${identity.certificate}\n${identity.authority}`,
  ca: identity.authority,
})

/** Workers, of which none runs before they are to listen. */
function startGroup(
  others: LateOthers,
  claim: FolderClaim,
  about: Pick<DoorDependencies, 'config' | 'source' | 'clock' | 'log' | 'wakeEvents'>,
): WorkerGroup {
  const { source, ...more } = about
  const group = new WorkerGroup({
    ...{ ...more, claim },
    count: workerCount(about.config),
    sweep: (tag) => sweepAfter(source, tag, about.log),
    forget: (ids) => source.blobs.forget(ids),
  })
  others.become(group)
  return group
}

/** One process for everything. */
async function servingHere(deps: DoorDependencies): Promise<Serving> {
  const { door, listener } = await openDoor(deps)
  return {
    listen: (options) => listener.listen(options),
    useTls: (tls) => listener.useTls(tls),
    async close(graceMs) {
      await listener.close(graceMs)
      await door.close()
    },
  }
}

async function sweepAfter({ index, blobs }: ObjectSource, tag: string, log: Log): Promise<void> {
  const swept = await blobs.sweepAfter(tag, (id) => index.read((db) => isBlob(db, id)))
  if (swept > 0) log.info({ swept }, 'removed what a worker had begun')
}

/** Runs walrus on its port. It listens before it has joined, and says that it is not ready. */
export async function startWalrus(config: WalrusConfig, deps: { log: Log }): Promise<Service> {
  const walrus = await buildWalrus(config, { metrics: new Metrics().ofProcess(), ...deps })
  const health = config.health
    ? await startHealthServer({ ...walrus, ...deps, metrics: walrus.metrics, listen: config.health })
    : null
  const address = await walrus.listener.listen(config.listen)
  const joining = walrus.join()
  joining.catch((error: unknown) => {
    deps.log.error({ err: error }, 'the agent could not be started')
    queueMicrotask(() => {
      throw error // nobody catches it: the process ends, and a supervisor starts it again
    })
  })
  return {
    address,
    async close() {
      await health?.close()
      await walrus.close()
      await joining
    },
  }
}
