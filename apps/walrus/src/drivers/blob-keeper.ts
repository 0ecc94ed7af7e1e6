import { errorMessage, systemClock, systemRandom, type Clock, type Log } from '@mallee/base'
import type { Blob, BlobDriver, BlobWriter, ReadHow, Space } from './blob-driver.ts'
import { tagOf } from './blob-id.ts'
import { isSmall, smallBlob, smallBytesOf, SmallFirstWriter } from './small-bytes.ts'

/** How old a figure of the free space may be, and from where on: less could be gone in that time. */
const spaceMs = 250
const plentyBytes = 1024 ** 3

/** Other processes that read and write the same bytes, where there are any. */
export interface OtherProcesses {
  /**
   * Calls `gone` of each blob when none of them reads it any more. No row names it by now, so that whoever does not read
   * it will not begin to.
   */
  letGo(ids: readonly string[], gone: (id: string) => void): void
  /** Whether one of them, which lives, may be writing it. */
  mayWrite(id: string): boolean
}

/** The process that removes bytes, for one that only reads and writes them. */
export interface BlobOwner {
  /** No row names them any more. */
  forget(ids: readonly string[]): void
  /** Nobody here reads them, or will. */
  released(ids: readonly string[]): void
}

/**
 * Bytes leave the disk after the index has forgotten them, and not while somebody still reads them: a download that
 * began before a delete ends whole. A removal that a crash swallows is made good by the sweep of the next start.
 */
export class BlobKeeper {
  private readonly driver: BlobDriver
  private readonly log: Log
  private readonly onBytes: { written(bytes: number): void; read(bytes: number): void }
  private readonly smallBytes: number
  private readonly clock: Clock
  private lastSpace: { readonly atMs: number; readonly space: Space } | null = null
  private readonly pins = new Map<string, number>()
  private readonly doomed = new Set<string>()
  /** Forgotten, and perhaps still read by another process. */
  private readonly leaving = new Set<string>()
  private readonly removals = new Set<Promise<void>>()
  private readonly others: OtherProcesses | null
  private readonly owner: BlobOwner | null

  constructor(options: {
    driver: BlobDriver
    log: Log
    /** Told of bytes that were stored and read, for figures. */
    onBytes?: { written(bytes: number): void; read(bytes: number): void }
    /** Blobs up to this size are kept in the index; none where it is not said. */
    smallBytes?: number
    clock?: Clock
    others?: OtherProcesses
    owner?: BlobOwner
  }) {
    this.others = options.others ?? null
    this.owner = options.owner ?? null
    this.smallBytes = options.smallBytes ?? 0
    this.clock = options.clock ?? systemClock
    this.onBytes = options.onBytes ?? { written() {}, read() {} }
    this.driver = options.driver
    this.log = options.log
  }

  get driverName(): string {
    return this.driver.name
  }

  async create(): Promise<BlobWriter> {
    const writer = await this.writer()
    return {
      write: (chunk, given) => writer.write(chunk, given),
      finish: async () => {
        const blob = await writer.finish()
        this.onBytes.written(blob?.sizeBytes ?? 0)
        return blob
      },
      discard: () => writer.discard(),
    }
  }

  /** Whether so few bytes are kept in the index. */
  isFew(sizeBytes: number): boolean {
    return sizeBytes <= this.smallBytes
  }

  /** Few bytes that are there all at once; null where there are none. The row that is made of it makes them durable. */
  keepFew(bytes: Buffer): Blob | null {
    this.onBytes.written(bytes.length)
    return smallBlob(bytes, this.clock, systemRandom)
  }

  private writer(): BlobWriter | Promise<BlobWriter> {
    const create = () => this.driver.create()
    if (this.smallBytes === 0) return create()
    const { clock, smallBytes: mostBytes } = this
    return new SmallFirstWriter({ mostBytes, clock, random: systemRandom, create })
  }

