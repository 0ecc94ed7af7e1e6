import { constants } from 'node:fs'
import { mkdir, open, readdir, rm, stat, statfs, unlink, type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import { MalleeError, systemRandom, type Random } from '@mallee/base'
import {
  blockBytes,
  type Blob,
  type BlobDriver,
  type BlobWriter,
  type ReadHow,
  type Space,
} from '../blob-driver.ts'
import { isIntact } from '../block-sums.ts'
import { newBlobId } from '../blob-id.ts'
import { BlockPool } from './block-pool.ts'
import { PosixWriter } from './posix-writer.ts'

const shardCount = 256
/** Folders that are listed together. */
const shardsAtOnce = 32

/** Blocks that are kept between two downloads. */
const mostIdleBlocks = 32

/**
 * Blobs as files: `blobs/XX/ID`, written as `incoming/ID` and renamed when they are on disk. A name comes from chance
 * and never from a key, so that no key can name a path.
 */
export class PosixBlobs implements BlobDriver {
  readonly name = 'posix'
  private readonly dir: string
  private readonly random: Random
  private readonly tag: string
  private readonly pool = new BlockPool(mostIdleBlocks)
  /** Being written at this moment. */
  private readonly writing = new Set<string>()

  private constructor(dir: string, random: Random, tag: string) {
    this.dir = dir
    this.random = random
    this.tag = tag
  }

  /** What an earlier life was still receiving is thrown away: nobody was told that it had arrived. */
  static async open(dir: string, random: Random = systemRandom): Promise<PosixBlobs> {
    const blobs = new PosixBlobs(dir, random, '')
    await rm(path.join(dir, 'incoming'), { recursive: true, force: true })
    await mkdir(path.join(dir, 'incoming'), { recursive: true, mode: 0o700 })
    await mkdir(path.join(dir, 'blobs'), { recursive: true, mode: 0o700 })
    const present = new Set(await readdir(path.join(dir, 'blobs')))
    const shards = Array.from({ length: shardCount }, (_value, number) => shardName(number))
    for (const shard of shards.filter((name) => !present.has(name)))
      await mkdir(path.join(dir, 'blobs', shard), { mode: 0o700 })
    await syncFolder(path.join(dir, 'blobs'))
    await syncFolder(dir)
    return blobs
  }

  /** A folder that another process of this walrus has opened; `tag` ends the names of what is written here. */
  static join(dir: string, tag: string): PosixBlobs {
    return new PosixBlobs(dir, systemRandom, tag)
  }

  async create(): Promise<BlobWriter> {
    const id = newBlobId(this.random, this.tag)
    const temporary = path.join(this.dir, 'incoming', id)
    this.writing.add(id)
    try {
      const handle = await open(temporary, 'wx', 0o600)
      const onClosed = () => this.writing.delete(id)
      return new PosixWriter({ id, handle, temporary, file: this.fileOf(id), onClosed })
    } catch (error) {
      this.writing.delete(id)
      throw error
    }
  }

  async *read(
    blob: Blob,
    start: number,
    end: number,
    { reuse = false }: ReadHow = {},
  ): AsyncGenerator<Buffer, void, void> {
    if (start >= end) return
    const handle = await this.openForReading(blob)
    const memory = reuse ? this.pool : freshBlocks
    const last = Math.floor((end - 1) / blockBytes)
    let index = Math.floor(start / blockBytes)
    let next: Promise<Buffer> | null = readBlock(handle, blob, index, memory)
    try {
      for (; index <= last; index += 1) {
        const block = (await next) as Buffer
        // The next block is read while this one is on its way to the client.
        next = index < last ? readBlock(handle, blob, index + 1, memory) : null
        next?.catch(() => {}) // awaited in the next round, or not at all when the reader went away
        const at = index * blockBytes
        yield block.subarray(Math.max(start - at, 0), Math.min(end - at, block.length))
        memory.give(block)
      }
    } finally {
      await next?.then(memory.give.bind(memory), () => {})
      await handle.close()
    }
  }

  async remove(id: string): Promise<void> {
    await unlink(this.fileOf(id)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error
    })
  }

  async *list(): AsyncIterable<string> {
    const root = path.join(this.dir, 'blobs')
    const shards = await readdir(root)
    for (let at = 0; at < shards.length; at += shardsAtOnce) {
      const some = shards.slice(at, at + shardsAtOnce)
      for (const names of await Promise.all(some.map((shard) => readdir(path.join(root, shard)))))
        yield* names
    }
  }

  changedAtMs(id: string): Promise<number | null> {
    return changedAtMs(this.fileOf(id))
  }

  async listUnfinished(): Promise<{ id: string; changedAtMs: number }[]> {
    const found: { id: string; changedAtMs: number }[] = []
    const dir = path.join(this.dir, 'incoming')
    for (const id of await readdir(dir)) {
      if (this.writing.has(id)) continue
      const changed = await changedAtMs(path.join(dir, id))
      if (changed !== null) found.push({ id, changedAtMs: changed })
    }
    return found
  }

  async removeUnfinished(id: string): Promise<void> {
    if (id !== path.basename(id) || this.writing.has(id))
      throw new TypeError('not the id of something unfinished')
    await rm(path.join(this.dir, 'incoming', id), { force: true })
  }

  async space(): Promise<Space> {
    const found = await statfs(this.dir)
    return { totalBytes: found.blocks * found.bsize, freeBytes: found.bavail * found.bsize }
  }

  private fileOf(id: string): string {
    if (!/^[a-z2-7]{32}$/.test(id)) throw new TypeError('not the id of a blob')
    const shard = shardName(Buffer.from(id)[0]! * 31 + Buffer.from(id)[1]!)
    return path.join(this.dir, 'blobs', shard, id)
  }

  private async openForReading(blob: Blob): Promise<FileHandle> {
    try {
      return await open(this.fileOf(blob.id), constants.O_RDONLY)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      throw new MalleeError({
        code: 'BlobMissing',
        publicMessage: `The bytes ${blob.id} are missing from the disk.`,
        cause: error,
      })
    }
  }
}

async function changedAtMs(file: string): Promise<number | null> {
  try {
    return Math.floor((await stat(file)).mtimeMs)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

const shardName = (number: number): string => (number % shardCount).toString(16).padStart(2, '0')

/** For readers that keep what they get. */
const freshBlocks: Pick<BlockPool, 'take' | 'give'> = {
  take: (lengthBytes) => Buffer.allocUnsafeSlow(lengthBytes),
  give() {},
}

async function readBlock(
  handle: FileHandle,
  blob: Blob,
  index: number,
  memory: Pick<BlockPool, 'take'>,
): Promise<Buffer> {
  const at = index * blockBytes
  const length = Math.min(blockBytes, blob.sizeBytes - at)
  const block = memory.take(length)
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await handle.read(block, filled, length - filled, at + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  if (filled === length && isIntact(block, index, blob.blockCrcs)) return block
  throw new MalleeError({
    code: 'BlobDamaged',
    publicMessage: `Block ${index} of the bytes ${blob.id} is not what was written.`,
  })
}

export async function syncFolder(dir: string): Promise<void> {
  const handle = await open(dir, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
