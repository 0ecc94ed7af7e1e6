import { MalleeError, newToken, type Clock, type Random } from '@mallee/base'
import type { Blob, BlobWriter } from './blob-driver.ts'
import { BlockSums, isIntact } from './block-sums.ts'

/**
 * Bytes that are so few that a file of their own costs more than they do: they go into the index with the row of their
 * object, and its one commit makes both durable. Their ids tell them from blobs of the driver.
 */
const prefix = 'small-'

export const isSmall = (id: string): boolean => id.startsWith(prefix)

/** Between these two, the second excluded, are their ids. */
export const smallIds = { from: prefix, to: 'small.' } as const

/** Ids grow with time, so that rows that are written together lie together. */
const newSmallId = (nowMs: number, random: Random): string =>
  `${prefix}${nowMs.toString(16).padStart(12, '0')}${newToken('', 20, random).toLowerCase()}`

/** Null where there are no bytes. */
export function smallBlob(bytes: Buffer, clock: Clock, random: Random): Blob | null {
  if (bytes.length === 0) return null
  const sums = new BlockSums()
  sums.add(bytes)
  return {
    id: newSmallId(clock.now(), random),
    sizeBytes: bytes.length,
    blockCrcs: sums.finish(),
    bytes,
  }
}

/** Keeps what is written while it is little; hands it all to the driver as soon as it is more. */
export class SmallFirstWriter implements BlobWriter {
  private readonly options: {
    readonly mostBytes: number
    readonly clock: Clock
    readonly random: Random
    readonly create: () => Promise<BlobWriter>
  }
  private kept: Buffer[] = []
  private keptBytes = 0
  private writer: BlobWriter | null = null

  constructor(options: SmallFirstWriter['options']) {
    this.options = options
  }

  async write(chunk: Buffer, given = false): Promise<void> {
    if (this.writer) return this.writer.write(chunk, given)
    if (this.keptBytes + chunk.length <= this.options.mostBytes) {
      this.kept.push(chunk)
      this.keptBytes += chunk.length
      return
    }
    this.writer = await this.options.create()
    for (const piece of this.kept.splice(0)) await this.writer.write(piece)
    await this.writer.write(chunk, given)
  }

  async finish(): Promise<Blob | null> {
    if (this.writer) return this.writer.finish()
    return smallBlob(Buffer.concat(this.kept), this.options.clock, this.options.random)
  }

  async discard(): Promise<void> {
    this.kept = []
    await this.writer?.discard()
  }
}

/** All bytes of a blob that has them with it, checked. Throws `BlobDamaged`. */
export function smallBytesOf(blob: Blob): Buffer {
  const bytes = blob.bytes ?? new Uint8Array()
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (buffer.length === blob.sizeBytes && isIntact(buffer, 0, blob.blockCrcs)) return buffer
  throw new MalleeError({
    code: 'BlobDamaged',
    publicMessage: `The bytes ${blob.id} in the index are not what was written.`,
  })
}
