import { errorMessage, type Log } from '@mallee/base'
import type { ReadableSnapshotFacts } from '@mallee/agent-contract'
import type { BlobKeeper } from '../drivers/blob-keeper.ts'
import { dropStaged, stagingOf } from '../index/staging-rows.ts'
import type { Index } from '../index/tables.ts'
import type { SnapshotDesired } from './known-snapshots.ts'

/**
 * Says how far walrus is with the blocks that clients write: that they are taken, that no more are, that they are gone.
 * It says so only of what every process that serves has heard, and is asked again when something did not succeed.
 */
export class StagingKeeper {
  private readonly options: {
    readonly index: Index
    readonly blobs: BlobKeeper
    readonly log: Log
    readonly observe: (item: SnapshotDesired, facts: ReadableSnapshotFacts) => void
    readonly forget: (id: string) => void
  }
  private readonly said = new Set<string>()
  private running: Promise<void> = Promise.resolve()
  private heard: readonly SnapshotDesired[] = []
  private stopped = false

  constructor(options: StagingKeeper['options']) {
    this.options = options
  }

  /** Every process acts by these. */
  settle(items: readonly SnapshotDesired[]): void {
    this.heard = items.filter(({ body }) => body.staging !== null)
    this.look()
  }

  /** Looks again at what was written, and does what is still to be done. */
  look(): void {
    this.running = this.running.then(() => this.work())
  }

  async stop(): Promise<void> {
    this.stopped = true
    await this.running
  }

  private async work(): Promise<void> {
    const items = this.heard
    for (const item of items) {
      if (this.stopped) return
      try {
        this.said.add(item.id)
        this.options.observe(item, await this.factsOf(item))
      } catch (error) {
        this.options.log.warn(
          { snapshotId: item.id, reason: errorMessage(error) },
          'trouble with blocks that were written; will be tried again',
        )
      }
    }
    const named = new Set(items.map(({ id }) => id))
    for (const id of this.said) {
      if (named.has(id)) continue
      this.said.delete(id)
      this.options.forget(id)
    }
  }

  private async factsOf({ id, body }: SnapshotDesired): Promise<ReadableSnapshotFacts> {
    if (body.staging === 'remove') {
      await this.remove(id)
      return { staging: 'gone', progress: 0, lastWrittenAtMs: null }
    }
    const row = await this.options.index.read((db) => stagingOf(db, id))
    const staging = body.staging === 'sealed' ? 'sealed' : 'open'
    return { staging, progress: row?.progress ?? 0, lastWrittenAtMs: row?.written_at ?? null }
  }

  async remove(id: string): Promise<void> {
    const { index, blobs } = this.options
    for (let isLast = false; !isLast && !this.stopped;) {
      const removed = await index.transaction('action', (tx) => dropStaged(tx, id))
      blobs.forget(removed.dropped)
      isLast = removed.isLast
    }
    if (this.stopped) throw new Error('stopped before all was removed')
  }
}
