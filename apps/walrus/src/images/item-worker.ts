import type { Clock } from '@mallee/base'
import type { DesiredItem } from '@mallee/agent-contract'
import type { Ledger } from '@mallee/agent-kit'
import { finishImport } from './import/convert-disk.ts'

const retryMs = 5_000
/** Percent between two words about progress: each is a transaction of the cloud's. */
const progressStep = 5

type Kind = 'image-object' | 'disk-import'

/**
 * Items of one kind, settled one after the other, what is to go first: it makes room. What is under way and not wanted any
 * more is stopped; what fails is tried again, later or as soon as the set changes.
 */
export class ItemWorker<K extends Kind> {
  private readonly options: {
    readonly ledger: Ledger
    readonly kind: K
    /** Whether the item is one of these at all. */
    readonly concerns: (item: DesiredItem<K>) => boolean
    /** Of nobody else's; emptied before the first item: what an earlier life left. */
    readonly workDir: string
    readonly clock: Clock
    /** The signal aborts when the item is not wanted any more. */
    readonly settle: (item: DesiredItem<K>, signal: AbortSignal) => Promise<void>
    readonly onTrouble: (item: DesiredItem<K>, error: unknown) => void
    readonly afterAll?: () => Promise<void>
  }
  private readonly stopping = new AbortController()
  private current: { item: DesiredItem<K>; stop: AbortController } | null = null
  private running: Promise<void> | null = null
  private again = false
  private swept = false
  private nap: AbortController | null = null

  constructor(options: ItemWorker<K>['options']) {
    this.options = options
  }

  /** Looks at the desired set; returns at once. */
  refresh(): void {
    const { current } = this
    if (current && !current.item.body.remove && !this.isWanted(current.item.id)) current.stop.abort()
    this.again = true
    this.nap?.abort() // what was waited for may have come
    this.running ??= this.run().finally(() => {
      this.running = null
    })
  }

  async stop(): Promise<void> {
    this.stopping.abort()
    this.nap?.abort()
    this.current?.stop.abort()
    await this.running
  }

  private isWanted(id: string): boolean {
    const { ledger, kind, concerns } = this.options
    const item = ledger.get(kind, id)
    return item !== undefined && concerns(item) && !item.body.remove
  }

  private async run(): Promise<void> {
    const { ledger, kind, concerns, workDir, afterAll } = this.options
    if (!this.swept) await finishImport(workDir)
    this.swept = true
    while (this.again && !this.stopping.signal.aborted) {
      this.again = false
      const items = ledger.list(kind).filter(concerns)
      const inOrder = items.toSorted((a, b) => Number(!a.body.remove) - Number(!b.body.remove))
      for (const item of inOrder) {
        if (this.stopping.signal.aborted) return
        // The set may have changed while another one was settled.
        if (ledger.get(kind, item.id)?.digest === item.digest) await this.settle(item)
      }
      await afterAll?.()
    }
  }

  private async settle(item: DesiredItem<K>): Promise<void> {
    const stop = new AbortController()
    this.current = { item, stop }
    try {
      await this.options.settle(item, stop.signal)
    } catch (error) {
      this.options.onTrouble(item, error)
      this.nap = new AbortController()
      if (!this.stopping.signal.aborted) await this.options.clock.sleep(retryMs, this.nap.signal)
      this.again = true
    } finally {
      this.current = null
    }
  }
}

/** Tells of progress in steps, and at once that it begins. */
export function inSteps(tell: (percent: number) => void): (percent: number) => void {
  let said = -progressStep
  return (percent) => {
    if (percent < said + progressStep) return
    said = percent
    tell(Math.min(percent, 100))
  }
}