  /** The bytes of a blob that the index gave with it. Throws `BlobDamaged`. */
  readSmall(blob: Blob, start: number, end: number): Buffer {
    const bytes = smallBytesOf(blob).subarray(start, end)
    this.onBytes.read(bytes.length)
    return bytes
  }

  async *read(blob: Blob, start: number, end: number, how: ReadHow = {}): AsyncGenerator<Buffer, void, void> {
    if (isSmall(blob.id)) {
      if (start < end) yield this.readSmall(blob, start, end)
      return
    }
    for await (const chunk of this.driver.read(blob, start, end, how)) {
      this.onBytes.read(chunk.length)
      yield chunk
    }
  }

  /** Reads and checks all of a blob for nobody; gives the sizes of its pieces. Throws as `read`, and what the disk says. */
  async *inspect(blob: Blob): AsyncGenerator<number, void, void> {
    if (isSmall(blob.id)) {
      yield smallBytesOf(blob).length
      return
    }
    for await (const piece of this.driver.read(blob, 0, blob.sizeBytes, { reuse: true })) yield piece.length
  }

  /** As it was a moment ago, as long as there is plenty. */
  async space(): Promise<Space> {
    const nowMs = this.clock.now()
    const last = this.lastSpace
    if (last && nowMs >= last.atMs && nowMs - last.atMs < spaceMs && last.space.freeBytes > plentyBytes)
      return last.space
    const space = await this.driver.space()
    this.lastSpace = { atMs: nowMs, space }
    return space
  }

  list(): AsyncIterable<string> {
    return this.driver.list()
  }

  changedAtMs(id: string): Promise<number | null> {
    return this.driver.changedAtMs(id)
  }

  async listUnfinished(): Promise<{ id: string; changedAtMs: number }[]> {
    const found = await this.driver.listUnfinished()
    return found.filter(({ id }) => this.others?.mayWrite(id) !== true)
  }

  async removeUnfinished(id: string): Promise<void> {
    if (this.others?.mayWrite(id)) throw new TypeError('not the id of something unfinished')
    await this.driver.removeUnfinished(id)
  }

  /** Whether somebody still reads it. */
  isHeld(id: string): boolean {
    return this.pins.has(id) || this.leaving.has(id)
  }

  /** Removes bytes of which the caller knows that no row names them and nobody reads them; unlike `forget` it rejects. */
  async removeNow(id: string): Promise<void> {
    if (!isSmall(id)) await this.driver.remove(id)
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
    const large = ids.filter((id) => !isSmall(id)) // the others are gone with their rows
    if (large.length === 0) return
    if (this.owner) return this.owner.forget(large)
    if (!this.others) return this.forgetHere(large)
    for (const id of large) this.leaving.add(id)
    this.others.letGo(large, (id) => {
      this.leaving.delete(id)
      this.forgetHere([id])
    })
  }

  /** The same, where no other process reads them. */
  forgetHere(ids: readonly string[]): void {
    for (const id of ids) {
      if (this.pins.has(id)) this.doomed.add(id)
      else this.remove(id)
    }
  }

  /** Removes what a worker that has died left behind: what it was writing, and what it had not named yet. */
  async sweepAfter(tag: string, isKnown: (id: string) => Promise<boolean>): Promise<number> {
    const unfinished = (await this.listUnfinished()).filter(({ id }) => tagOf(id) === tag)
    for (const { id } of unfinished) await this.removeUnfinished(id)
    const unnamed: string[] = []
    for await (const id of this.driver.list()) {
      if (tagOf(id) === tag && !this.isHeld(id) && !(await isKnown(id))) unnamed.push(id)
    }
    this.forget(unnamed) // somebody may still read what is named no more
    return unfinished.length + unnamed.length
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
    if (this.owner) return this.owner.released([id])
    const removal = this.driver
      .remove(id)
      .catch((error: unknown) => {
        this.log.warn({ blob: id, reason: errorMessage(error) }, 'bytes could not be removed yet')
      })
      .finally(() => this.removals.delete(removal))
    this.removals.add(removal)
  }
}
