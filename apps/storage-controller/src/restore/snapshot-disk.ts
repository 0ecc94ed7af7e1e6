import { errorMessage, MalleeError, type Clock, type Log } from '@mallee/base'
import { blockBytes, type BlockCodec, type SnapshotBlocks } from '@mallee/volume-snapshots'
import type { ObjectStore } from '../snapshots/object-store.ts'
import type { ReadableDisk } from './nbd-server.ts'

const againMs = 1_000
/** A block is read in pieces, one after the other. */
const blocksKept = 16
const blocksAhead = 3

/**
 * A snapshot in walrus as a disk. Every block is checked before it is given; where walrus is away the reader waits, since
 * whoever reads is a guest, which an error would hurt more than time does.
 */
export class SnapshotDisk implements ReadableDisk {
  readonly sizeBytes: number
  private readonly deps: {
    readonly store: ObjectStore
    readonly list: SnapshotBlocks
    readonly codec: BlockCodec
    readonly bucket: string
    readonly clock: Clock
    readonly log: Log
    readonly signal: AbortSignal
  }
  private readonly kept = new Map<number, Promise<Buffer>>()

  constructor(deps: SnapshotDisk['deps']) {
    this.deps = deps
    this.sizeBytes = deps.list.volumeBytes
  }

  async read(offset: number, length: number): Promise<Buffer> {
    const bytes = Buffer.alloc(length)
    for (let at = 0; at < length;) {
      const [block, within] = [Math.floor((offset + at) / blockBytes), (offset + at) % blockBytes]
      const count = Math.min(blockBytes - within, length - at)
      if (this.deps.list.blocks.has(block)) {
        const coming = this.block(block)
        // Who reads on from here waits for less.
        for (let next = block + 1; next <= block + blocksAhead; next += 1)
          if (this.deps.list.blocks.has(next)) this.block(next).catch(() => {})
        ;(await coming).copy(bytes, at, within, within + count)
      }
      at += count
    }
    return bytes
  }

  private block(number: number): Promise<Buffer> {
    const present = this.kept.get(number)
    if (present) return present
    const coming = this.fetch(this.deps.list.blocks.get(number)!)
    this.kept.set(number, coming)
    // A failure is not kept: a block that was repaired is to be read again.
    coming.catch(() => this.kept.delete(number))
    const [oldest] = this.kept.keys()
    if (this.kept.size > blocksKept) this.kept.delete(oldest!)
    return coming
  }

  private async fetch(digest: string): Promise<Buffer> {
    const { store, list, codec, bucket, clock, log, signal } = this.deps
    for (;;) {
      signal.throwIfAborted()
      try {
        const stored = await store.get(`${list.prefix}/${digest}`, bucket)
        if (!stored) throw missing()
        return await codec.decode(stored, digest)
      } catch (error) {
        if (error instanceof MalleeError && !error.retryable) throw error
        log.warn({ reason: errorMessage(error) }, 'a block of a snapshot does not come yet')
        await clock.sleep(againMs, signal)
      }
    }
  }
}

function missing(): MalleeError {
  return new MalleeError({
    code: 'SnapshotIncomplete',
    publicMessage: 'A block of the snapshot is not in walrus.',
  })
}
