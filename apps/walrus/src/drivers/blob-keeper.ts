import { errorMessage, type Log } from '@mallee/base'
import type { Blob, BlobDriver, BlobWriter, Space } from './blob-driver.ts'

/**
 * Bytes leave the disk after the index has forgotten them, and not while somebody still reads them: a download that
 * began before a delete ends whole. A removal that a crash swallows is made good by the sweep of the next start.
 */
export class BlobKeeper {
  private readonly driver: BlobDriver
  private readonly log: Log
  private readonly onBytes: { written(bytes: number): void; read(bytes: number): void }
  private readonly pins = new Map<string, number>()
  private readonly doomed = new Set<string>()
  private readonly removals = new Set<Promise<void>>()

  constructor(options: {
    driver: BlobDriver
    log: Log
    /** Told of bytes that were stored and read, for figures. */
    onBytes?: { written(bytes: number): void; read(bytes: number): void }
  }) {
    this.onBytes = options.onBytes ?? { written() {}, read() {} }
    this.driver = options.driver
    this.log = options.log
  }

  get driverName(): string {
    return this.driver.name
  }

  async create(): Promise<BlobWriter> {
    const writer = await this.driver.create()
    return {
      write: (chunk) => writer.write(chunk),
      finish: async () => {
        const blob = await writer.finish()
        this.onBytes.written(blob?.sizeBytes ?? 0)
        return blob
      },
      discard: () => writer.discard(),
    }
  }

  async *read(blob: Blob, start: number, end: number): AsyncGenerator<Buffer, void, void> {
    for await (const chunk of this.driver.read(blob, start, end)) {
      this.onBytes.read(chunk.length)
      yield chunk
    }
  }

  space(): Promise<Space> {
    return this.driver.space()
  }

  list(): AsyncIterable<string> {
    return this.driver.list()
  }

  changedAtMs(id: string): Promise<number | null> {
    return this.driver.changedAtMs(id)
  }

  listUnfinished(): Promise<{ id: string; changedAtMs: number }[]> {
    return this.driver.listUnfinished()
  }

  removeUnfinished(id: string): Promise<void> {
    return this.driver.removeUnfinished(id)
  }

  /** Whether somebody still reads it. */
  isHeld(id: string): boolean {
    return this.pins.has(id)
  }

  /** Removes bytes of which the caller knows that no row names them and nobody reads them; unlike `forget` it rejects. */
  removeNow(id: string): Promise<void> {
    return this.driver.remove(id)
  }

  /** Keeps the bytes until the returned function is called; calling it twice is harmless. */
  pin(ids: readonly string[]): () => void {
    for (const id of ids) this.pins.set(id, (this.pins.get(id) ?? 0) + 1)
    let held = true
    return () => {
      if (!held) return
      held = false
      for (const id of ids) this.unpin(id)
    }
  }

  /** Removes bytes that no row names any more. */
  forget(ids: readonly string[]): void {
    for (const id of ids) {
      if (this.pins.has(id)) this.doomed.add(id)
      else this.remove(id)
    }
  }

  /** Removes every blob that `isKnown` does not know; run before anything is received. Answers how many went. */
  async sweep(isKnown: (id: string) => boolean): Promise<number> {
    let removed = 0
    for await (const id of this.driver.list()) {
      if (isKnown(id)) continue
      await this.driver.remove(id)
      removed += 1
    }
    return removed
  }

  /** Resolves when all removals that were begun are done. */
  async settled(): Promise<void> {
    while (this.removals.size > 0) await Promise.all(this.removals)
  }

  private unpin(id: string): void {
    const left = (this.pins.get(id) ?? 1) - 1
    if (left > 0) return void this.pins.set(id, left)
    this.pins.delete(id)
    if (this.doomed.delete(id)) this.remove(id)
  }

  private remove(id: string): void {
    const removal = this.driver
      .remove(id)
      .catch((error: unknown) => {
        this.log.warn({ blob: id, reason: errorMessage(error) }, 'bytes could not be removed yet')
      })
      .finally(() => this.removals.delete(removal))
    this.removals.add(removal)
  }
}
