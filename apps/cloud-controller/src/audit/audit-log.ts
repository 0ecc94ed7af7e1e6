import { MalleeError, type Log } from '@mallee/base'
import type { StateStore } from '@mallee/state-store'
import { insertApiCalls } from '../store/api-call-store.ts'
import type { Tables } from '../store/tables.ts'
import { mustBeKept, type ApiCall } from './api-call.ts'

/** Lines of one transaction, and lines that wait at most: beyond, nobody is answered. */
const mostTogether = 500
const mostWaiting = 10_000

/** Between two tries where the record takes nothing. */
const againMs = 500

interface Waiting {
  readonly call: ApiCall
  /** Called once, when the line is durable or could not be made so yet. */
  readonly settle: (error: unknown) => void
}

/**
 * Writes the lines of calls in the order in which they were answered, as many together as came while the last were written, and
 * tells each caller when its line is on disk. A line that could not be written stays and is tried again: a call that was done is
 * never left out because nobody could be told of it (docs/rfd/0007).
 */
export class AuditLog {
  readonly #record: StateStore<Tables>
  readonly #log: Log
  readonly #sleep: (ms: number) => Promise<void>
  #waiting: Waiting[] = []
  #running: Promise<void> | null = null
  #closing = false

  constructor(deps: {
    readonly record: StateStore<Tables>
    readonly log: Log
    readonly clock: { sleep(ms: number): Promise<void> }
  }) {
    this.#record = deps.record
    this.#log = deps.log
    this.#sleep = (ms) => deps.clock.sleep(ms)
  }

  /**
   * Resolves when the line is on disk. Throws `Unavailable` where it is not and the answer must not go out without it; a call that
   * changed nothing is answered all the same, as long as its line can wait.
   */
  async keep(call: ApiCall): Promise<void> {
    if (this.#waiting.length >= mostWaiting) throw new AuditUnavailable(null)
    const failed = await new Promise<unknown>((resolve) => {
      this.#waiting.push({ call, settle: resolve })
      this.#running ??= this.#drain()
    })
    if (failed !== null && mustBeKept(call)) throw new AuditUnavailable(failed)
  }

  /** Lines that are not on disk yet. */
  get waiting(): number {
    return this.#waiting.length
  }

  /** Writes what is left; what even now cannot be written is said in the log. */
  async close(): Promise<void> {
    this.#closing = true
    await this.#running
  }

  async #drain(): Promise<void> {
    // Calls that are answered in the same turn share the first transaction.
    await new Promise((resolve) => setImmediate(resolve))
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, mostTogether)
      try {
        await this.#record.transaction('report', (tx) =>
          insertApiCalls(
            tx,
            batch.map(({ call }) => call),
          ),
        )
        this.#waiting.splice(0, batch.length)
        for (const { settle } of batch) settle(null)
      } catch (error) {
        this.#log.error({ err: error, lines: this.#waiting.length }, 'the audit cannot be written')
        for (const { settle } of this.#waiting) settle(error)
        if (this.#closing) break
        await this.#sleep(againMs)
      }
    }
    this.#running = null
  }
}

/** Keeps nothing: for measuring what keeping costs. */
export const unaudited: Pick<AuditLog, 'keep' | 'close'> = {
  keep: () => Promise.resolve(),
  close: () => Promise.resolve(),
}

/** Thrown instead of an answer: the call has its line already, or never gets an answer. */
export class AuditUnavailable extends MalleeError {
  constructor(cause: unknown) {
    super({
      code: 'Unavailable',
      publicMessage: 'The call could not be recorded. It may have been performed.',
      retryable: true,
      cause,
    })
  }
}
