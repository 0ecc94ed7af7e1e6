import { errorMessage, type Log } from '@mallee/base'
import type { DesiredItem, DomainItem } from '@mallee/agent-contract'

type Item = DesiredItem<'domain'>

/**
 * Sends one kind of blob of an instance (its console, its screen) whenever the cloud asks, which is when the counter in
 * its item grew beyond what was sent last.
 */
export class AskedBlobs {
  private readonly deps: {
    /** For the log: what it is. */
    readonly what: string
    readonly countOf: (body: DomainItem) => number
    /** Takes it now and sends it under this count. */
    readonly send: (body: DomainItem, count: number) => Promise<void>
    readonly log: Log
  }
  private readonly sent = new Map<string, number>()
  private readonly sending = new Map<string, Promise<void>>()

  constructor(deps: AskedBlobs['deps']) {
    this.deps = deps
  }

  refresh(items: readonly Item[]): void {
    const present = new Set(items.map((item) => item.body.instanceId))
    for (const id of this.sent.keys()) if (!present.has(id)) this.sent.delete(id)
    for (const item of items) {
      if (this.deps.countOf(item.body) > (this.sent.get(item.body.instanceId) ?? 0)) void this.push(item)
    }
  }

  /** Sends what there is now; a failure is logged and costs nothing else. */
  push(item: Item): Promise<void> {
    const id = item.body.instanceId
    const before = this.sending.get(id) ?? Promise.resolve()
    const done: Promise<void> = before
      .then(() => this.sendOne(item))
      .finally(() => {
        if (this.sending.get(id) === done) this.sending.delete(id)
      })
    this.sending.set(id, done)
    return done
  }

  private async sendOne(item: Item): Promise<void> {
    const { what, countOf, send, log } = this.deps
    const { instanceId } = item.body
    const count = countOf(item.body)
    try {
      await send(item.body, count)
      this.sent.set(instanceId, count)
    } catch (error) {
      log.warn({ instanceId, reason: errorMessage(error) }, `the ${what} was not sent`)
    }
  }
}
