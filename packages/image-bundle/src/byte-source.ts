import type { Hash } from 'node:crypto'
import { BundleRefused } from './bundle-refused.ts'

/** Bytes taken as they are needed, every one hashed, and no more of them than may be. */
export class ByteSource {
  private readonly chunks: AsyncIterator<Buffer>
  private readonly hash: Hash | null
  private readonly mostBytes: number
  private rest: Buffer = Buffer.alloc(0)
  private seen = 0

  constructor(chunks: AsyncIterable<Buffer>, options: { hash: Hash | null; mostBytes: number }) {
    this.chunks = chunks[Symbol.asyncIterator]()
    this.hash = options.hash
    this.mostBytes = options.mostBytes
  }

  /** The next bytes, at most so many; null at the end. */
  async some(mostBytes: number): Promise<Buffer | null> {
    while (this.rest.length === 0) {
      const next = await this.chunks.next()
      if (next.done) return null
      this.rest = next.value
      this.seen += next.value.length
      if (this.seen > this.mostBytes)
        throw new BundleRefused('What is unpacked has more bytes than it may have.')
      this.hash?.update(next.value)
    }
    const taken = this.rest.subarray(0, mostBytes)
    this.rest = this.rest.subarray(taken.length)
    return taken
  }

  /** Exactly so many bytes; null where nothing is left. */
  async exactly(sizeBytes: number): Promise<Buffer | null> {
    const pieces: Buffer[] = []
    let missing = sizeBytes
    while (missing > 0) {
      const piece = await this.some(missing)
      if (!piece && missing === sizeBytes) return null
      if (!piece) throw cutOff()
      pieces.push(piece)
      missing -= piece.length
    }
    return Buffer.concat(pieces)
  }

  async *take(sizeBytes: number): AsyncGenerator<Buffer, void, void> {
    let missing = sizeBytes
    while (missing > 0) {
      const piece = await this.some(missing)
      if (!piece) throw cutOff()
      missing -= piece.length
      yield piece
    }
  }

  async skip(sizeBytes: number): Promise<void> {
    for await (const _piece of this.take(sizeBytes));
  }

  async close(): Promise<void> {
    await this.chunks.return?.()
  }
}

const cutOff = () => new BundleRefused('The archive is cut off.')
