import { errorMessage, type Clock, type Log } from '@mallee/base'
import type { InventoryBlob, InventoryEntry, InventoryItem, InventoryRemoval } from '@mallee/agent-contract'
import type { Ledger } from './ledger.ts'

/** Where an agent looks, and removes what the cloud found to be nobody's. */
export interface InventorySource {
  take(): Promise<{ readonly entries: readonly InventoryEntry[]; readonly problems: readonly string[] }>
  /** Looks for itself before it removes; rejects with the reason why it did not. Success where nothing is left. */
  remove(removal: InventoryRemoval): Promise<void>
}

const noteName = 'inventory'
const againMs = 1_000

/**
 * Answers each count of the inventory item once. That a count was begun is noted before anything is removed, so that
 * a restart looks again and removes nothing a second time.
 */
export class InventoryKeeper {
  private readonly deps: {
    ledger: Ledger
    source: InventorySource
    send: (blob: InventoryBlob) => Promise<void>
    clock: Clock
    log: Log
  }
  private sent = 0
  private running: Promise<void> | null = null
  private readonly stopping = new AbortController()

  constructor(deps: InventoryKeeper['deps']) {
    this.deps = deps
  }

  /** Looks at the desired set; returns at once. */
  refresh(): void {
    if (this.running || this.stopping.signal.aborted || this.asked() === null) return
    this.running = this.run().finally(() => {
      this.running = null
    })
  }

  async stop(): Promise<void> {
    this.stopping.abort()
    await this.running
  }

  private asked(): InventoryItem | null {
    const item = this.deps.ledger.list('inventory')[0]?.body
    return item && item.count !== this.sent ? item : null
  }

  private async run(): Promise<void> {
    for (let item = this.asked(); item && !this.stopping.signal.aborted; item = this.asked()) {
      try {
        await this.answer(item)
        this.sent = item.count
      } catch (error) {
        this.deps.log.warn({ count: item.count, reason: errorMessage(error) }, 'the inventory was not sent')
        await this.deps.clock.sleep(againMs, this.stopping.signal)
      }
    }
  }

  private async answer(item: InventoryItem): Promise<void> {
    const { ledger, source, send, clock } = this.deps
    const begun = ledger.note<{ count: number }>(noteName)?.count ?? 0
    const removals = []
    if (item.count > begun) {
      await ledger.setNote(noteName, { count: item.count })
      for (const removal of item.removals) removals.push(await this.remove(removal))
    }
    const { entries, problems } = await source.take()
    await send({
      count: item.count,
      takenAtMs: clock.now(),
      entries: [...entries],
      removals,
      problems: [...problems],
    })
  }

  private async remove(removal: InventoryRemoval) {
    const { kind, id } = removal
    try {
      await this.deps.source.remove(removal)
      this.deps.log.info({ kind, id }, 'removed: nobody owned it')
      return { kind, id, done: true, reason: null }
    } catch (error) {
      this.deps.log.warn({ kind, id, reason: errorMessage(error) }, 'not removed')
      return { kind, id, done: false, reason: errorMessage(error) }
    }
  }
}
