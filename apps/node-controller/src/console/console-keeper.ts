import { errorMessage, type Clock, type Log } from '@mallee/base'
import { maxBlobBytes, type ConsoleBlob, type DesiredItem } from '@mallee/agent-contract'
import type { GuestPreparer } from '../steps/guest-preparer.ts'

/**
 * Sends a console's last bytes when the cloud asks (its counter grew), and once before an instance's files go, so that
 * a terminated instance can still be read.
 */
export class ConsoleKeeper {
  private readonly deps: {
    preparer: GuestPreparer
    send: (instanceId: string, blob: ConsoleBlob) => Promise<void>
    clock: Clock
    log: Log
  }
  private readonly sent = new Map<string, number>()
  private readonly sending = new Map<string, Promise<void>>()

  constructor(deps: ConsoleKeeper['deps']) {
    this.deps = deps
  }

  refresh(items: readonly DesiredItem<'domain'>[]): void {
    const present = new Set(items.map((item) => item.body.instanceId))
    for (const id of this.sent.keys()) if (!present.has(id)) this.sent.delete(id)
    for (const item of items) {
      if (item.body.consoleCount > (this.sent.get(item.body.instanceId) ?? 0)) void this.push(item)
    }
  }

  /** Sends what there is now; a failure is logged and costs nothing else. */
  push(item: DesiredItem<'domain'>): Promise<void> {
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

  private async sendOne(item: DesiredItem<'domain'>): Promise<void> {
    const { preparer, send, clock, log } = this.deps
    const { instanceId, consoleCount } = item.body
    try {
      const output = await preparer.readConsole(item.body, maxBlobBytes)
      await send(instanceId, {
        count: consoleCount,
        takenAtMs: clock.now(),
        output: output.toString('base64'),
      })
      this.sent.set(instanceId, consoleCount)
    } catch (error) {
      log.warn({ instanceId, reason: errorMessage(error) }, 'the console was not sent')
    }
  }
}
