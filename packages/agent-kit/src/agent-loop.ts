import { MalleeError, digestOf, errorMessage, systemClock, type Clock, type Log } from '@mallee/base'
import type { Observation, Report } from '@mallee/agent-contract'
import type { Cloud } from './cloud.ts'
import type { Ledger } from './ledger.ts'

/** Sequences of one start of an agent; far more than a start ever sends. */
const sequencesPerStart = 1_000_000_000
const firstBackOffMs = 200
const longestBackOffMs = 5_000

/**
 * The two loops of every agent: one waits for a newer desired set and keeps it, the other says what is. Observations
 * are levels: the last word on each thing, said again whole after every lost connection.
 */
export class AgentLoop {
  private readonly cloud: Cloud
  private readonly ledger: Ledger
  private readonly clock: Clock
  private readonly log: Log
  private readonly onDesired: () => void
  private readonly onForgotten: () => void
  private readonly fingerprint: () => Record<string, unknown>
  private readonly observations = new Map<string, { observation: Observation; digest: string }>()
  private readonly unsaid = new Set<string>()
  private readonly stopping = new AbortController()
  private undeclared: string[] = []
  private saidFingerprint = ''
  private sequence = 0
  private pollSeconds = 5
  private wakeReporter: (() => void) | null = null
  private running: Promise<unknown> | null = null

  constructor(options: {
    cloud: Cloud
    ledger: Ledger
    log: Log
    clock?: Clock
    onDesired: () => void
    /** The cloud says that the administrator declared this machine dead; said once. */
    onForgotten?: () => void
    fingerprint: () => Record<string, unknown>
  }) {
    this.cloud = options.cloud
    this.ledger = options.ledger
    this.log = options.log
    this.clock = options.clock ?? systemClock
    this.onDesired = options.onDesired
    this.onForgotten = options.onForgotten ?? (() => {})
    this.fingerprint = options.fingerprint
    this.sequence = this.ledger.starts * sequencesPerStart
  }

  start(): void {
    this.running = Promise.all([this.poll(), this.report()])
  }

  async stop(): Promise<void> {
    this.stopping.abort()
    this.wakeReporter?.()
    await this.running
  }

  /** Records what is; said to the cloud at once when it differs from what was said before. */
  observe(observation: Observation): void {
    const key = `${observation.kind} ${observation.id}`
    const digest = digestOf(observation)
    if (this.observations.get(key)?.digest === digest) return
    this.observations.set(key, { observation, digest })
    this.unsaid.add(key)
    this.wakeReporter?.()
  }

  /** Drops what was said of a thing that the set no longer declares. */
  forget(kind: Observation['kind'], id: string): void {
    const key = `${kind} ${id}`
    this.observations.delete(key)
    this.unsaid.delete(key)
  }

  observeUndeclared(ids: string[]): void {
    const sorted = ids.toSorted()
    if (sorted.join() === this.undeclared.join()) return
    this.undeclared = sorted
    this.wakeReporter?.()
  }

  /** Says the fingerprint again if it changed. */
  refreshFingerprint(): void {
    this.wakeReporter?.()
  }

  private async poll(): Promise<void> {
    let backOffMs = firstBackOffMs
    while (!this.stopping.signal.aborted) {
      try {
        const set = await this.cloud.desired(this.ledger.revision, this.pollSeconds, this.stopping.signal)
        backOffMs = firstBackOffMs
        if (!set) continue
        this.pollSeconds = set.pollSeconds
        if (await this.ledger.accept(set)) this.onDesired()
        else if (set.revision < this.ledger.revision) {
          this.log.error(
            { revision: set.revision, held: this.ledger.revision },
            'the cloud speaks of an older set; ignored',
          )
          await this.clock.sleep(longestBackOffMs, this.stopping.signal)
        }
      } catch (error) {
        if (this.stopping.signal.aborted) return
        if (error instanceof MalleeError && error.code === 'Forgotten') {
          this.log.error({}, 'the cloud has forgotten this agent: it hears and says nothing more')
          return this.onForgotten()
        }
        this.log.warn({ reason: errorMessage(error) }, 'no desired set')
        await this.clock.sleep(backOffMs, this.stopping.signal)
        backOffMs = Math.min(backOffMs * 2, longestBackOffMs)
      }
    }
  }

  private async report(): Promise<void> {
    let backOffMs = firstBackOffMs
    while (!this.stopping.signal.aborted) {
      const fingerprint = this.fingerprint()
      const digest = digestOf([fingerprint, this.undeclared])
      if (this.unsaid.size === 0 && digest === this.saidFingerprint) {
        await this.waitForNews()
        continue
      }
      const saying = [...this.unsaid]
      this.unsaid.clear()
      try {
        await this.cloud.observed(this.compose(saying, fingerprint))
        this.saidFingerprint = digest
        backOffMs = firstBackOffMs
      } catch (error) {
        for (const key of this.observations.keys()) this.unsaid.add(key)
        this.saidFingerprint = ''
        if (this.stopping.signal.aborted) return
        if (error instanceof MalleeError && error.code === 'Forgotten') return // the poll hears it too, and tells
        this.log.warn({ reason: errorMessage(error) }, 'the report did not arrive')
        await this.clock.sleep(backOffMs, this.stopping.signal)
        backOffMs = Math.min(backOffMs * 2, longestBackOffMs)
      }
    }
  }

  private compose(keys: string[], fingerprint: Record<string, unknown>): Report {
    this.sequence += 1
    const observations = keys.flatMap((key) => this.observations.get(key)?.observation ?? [])
    return {
      sequence: this.sequence,
      revision: this.ledger.revision,
      fingerprint,
      observations,
      undeclared: this.undeclared,
    }
  }

  private async waitForNews(): Promise<void> {
    const woken = new Promise<void>((resolve) => {
      this.wakeReporter = resolve
    })
    const timer = new AbortController()
    await Promise.race([woken, this.clock.sleep(30_000, timer.signal)])
    timer.abort()
    this.wakeReporter = null
  }
}
