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
  /** Where time alone changes things: how long until the next scan, asked after each. `everyMs` where absent. */
  nextScanMs?(): number
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
  /** How long the name that waits longest is due; 0 where none is. */
  readonly lagMs: number
  readonly lastScanAtMs: number | null
  /** Since when the present pass runs; null between passes. */
  readonly passSinceMs: number | null
  readonly stopped: boolean
}

/** Told of each pass, for figures. */
export type PassObserver = (pass: {
  readonly reconciler: string
  readonly name: string
  readonly seconds: number
  /** Between the wake and the pass. */
  readonly waitedSeconds: number
  readonly failed: boolean
}) => void

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
  private readonly onPass: PassObserver
  /** Names and since when they are due. */
  private readonly due = new Map<string, number>()
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
  private lastScanAtMs: number | null = null
  private passSinceMs: number | null = null

  constructor(options: { reconciler: Reconciler; clock: Clock; log: Log; onPass?: PassObserver }) {
    this.onPass = options.onPass ?? (() => {})
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
    else this.mark(name)
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
      lagMs: this.lagMs(),
      lastScanAtMs: this.lastScanAtMs,
      passSinceMs: this.passSinceMs,
      stopped: this.stopped,
    }
  }

  private lagMs(): number {
    const [oldestMs] = this.due.values()
    return oldestMs === undefined ? 0 : this.clock.now() - oldestMs
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
    for (const [name, dueMs] of this.due) {
      if (this.stopped) return
      this.due.delete(name)
      await this.pass(name, dueMs)
    }
  }

  private async scan(): Promise<void> {
    this.scanWanted = false
    this.cancelScan?.()
    try {
      for (const name of await this.reconciler.list()) this.mark(name)
      this.lastScanAtMs = this.clock.now()
    } catch (error) {
      this.noteError(error, 'scan')
    }
    const nextMs = this.reconciler.nextScanMs?.() ?? this.reconciler.everyMs
    this.cancelScan = this.clock.after(nextMs, () => this.wake())
  }

  private mark(name: string): void {
    if (!this.due.has(name)) this.due.set(name, this.clock.now())
  }

  private async pass(name: string, dueMs: number): Promise<void> {
    const startedMs = this.clock.now()
    this.passSinceMs = startedMs
    let failed = false
    this.timers.get(name)?.()
    this.timers.delete(name)
    try {
      const result = await this.reconciler.reconcile(name)
      this.failures.delete(name)
      if (!result.settled && 'againMs' in result) this.later(name, result.againMs)
    } catch (error) {
      failed = true
      const count = (this.failures.get(name) ?? 0) + 1
      this.failures.set(name, count)
      this.noteError(error, name)
      this.later(name, Math.min(firstBackOffMs * 2 ** (count - 1), longestBackOffMs))
    }
    this.passes += 1
    this.lastPassAtMs = this.clock.now()
    this.lastPassMs = this.lastPassAtMs - startedMs
    this.passSinceMs = null
    this.onPass({
      reconciler: this.reconciler.name,
      name,
      seconds: this.lastPassMs / 1000,
      waitedSeconds: (startedMs - dueMs) / 1000,
      failed,
    })
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
