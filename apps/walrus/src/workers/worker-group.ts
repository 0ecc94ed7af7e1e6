import { errorMessage, systemRandom, type Clock, type Log } from '@mallee/base'
import {
  countedBy,
  sumOfMetrics,
  type DoorTls,
  type FiguresSource,
  type Metrics,
  type MetricsSnapshot,
} from '@mallee/service-kit'
import type { WalrusConfig } from '../config.ts'
import { newTag, tagOf } from '../drivers/blob-id.ts'
import type { OtherProcesses } from '../drivers/blob-keeper.ts'
import type { FolderClaim } from '../drivers/folder-claim.ts'
import { changeOf } from '../ebs/known-snapshots.ts'
import { noIdentities } from '../identity/access-keys.ts'
import type { Beliefs } from './messages.ts'
import { WorkerProcess } from './worker-process.ts'

/** Before a worker that died is started again; longer each time that it dies soon. */
const firstPauseMs = 50
const longestPauseMs = 5_000
/** Who lived so long did not die of its start. */
const livedMs = 60_000
/** Beyond the grace that is given to downloads and uploads under way. */
const endMs = 3_000

/**
 * The processes that serve S3 where there are several. This one has the port (node:cluster hands each connection to the
 * next worker), the keys, the bytes' removal and all that goes on in the background; they have the requests. All share the
 * index, whose locks are SQLite's.
 */
export class WorkerGroup implements OtherProcesses {
  private readonly options: {
    readonly config: WalrusConfig
    readonly count: number
    /** Of the data folder: each worker holds it too, so that no other walrus begins while one of them lives. */
    readonly claim: FolderClaim
    readonly clock: Clock
    readonly log: Log
    /** Of a worker that died: removes what it left. */
    readonly sweep: (tag: string) => Promise<unknown>
    readonly forget: (ids: readonly string[]) => void
    readonly wakeEvents: () => void
  }
  private readonly live = new Set<WorkerProcess>()
  private readonly leaving = new Map<string, (id: string) => void>()
  private beliefs: Beliefs = {
    identities: noIdentities,
    ...{ images: [], flowLogs: [], snapshots: [] },
  }
  private tls: DoorTls | null = null
  private departed: MetricsSnapshot = []
  private readonly stopping = new AbortController()
  private readonly chores = new Set<Promise<unknown>>()
  private pauseMs = firstPauseMs

  constructor(options: WorkerGroup['options']) {
    this.options = options
  }

  /** Starts all of them; resolves when all serve. */
  async listen(): Promise<string> {
    const numbers = Array.from({ length: this.options.count }, (_value, index) => index + 1)
    // The first opens the port; the others find it open.
    const addresses = await Promise.all(numbers.map((number) => this.start(number).serving.promise))
    return addresses[0] as string
  }

  useTls(tls: DoorTls): void {
    this.tls = tls
    for (const worker of this.live) worker.say({ say: 'tls', tls })
  }

  /** Resolves when every worker acts by it. */
  async believe(beliefs: Beliefs): Promise<void> {
    const { snapshots, ...others } = beliefs
    const message = { beliefs: others, snapshots: changeOf(this.beliefs.snapshots, snapshots) }
    this.beliefs = beliefs
    await Promise.all(Array.from(this.live, (worker) => worker.believe(message)))
  }

  /** Processes of those that live, by their numbers. */
  pids(): ReadonlyMap<number, number> {
    return new Map(Array.from(this.live, ({ number, pid }) => [number, pid]))
  }

  /** What stands in the way of all of them serving; null where nothing does. */
  problem(): string | null {
    const serving = [...this.live].filter((worker) => worker.isServing).length
    const { count } = this.options
    return serving === count ? null : `${serving} of ${count} workers serve`
  }

  /** Their figures and the first process' as one. */
  figuresWith(own: Metrics): FiguresSource {
    const text = async (): Promise<string> => {
      const theirs = await Promise.all(Array.from(this.live, (worker) => worker.count()))
      return sumOfMetrics([await own.snapshot(), this.departed, ...theirs])
    }
    return { contentType: own.contentType, text }
  }

  letGo(ids: readonly string[], gone: (id: string) => void): void {
    for (const id of ids) this.leaving.set(id, gone)
    for (const worker of this.live) {
      if (!worker.isLive) continue
      for (const id of ids) worker.held.add(id)
      worker.say({ say: 'let go', ids })
    }
    this.settle(ids)
  }

  mayWrite(id: string): boolean {
    const tag = tagOf(id)
    return [...this.live].some((worker) => worker.tag === tag)
  }

  /** Answers under way are finished, for at most `graceMs`. */
  async close(graceMs: number): Promise<void> {
    this.stopping.abort()
    const workers = [...this.live]
    for (const worker of workers) worker.say({ say: 'stop' })
    const patience = setTimeout(() => workers.forEach((worker) => worker.kill()), graceMs + endMs)
    await Promise.all(workers.map((worker) => worker.ended.promise))
    clearTimeout(patience)
    await Promise.all(this.chores)
  }

  private start(number: number): WorkerProcess {
    const { config, claim, forget, wakeEvents } = this.options
    const worker = new WorkerProcess(number, newTag(systemRandom), {
      here: ({ tag }) => {
        worker.say({ say: 'begin', config, number, tag, beliefs: this.beliefs, tls: this.tls }, claim.handle)
        if (this.stopping.signal.aborted) worker.say({ say: 'stop' })
      },
      forget,
      released: (_worker, ids) => this.released(worker, ids),
      eventsWait: wakeEvents,
      ended: (_worker, how) => this.lose(worker, how),
    })
    this.live.add(worker)
    return worker
  }

  private released(worker: WorkerProcess, ids: readonly string[]): void {
    for (const id of ids) worker.held.delete(id)
    this.settle(ids)
  }

  /** Lets those go that nobody holds any more. */
  private settle(ids: readonly string[]): void {
    for (const id of ids) {
      const gone = this.leaving.get(id)
      if (!gone || [...this.live].some((worker) => worker.held.has(id))) continue
      this.leaving.delete(id)
      gone(id)
    }
  }

  private lose(worker: WorkerProcess, how: string): void {
    const { log } = this.options
    this.live.delete(worker)
    this.settle([...worker.held])
    this.chore(this.keepFigures(worker))
    this.chore(this.options.sweep(worker.tag))
    if (this.stopping.signal.aborted) return
    log.error({ worker: worker.number, how }, 'a worker ended; it is started again')
    if (performance.now() - worker.startedMs > livedMs) this.pauseMs = firstPauseMs
    this.chore(this.startAgain(worker.number))
  }

  private async startAgain(number: number): Promise<void> {
    const { pauseMs } = this
    this.pauseMs = Math.min(pauseMs * 2, longestPauseMs)
    await this.options.clock.sleep(pauseMs, this.stopping.signal)
    if (!this.stopping.signal.aborted) this.start(number)
  }

  private async keepFigures({ figures }: WorkerProcess): Promise<void> {
    this.departed = await countedBy([this.departed, figures])
  }

  private chore(work: Promise<unknown>): void {
    const done = work
      .catch((error: unknown) => this.options.log.warn({ reason: errorMessage(error) }, 'after a worker'))
      .finally(() => this.chores.delete(done))
    this.chores.add(done)
  }
}
