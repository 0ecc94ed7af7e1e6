import { blockBytes } from '../blob-driver.ts'

/** Memory of blocks that were sent, for the next ones: fresh memory costs a page fault for every 4 KiB of it. */
export class BlockPool {
  private readonly free: Buffer[] = []
  private readonly most: number

  /** Keeps at most so many blocks. */
  constructor(most: number) {
    this.most = most
  }

  take(lengthBytes: number): Buffer {
    const block = this.free.pop() ?? Buffer.allocUnsafeSlow(blockBytes)
    return lengthBytes === blockBytes ? block : block.subarray(0, lengthBytes)
  }

  /** Nobody may look at it any more. */
  give(block: Buffer): void {
    if (this.free.length < this.most) this.free.push(Buffer.from(block.buffer, 0, blockBytes))
  }
}
