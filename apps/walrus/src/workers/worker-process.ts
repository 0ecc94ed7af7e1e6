import cluster, { type Worker } from 'node:cluster'
import path from 'node:path'
import type { MetricsSnapshot } from '@mallee/service-kit'
import type { ToFirst, ToWorker } from './messages.ts'

const answerMs = 5_000

export interface WorkerEvents {
  here(worker: WorkerProcess): void
  forget(ids: readonly string[]): void
  released(worker: WorkerProcess, ids: readonly string[]): void
  eventsWait(): void
  ended(worker: WorkerProcess, how: string): void
}

/** One life of one worker, as the first process sees it. */
export class WorkerProcess {
  readonly number: number
  readonly tag: string
  /** Blobs that it may still read though nothing names them. */
  readonly held = new Set<string>()
  readonly startedMs = performance.now()
  /** What it counted when it was last asked. */
  figures: MetricsSnapshot = []
  /** Where it serves, once it does; rejects where it ends before. */
  readonly serving = Promise.withResolvers<string>()
  isServing = false
  readonly ended = Promise.withResolvers<void>()
  private readonly worker: Worker
  private readonly events: WorkerEvents
  private believed = 0
  private counting: PromiseWithResolvers<MetricsSnapshot> | null = null
  private readonly believing = new Map<number, () => void>()
  private isHere = false
  private hasEnded = false

  constructor(number: number, tag: string, events: WorkerEvents) {
    this.number = number
    this.tag = tag
    this.events = events
    cluster.setupPrimary({ exec: path.join(import.meta.dirname, 'worker-main.ts'), args: [] })
    this.serving.promise.catch(() => {})
    this.worker = cluster.fork()
    this.worker.on('message', (message: ToFirst) => this.hear(message))
    this.worker.on('error', () => {}) // a word that it did not live to hear
    this.worker.process.once('exit', (code, signal) => this.end(signal ?? `code ${code}`))
  }

  get pid(): number {
    return this.worker.process.pid ?? 0
  }

  /** Whether it may read and write: it has been told to begin and has not ended. */
  get isLive(): boolean {
    return this.isHere && !this.hasEnded
  }

  say(message: ToWorker, handle?: unknown): void {
    if (this.hasEnded || !this.worker.isConnected()) return
    this.worker.send(message, handle as never, () => {})
  }

  /** Resolves when it acts by what it was told, or acts no more. */
  believe(message: Omit<ToWorker & { say: 'believe' }, 'say' | 'count'>): Promise<void> {
    if (!this.isLive) return Promise.resolve()
    const count = (this.believed += 1)
    this.say({ say: 'believe', count, ...message })
    return new Promise((resolve) => this.believing.set(count, resolve))
  }

  /** What it has counted; what it had when it was last asked, where it ends meanwhile. */
  count(): Promise<MetricsSnapshot> {
    if (!this.isServing || this.hasEnded) return Promise.resolve(this.figures)
    if (!this.counting) {
      const counting = Promise.withResolvers<MetricsSnapshot>()
      this.counting = counting
      this.say({ say: 'count' })
      // Figures that leave one out would be wrong ones.
      const slow = new Error(`worker ${this.number} does not say what it counted`)
      const timer = setTimeout(() => counting.reject(slow), answerMs)
      void counting.promise.catch(() => {}).finally(() => clearTimeout(timer))
    }
    return this.counting.promise
  }

  kill(): void {
    this.worker.process.kill('SIGKILL')
  }

  private hear(message: ToFirst): void {
    switch (message.say) {
      case 'here':
        this.isHere = true
        return this.events.here(this)
      case 'serving':
        this.isServing = true
        return this.serving.resolve(message.address)
      case 'believed':
        this.believing.get(message.count)?.()
        return void this.believing.delete(message.count)
      case 'released':
        return this.events.released(this, message.ids)
      case 'forget':
        return this.events.forget(message.ids)
      case 'counted':
        this.figures = message.figures
        this.counting?.resolve(message.figures)
        this.counting = null
        return
      case 'events wait':
        return this.events.eventsWait()
    }
  }

  private end(how: string): void {
    this.hasEnded = true
    this.isServing = false
    this.serving.reject(new Error(`a worker ended by ${how} before it served`))
    this.counting?.resolve(this.figures)
    for (const resolve of this.believing.values()) resolve()
    this.events.ended(this, how)
    this.ended.resolve()
  }
}
