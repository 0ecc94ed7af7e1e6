import { errorMessage, type Clock, type Log } from '@mallee/base'

/**
 * A reconciler is woken by name or by clock, reads everything, and does the same thing for the same rows: it never
 * learns what changed, because a hint would be a second, rarely used path. One pass is over one object, in one
 * transaction, and writes rows only.
 */
export interface Reconciler {
  readonly name: string
  /** A full scan this often, in case a wake was lost; a correct system finds nothing. */
  readonly everyMs: number
  /** Names of objects that are not settled. */
  list(): Promise<string[]>
  /** One pass over one object. */
  reconcile(name: string): Promise<PassResult>
}

/** `again` asks for another pass later, for states that time alone changes. */
export type PassResult = { settled: true } | { settled: false; againMs: number } | { settled: false }

export interface ReconcilerStatus {
  readonly name: string
  readonly passes: number
  readonly errors: number
  readonly lastError: string | null
  readonly lastPassAtMs: number | null
  readonly lastPassMs: number
  readonly queued: number
}

const firstBackOffMs = 100
const longestBackOffMs = 30_000

/**
 * The queue of one reconciler: holds names, collapses duplicates, one pass at a time, backs off per name with a cap
 * and tries for ever.
 */
export class ReconcilerQueue {
  private readonly reconciler: Reconciler
  private readonly clock: Clock
  private readonly log: Log
  private readonly due = new Set<string>()
  private readonly failures = new Map<string, number>()
  private readonly timers = new Map<string, () => void>()
  private scanWanted = true
  private cancelScan: (() => void) | null = null
  private running: Promise<void> | null = null
  private stopped = true
  private passes = 0
  private errors = 0
  private lastError: string | null = null
  private lastPassAtMs: number | null = null
  private lastPassMs = 0

  constructor(options: { reconciler: Reconciler; clock: Clock; log: Log }) {
    this.reconciler = options.reconciler
    this.clock = options.clock
    this.log = options.log.child({ reconciler: options.reconciler.name })
  }

  start(): void {
    this.stopped = false
    this.scanWanted = true
    this.kick()
  }

  async stop(): Promise<void> {
    this.stopped = true
    this.cancelScan?.()
    for (const cancel of this.timers.values()) cancel()
    this.timers.clear()
    await this.running
  }

  /** Wakes one name, or a scan for all of them. */
  wake(name?: string): void {
    if (name === undefined) this.scanWanted = true
    else this.due.add(name)
    this.kick()
  }

  /** Resolves when nothing is queued; for tests and for a graceful stop. */
  async idle(): Promise<void> {
    while (this.running) await this.running
  }

  status(): ReconcilerStatus {
    return {
      name: this.reconciler.name,
      passes: this.passes,
      errors: this.errors,
      lastError: this.lastError,
      lastPassAtMs: this.lastPassAtMs,
      lastPassMs: this.lastPassMs,
      queued: this.due.size + this.timers.size,
    }
  }

  private kick(): void {
    if (this.stopped || this.running) return
    this.running = this.drain().finally(() => {
      this.running = null
      if (!this.stopped && (this.scanWanted || this.due.size > 0)) this.kick()
    })
  }

  private async drain(): Promise<void> {
    await Promise.resolve()
    if (this.scanWanted) await this.scan()
    for (const name of this.due) {
      if (this.stopped) return
      this.due.delete(name)
      await this.pass(name)
    }
  }

  private async scan(): Promise<void> {
    this.scanWanted = false
    this.cancelScan?.()
    try {
      for (const name of await this.reconciler.list()) this.due.add(name)
    } catch (error) {
      this.noteError(error, 'scan')
    }
    this.cancelScan = this.clock.after(this.reconciler.everyMs, () => this.wake())
  }

  private async pass(name: string): Promise<void> {
    const startedMs = this.clock.now()
    this.timers.get(name)?.()
    this.timers.delete(name)
    try {
      const result = await this.reconciler.reconcile(name)
      this.failures.delete(name)
      if (!result.settled && 'againMs' in result) this.later(name, result.againMs)
    } catch (error) {
      const count = (this.failures.get(name) ?? 0) + 1
      this.failures.set(name, count)
      this.noteError(error, name)
      this.later(name, Math.min(firstBackOffMs * 2 ** (count - 1), longestBackOffMs))
    }
    this.passes += 1
    this.lastPassAtMs = this.clock.now()
    this.lastPassMs = this.lastPassAtMs - startedMs
  }

  private later(name: string, delayMs: number): void {
    if (this.stopped) return
    this.timers.set(
      name,
      this.clock.after(delayMs, () => {
        this.timers.delete(name)
        this.wake(name)
      }),
    )
  }

  private noteError(error: unknown, name: string): void {
    this.errors += 1
    this.lastError = errorMessage(error)
    this.log.error({ err: error, name }, 'a pass failed and will be tried again')
  }
}
