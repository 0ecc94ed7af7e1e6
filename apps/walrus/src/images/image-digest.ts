import { createHash } from 'node:crypto'
import { headBytes, tailBytes, type ImageBytes } from './image-verdict.ts'

/** What is to be known of an image's bytes, taken as they pass: their digest, their ends and their number. */
export class ImageDigest {
  private readonly hash = createHash('sha256')
  private readonly head: Buffer[] = []
  private tail: Buffer = Buffer.alloc(0)
  private sizeBytes = 0

  update(chunk: Buffer): void {
    this.hash.update(chunk)
    if (this.sizeBytes < headBytes) this.head.push(chunk.subarray(0, headBytes - this.sizeBytes))
    this.tail = Buffer.concat([this.tail, chunk.subarray(-tailBytes)]).subarray(-tailBytes)
    this.sizeBytes += chunk.length
  }

  finish(): { readonly sha256: string; readonly image: ImageBytes } {
    const { sizeBytes, tail } = this
    return { sha256: this.hash.digest('hex'), image: { sizeBytes, head: Buffer.concat(this.head), tail } }
  }
}
