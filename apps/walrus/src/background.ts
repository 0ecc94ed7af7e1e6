import { errorMessage, hourMs, minuteMs, secondMs, type Clock, type Log, type Random } from '@mallee/base'
import type { WalrusConfig } from './config.ts'
import { EventDelivery } from './events/deliver-events.ts'
import { runLifecycle } from './lifecycle/lifecycle-run.ts'
import { AccessLog } from './logging/access-log.ts'
import type { ObjectSource } from './objects/open-object.ts'
import { Scrubber } from './scrub/scrubber.ts'

const eventsEveryMs = 30 * secondMs
/** How often access logs are put into their buckets. */
export const logsEveryMs = 5 * minuteMs

/** A terabyte in a day and a half, at a hundredth of what a disk can read. */
const scrubBytesPerSecond = 8 * 1024 * 1024

/** What walrus does without being asked: events, access logs, lifecycles, the scrub. */
export class Background {
  readonly events: EventDelivery
  readonly accessLog: AccessLog
  private readonly options: {
    readonly config: WalrusConfig
    readonly source: ObjectSource
    readonly clock: Clock
    readonly random: Random
    readonly log: Log
    readonly onScrubbed: (bytes: number) => void
  }
  private scrubbing: Promise<void> = Promise.resolve()
  private readonly stopping = new AbortController()
  private readonly timers: NodeJS.Timeout[] = []
  private running: Promise<unknown> = Promise.resolve()

  constructor(options: Background['options']) {
    this.options = options
    const { config, source, clock, random, log } = options
    this.events = new EventDelivery({ index: source.index, webhooks: config.webhooks ?? {}, clock, log })
    this.accessLog = new AccessLog({ source, clock, random, log })
  }

  start(): void {
    this.events.wake()
    this.every(eventsEveryMs, () => this.events.wake())
    this.every(logsEveryMs, () => this.one('access logs', () => this.accessLog.deliver()))
    const { lifecycleSeconds } = this.options.config
    this.every(lifecycleSeconds === undefined ? hourMs : lifecycleSeconds * secondMs, () =>
      this.one('lifecycle', () => this.runLifecycle()),
    )
    this.startScrub()
  }

  /** Follows all lifecycles once. */
  async runLifecycle(): Promise<void> {
    const { source, clock, random, log, config } = this.options
    const done = await runLifecycle(
      { ...source, clock, random, log, region: config.region, wakeEvents: () => this.events.wake() },
      this.stopping.signal,
    )
    if (done.expired + done.aborted > 0) log.info(done, 'followed lifecycles')
  }

  async stop(): Promise<void> {
    this.stopping.abort()
    for (const timer of this.timers) clearInterval(timer)
    await this.running
    await this.scrubbing
    await this.events.stop()
    await this.accessLog.deliver()
  }

  private startScrub(): void {
    const { config, source, clock, log, onScrubbed } = this.options
    const bytesPerSecond = config.scrubBytesPerSecond ?? scrubBytesPerSecond
    if (bytesPerSecond === 0) return
    const { index, blobs } = source
    const scrubber = new Scrubber({ index, blobs, bytesPerSecond, clock, log, onBytes: onScrubbed })
    const { signal } = this.stopping
    const again = async (): Promise<void> => {
      while (!signal.aborted) {
        await scrubber
          .run(signal)
          .catch((error: unknown) => log.warn({ reason: errorMessage(error) }, 'the scrub was interrupted'))
        await clock.sleep(minuteMs, signal)
      }
    }
    this.scrubbing = again()
  }

  private every(ms: number, work: () => void): void {
    const timer = setInterval(work, ms)
    timer.unref()
    this.timers.push(timer)
  }

  /** One thing at a time: none of them is in a hurry. */
  private one(what: string, work: () => Promise<void>): void {
    this.running = this.running.then(async () => {
      if (this.stopping.signal.aborted) return
      await work().catch((error: unknown) =>
        this.options.log.warn({ reason: errorMessage(error) }, `${what} failed`),
      )
    })
  }
}
