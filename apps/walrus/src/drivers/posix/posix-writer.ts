import { open, rename, unlink, type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import type { Blob, BlobWriter } from '../blob-driver.ts'
import { BlockSums } from '../block-sums.ts'
import { giveBack } from '../give-back.ts'

/** Bytes gathered before they are handed to the kernel in one call. */
const gatherBytes = 256 * 1024
/** What is written is brought to the disk from here on, so that the last fsync finds little left to do. */
const syncEveryBytes = 8 * 1024 * 1024

/** One blob on its way to disk: bytes and name, each with its fsync; only then may the index speak of it. */
export class PosixWriter implements BlobWriter {
  private readonly id: string
  private readonly handle: FileHandle
  private readonly temporary: string
  private readonly file: string
  private readonly onClosed: () => void
  private gathered: Buffer[] = []
  private gatheredBytes = 0
  /** Of the gathered ones, those that are ours alone. */
  private given: Buffer[] = []
  /** What is on its way to the kernel; more is gathered meanwhile. */
  private flushing: Promise<void> = Promise.resolve()
  private sizeBytes = 0
  private readonly sums = new BlockSums()
  private unsyncedBytes = 0
  private syncing: Promise<void> | null = null
  /** An fsync that failed is not tried again: the kernel may have thrown the pages away. */
  private syncError: unknown = null
  private state: 'open' | 'finished' | 'discarded' = 'open'

  constructor(options: {
    id: string
    handle: FileHandle
    temporary: string
    file: string
    /** Finished or given up: nobody writes any more. */
    onClosed: () => void
  }) {
    this.id = options.id
    this.handle = options.handle
    this.temporary = options.temporary
    this.file = options.file
    this.onClosed = options.onClosed
  }

  async write(chunk: Buffer, given = false): Promise<void> {
    this.sums.add(chunk)
    this.gathered.push(chunk)
    if (given) this.given.push(chunk)
    this.gatheredBytes += chunk.length
    this.sizeBytes += chunk.length
    if (this.gatheredBytes < gatherBytes) return
    await this.flushing
    this.flushing = this.flush()
    this.flushing.catch(() => {}) // said to the next who waits for it
  }

  async finish(): Promise<Blob | null> {
    if (this.sizeBytes === 0) {
      await this.discard()
      return null
    }
    await this.flushing
    await this.flush()
    await this.syncing
    if (this.syncError !== null) throw this.syncError
    // The name may be there before the bytes are: nothing speaks of it yet, and a start removes what nothing speaks of.
    const done = await Promise.allSettled([this.handle.datasync(), this.name()])
    const failed = done.find((one) => one.status === 'rejected')
    if (failed) throw failed.reason
    await this.handle.close()
    this.state = 'finished'
    this.onClosed()
    return { id: this.id, sizeBytes: this.sizeBytes, blockCrcs: this.sums.finish() }
  }

  async discard(): Promise<void> {
    if (this.state !== 'open') return
    this.state = 'discarded'
    this.gathered = []
    await this.flushing.catch(() => {})
    await this.syncing
    await this.handle.close().catch(() => {}) // finish() may have closed it before its rename failed
    for (const file of [this.temporary, this.file]) {
      await unlink(file).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error
      })
    }
    this.onClosed()
  }

  private async name(): Promise<void> {
    await rename(this.temporary, this.file)
    const folder = await open(path.dirname(this.file), 'r')
    try {
      await folder.sync()
    } finally {
      await folder.close()
    }
  }

  private async flush(): Promise<void> {
    let pending = this.gathered
    let length = this.gatheredBytes
    const { given } = this
    this.gathered = []
    this.gatheredBytes = 0
    this.given = []
    while (length > 0) {
      const { bytesWritten } = await this.handle.writev(pending)
      length -= bytesWritten
      pending = afterBytes(pending, bytesWritten)
      this.unsyncedBytes += bytesWritten
    }
    for (const chunk of given) giveBack(chunk)
    if (this.unsyncedBytes >= syncEveryBytes && !this.syncing) this.syncEarly()
  }

  private syncEarly(): void {
    this.unsyncedBytes = 0
    this.syncing = this.handle
      .datasync()
      .catch((error: unknown) => {
        this.syncError ??= error
      })
      .finally(() => {
        this.syncing = null
      })
  }
}

/** What is left to write when the kernel took only a part. */
function afterBytes(buffers: Buffer[], count: number): Buffer[] {
  let rest = count
  const left: Buffer[] = []
  for (const buffer of buffers) {
    if (rest >= buffer.length) rest -= buffer.length
    else {
      left.push(buffer.subarray(rest))
      rest = 0
    }
  }
  return left
}
