import { errorMessage, MalleeError, type Clock, type Log } from '@mallee/base'
import type { DesiredItem, DomainItem } from '@mallee/agent-contract'

type Item = DesiredItem<'domain'>

const firstPauseMs = 2_000
const longestPauseMs = 60_000

/** What is known of one instance. */
interface Asked {
  /** The greatest count that was answered: sent, or refused for good. */
  answered: number
  /** The end of what is under way and of what waits for it. */
  sending: Promise<void> | null
  failures: number
  /** Milliseconds since the epoch; refreshes before it try nothing. */
  retryAtMs: number
}

/**
 * Sends one kind of blob of an instance (its console, its screen) whenever the cloud asks, which is when the counter in
 * its item grew beyond what was sent last. Refreshes come every few seconds: they start nothing while one is under way,
 * and after failures they try at growing pauses. What the cloud refuses for good is not sent again until it asks anew.
 */
export class AskedBlobs {
  private readonly deps: {
    /** For the log: what it is. */
    readonly what: string
    readonly countOf: (body: DomainItem) => number
    /** Takes it now and sends it under this count. */
    readonly send: (body: DomainItem, count: number) => Promise<void>
    readonly clock: Pick<Clock, 'now'>
    readonly log: Log
  }
  private readonly asked = new Map<string, Asked>()

  constructor(deps: AskedBlobs['deps']) {
    this.deps = deps
  }

  refresh(items: readonly Item[]): void {
    const { clock, countOf } = this.deps
    const present = new Set(items.map((item) => item.body.instanceId))
    for (const [id, { sending }] of this.asked) if (!present.has(id) && !sending) this.asked.delete(id)
    for (const item of items) {
      const count = countOf(item.body)
      const asked = this.asked.get(item.body.instanceId)
      const isDue = !asked || (!asked.sending && clock.now() >= asked.retryAtMs)
      if (isDue && count > (asked?.answered ?? 0)) void this.push(item)
    }
  }

  /** Sends what there is now, behind what is under way; a failure is logged and costs nothing else. */
  push(item: Item): Promise<void> {
    const asked = this.askedOf(item.body.instanceId)
    const done: Promise<void> = (asked.sending ?? Promise.resolve())
      .then(() => this.sendOne(item, asked))
      .finally(() => {
        if (asked.sending === done) asked.sending = null
      })
    asked.sending = done
    return done
  }

  private askedOf(instanceId: string): Asked {
    const known = this.asked.get(instanceId)
    if (known) return known
    const asked: Asked = { answered: 0, sending: null, failures: 0, retryAtMs: 0 }
    this.asked.set(instanceId, asked)
    return asked
  }

  private async sendOne(item: Item, asked: Asked): Promise<void> {
    const { what, clock, countOf, send, log } = this.deps
    const { instanceId } = item.body
    const count = countOf(item.body)
    const settle = () => {
      asked.answered = Math.max(asked.answered, count)
      asked.failures = 0
      asked.retryAtMs = 0
    }
    try {
      await send(item.body, count)
      settle()
    } catch (error) {
      log.warn({ instanceId, reason: errorMessage(error) }, `the ${what} was not sent`)
      if (error instanceof MalleeError && !error.retryable) return settle()
      asked.retryAtMs = clock.now() + Math.min(firstPauseMs * 2 ** asked.failures, longestPauseMs)
      asked.failures += 1
    }
  }
}
