import { crc32c } from '@node-rs/crc32'
import { blockBytes } from './blob-driver.ts'

/** CRC-32C of each block of bytes that come in pieces of any size. */
export class BlockSums {
  private readonly crcs: number[] = []
  private crc = 0
  private crcBytes = 0

  add(chunk: Buffer): void {
    for (let at = 0; at < chunk.length;) {
      const part = chunk.subarray(at, at + blockBytes - this.crcBytes)
      this.crc = crc32c(part, this.crc)
      this.crcBytes += part.length
      at += part.length
      if (this.crcBytes === blockBytes) this.close()
    }
  }

  /** As `Blob.blockCrcs`. */
  finish(): Buffer {
    if (this.crcBytes > 0) this.close()
    const sums = Buffer.alloc(this.crcs.length * 4)
    this.crcs.forEach((crc, index) => sums.writeUInt32BE(crc, index * 4))
    return sums
  }

  private close(): void {
    this.crcs.push(this.crc)
    this.crc = 0
    this.crcBytes = 0
  }
}

/** Whether a block is what was written. */
export function isIntact(block: Buffer, index: number, blockCrcs: Uint8Array): boolean {
  const expected = Buffer.from(blockCrcs.buffer, blockCrcs.byteOffset).readUInt32BE(index * 4)
  return crc32c(block) === expected
}
