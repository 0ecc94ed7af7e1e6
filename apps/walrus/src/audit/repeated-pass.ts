import { errorMessage, type Log } from '@mallee/base'

/** Work that is done every so often, and as soon as it is woken; one pass at a time, and one that fails waits for the next. */
export class RepeatedPass {
  private readonly options: {
    readonly everyMs: number
    /** Ends early when the signal aborts. */
    readonly pass: (signal: AbortSignal) => Promise<void>
    /** What is logged of a pass that failed. */
    readonly waits: string
    readonly log: Log
  }
  private readonly stopping = new AbortController()
  private timer: NodeJS.Timeout | null = null
  private running: Promise<void> | null = null

  constructor(options: RepeatedPass['options']) {
    this.options = options
  }

  start(): void {
    this.timer = setInterval(() => this.wake(), this.options.everyMs)
    this.wake()
  }

  wake(): void {
    const { pass, waits, log } = this.options
    this.running ??= pass(this.stopping.signal)
      .catch((error: unknown) => log.debug({ reason: errorMessage(error) }, waits))
      .finally(() => {
        this.running = null
      })
  }

  async stop(): Promise<void> {
    if (this.timer) clearInterval(this.timer)
    this.stopping.abort()
    await this.running
  }
}
