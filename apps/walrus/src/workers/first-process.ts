import type { MetricsSnapshot } from '@mallee/service-kit'
import type { BlobOwner } from '../drivers/blob-keeper.ts'
import type { ToFirst, ToWorker } from './messages.ts'

type Begin = ToWorker & { say: 'begin' }

/** Walrus' first process, as a worker sees it. */
export class FirstProcess implements BlobOwner {
  private readonly begun = Promise.withResolvers<Begin>()
  /** The claim of the data folder, as long as this process lives. */
  readonly held: unknown[] = []

  constructor() {
    process.on('message', (message: ToWorker, handle?: unknown) => {
      if (message.say !== 'begin') return
      this.held.push(handle)
      this.begun.resolve(message)
    })
    this.say({ say: 'here' })
  }

  /** What it says when it has given its hold on the data folder to this process too. */
  begin(): Promise<Begin> {
    return this.begun.promise
  }

  on(hear: (message: Exclude<ToWorker, Begin>) => void): void {
    process.on('message', (message: ToWorker) => {
      if (message.say !== 'begin') hear(message)
    })
  }

  serving(address: string): void {
    this.say({ say: 'serving', address })
  }

  believed(count: number): void {
    this.say({ say: 'believed', count })
  }

  counted(figures: MetricsSnapshot): void {
    this.say({ say: 'counted', figures })
  }

  eventsWait(): void {
    this.say({ say: 'events wait' })
  }

  forget(ids: readonly string[]): void {
    this.say({ say: 'forget', ids })
  }

  released(ids: readonly string[]): void {
    this.say({ say: 'released', ids })
  }

  /** Resolves when all that was said has been handed over. */
  async settled(): Promise<void> {
    while (this.unsaid.size > 0) await Promise.all(this.unsaid)
  }

  private readonly unsaid = new Set<Promise<void>>()

  private say(message: ToFirst): void {
    // Where it has ended this process ends too: node:cluster sees to that.
    const said = new Promise<void>((resolve) => {
      if (!process.send?.(message, undefined, undefined, () => resolve())) resolve()
    }).finally(() => this.unsaid.delete(said))
    this.unsaid.add(said)
  }
}
