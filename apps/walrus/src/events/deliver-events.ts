import { errorMessage, minuteMs, secondMs, type Clock, type Log } from '@mallee/base'
import type { Index } from '../index/tables.ts'

const perRound = 100
const answerMs = 10_000
const mostAttempts = 60
const longestPauseMs = 30 * minuteMs

/** How an event reaches a webhook; resolves when it was taken. */
export type SendEvent = (webhook: { url: string }, body: string, signal: AbortSignal) => Promise<void>

/**
 * Takes events from the index to their webhooks, each at least once: a row goes when its webhook has said that it took it.
 * One that does not answer is asked again at growing pauses, for about a day.
 */
export class EventDelivery {
  private readonly index: Index
  private readonly webhooks: Readonly<Record<string, { readonly url: string }>>
  private readonly clock: Clock
  private readonly log: Log
  private readonly send: SendEvent
  private readonly stopping = new AbortController()
  private running: Promise<void> | null = null
  private again = false

  constructor(options: {
    index: Index
    webhooks: Readonly<Record<string, { readonly url: string }>>
    clock: Clock
    log: Log
    send?: SendEvent
  }) {
    this.index = options.index
    this.webhooks = options.webhooks
    this.clock = options.clock
    this.log = options.log
    this.send = options.send ?? postEvent
  }

  /** Looks for what is due; returns at once. */
  wake(): void {
    this.again = true
    this.running ??= this.run()
      .catch((error: unknown) => this.log.warn({ reason: errorMessage(error) }, 'events wait'))
      .finally(() => {
        this.running = null
      })
  }

  async stop(): Promise<void> {
    this.stopping.abort()
    await this.running
  }

  /** Resolves when nothing that was due is left. */
  async settled(): Promise<void> {
    await this.running
  }

  private async run(): Promise<void> {
    while (this.again && !this.stopping.signal.aborted) {
      this.again = false
      const due = await this.index.read((db) =>
        db
          .selectFrom('event_delivery')
          .selectAll()
          .where('next_at', '<=', this.clock.now())
          .orderBy('id')
          .limit(perRound)
          .execute(),
      )
      const done = await Promise.allSettled(due.map((row) => this.deliver(row)))
      const failed = done.find((one) => one.status === 'rejected')
      if (failed) throw failed.reason
      if (due.length === perRound) this.again = true
    }
  }

  private async deliver(row: { id: number; webhook: string; body: string; attempts: number }): Promise<void> {
    const target = Object.hasOwn(this.webhooks, row.webhook) ? this.webhooks[row.webhook] : undefined
    const signal = AbortSignal.any([this.stopping.signal, AbortSignal.timeout(answerMs)])
    try {
      if (target) await this.send(target, row.body, signal)
      await this.index.transaction('report', (tx) =>
        tx.db.deleteFrom('event_delivery').where('id', '=', row.id).execute(),
      )
    } catch (error) {
      if (this.stopping.signal.aborted) return
      await this.postpone(row, error)
    }
  }

  private async postpone(
    row: { id: number; webhook: string; attempts: number },
    error: unknown,
  ): Promise<void> {
    const attempts = row.attempts + 1
    const given = attempts >= mostAttempts
    this.log.warn(
      { webhook: row.webhook, attempts, reason: errorMessage(error) },
      given ? 'an event was given up' : 'an event could not be delivered yet',
    )
    const pauseMs = Math.min(secondMs * 2 ** Math.min(attempts, 20), longestPauseMs)
    await this.index.transaction('report', async (tx) => {
      if (given) await tx.db.deleteFrom('event_delivery').where('id', '=', row.id).execute()
      else
        await tx.db
          .updateTable('event_delivery')
          .set({ attempts, next_at: this.clock.now() + pauseMs })
          .where('id', '=', row.id)
          .execute()
    })
  }
}

const postEvent: SendEvent = async ({ url }, body, signal) => {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
    redirect: 'error',
    signal,
  })
  await answer.body?.cancel()
  if (!answer.ok) throw new Error(`the webhook answered ${answer.status}`)
}
