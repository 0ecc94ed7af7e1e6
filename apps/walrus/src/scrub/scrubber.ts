import { dayMs, errorMessage, secondMs, type Clock, type Log } from '@mallee/base'
import type { BlobKeeper } from '../drivers/blob-keeper.ts'
import { storedBlob } from '../index/blob-rows.ts'
import {
  forgetDamage,
  isDamaged,
  namesOfBlob,
  nextBlob,
  noteDamage,
  saveScrubPosition,
  scrubPosition,
} from '../index/scrub-rows.ts'
import type { BlobTable, Index } from '../index/tables.ts'

/** A round is not begun sooner than this after the one before: a small store is not read all day. */
const roundEveryMs = dayMs
/** How often the position is put down; after a restart so much is read again. */
const saveEveryMs = 30 * secondMs
const mostNames = 10

export interface ScrubReport {
  readonly bytes: number
  readonly blobs: number
  readonly damaged: number
}

/**
 * Reads every blob again, slowly, and checks each block as if a client were to get it: damage is found while a backup of
 * the bytes may still exist. It removes and mends nothing; what it finds is logged, counted and in walrus' inventory, which
 * `mallee fsck` lists.
 */
export class Scrubber {
  private readonly options: {
    readonly index: Index
    readonly blobs: BlobKeeper
    readonly bytesPerSecond: number
    readonly clock: Clock
    readonly log: Log
    readonly onBytes: (bytes: number) => void
  }

  constructor(options: Scrubber['options']) {
    this.options = options
  }

  /** Round after round until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, index, log } = this.options
    while (!signal.aborted) {
      const position = await index.read(scrubPosition)
      const idleMs = position?.ended_at == null ? 0 : position.ended_at + roundEveryMs - clock.now()
      if (idleMs > 0) {
        await clock.sleep(idleMs, signal)
        continue
      }
      const report = await this.round(signal)
      if (report) log.info({ ...report }, 'every byte was read again')
    }
  }

  /** From where the last one was broken off, or from the beginning; null where the signal ends it. */
  async round(signal: AbortSignal): Promise<ScrubReport | null> {
    const { clock, index } = this.options
    const position = await index.read(scrubPosition)
    const resumes = position !== null && position.ended_at === null
    const beganAt = resumes ? position.began_at : clock.now()
    let after = resumes ? position.after : ''
    let savedMs = clock.now()
    const report = { bytes: 0, blobs: 0, damaged: 0 }
    const save = (endedAt: number | null) =>
      index.transaction('report', (tx) =>
        saveScrubPosition(tx, { after, began_at: beganAt, ended_at: endedAt }),
      )
    for (;;) {
      const row = signal.aborted ? null : await index.read((db) => nextBlob(db, after))
      if (signal.aborted) {
        await save(null)
        return null
      }
      if (!row) break
      const intact = await this.check(row, signal)
      if (intact === null) continue // broken off in the middle: it counts as not read
      after = row.id
      report.blobs += 1
      report.bytes += row.size
      if (!intact) report.damaged += 1
      if (clock.now() - savedMs < saveEveryMs) continue
      await save(null)
      savedMs = clock.now()
    }
    await save(clock.now())
    return report
  }

  private async check(row: BlobTable, signal: AbortSignal): Promise<boolean | null> {
    const { index, blobs } = this.options
    const release = blobs.pin([row.id])
    try {
      for await (const bytes of blobs.inspect(storedBlob(row))) {
        await this.pace(bytes, signal)
        if (signal.aborted) return null
      }
      // Few were ever damaged; a transaction for each that is well would be one commit a blob.
      if (await index.read((db) => isDamaged(db, row.id)))
        await index.transaction('report', (tx) => forgetDamage(tx, row.id))
      return true
    } catch (error) {
      return !(await this.damaged(row, errorMessage(error)))
    } finally {
      release()
    }
  }

  /** Keeps to the rate: after some bytes it rests as long as they may take. */
  private async pace(bytes: number, signal: AbortSignal): Promise<void> {
    const { bytesPerSecond, clock, onBytes } = this.options
    onBytes(bytes)
    await clock.sleep((bytes / bytesPerSecond) * secondMs, signal)
  }

  /** False where the blob was deleted while it was read. */
  private async damaged(row: BlobTable, reason: string): Promise<boolean> {
    const { index, clock, log } = this.options
    const names = await index.read((db) => namesOfBlob(db, row.id, mostNames))
    if (names.length === 0) return false
    log.error({ blob: row.id, objects: names, reason }, 'bytes of objects are damaged on the disk')
    await index.transaction('report', (tx) =>
      noteDamage(tx, { blob_id: row.id, found_at: clock.now(), reason: reason.slice(0, 500) }),
    )
    return true
  }
}
