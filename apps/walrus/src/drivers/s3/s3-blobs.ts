import { MalleeError, systemRandom, type Clock, type Random } from '@mallee/base'
import { blockBytes, type Blob, type BlobDriver, type BlobWriter, type Space } from '../blob-driver.ts'
import { newBlobId } from '../blob-id.ts'
import { isIntact } from '../block-sums.ts'
import { RemoteBucket, type RemoteSettings } from './remote-bucket.ts'
import { S3Writer } from './s3-writer.ts'

/**
 * Blobs as objects of another S3 (Ceph RGW, MinIO, Garage, another walrus): `PREFIX/blobs/ID`. Accounts, policies and the
 * index stay here; there lie bytes under names from chance. A prefix belongs to one walrus: its sweep would take
 * another's bytes for nobody's.
 */
export class S3Blobs implements BlobDriver {
  readonly name = 's3'
  private readonly remote: RemoteBucket
  private readonly prefix: string
  private readonly random: Random
  private readonly tag: string
  /** Being written at this moment. */
  private readonly writing = new Set<string>()

  private constructor(options: { remote: RemoteBucket; prefix: string; random: Random; tag: string }) {
    this.remote = options.remote
    this.prefix = options.prefix
    this.random = options.random
    this.tag = options.tag
  }

  /** `owner` is this walrus' own mark. Throws MalleeError `StoreInUse` where the prefix is another's, `StoreUnavailable`. */
  static async open(options: {
    settings: RemoteSettings
    prefix: string
    owner: string
    clock: Clock
    random?: Random
  }): Promise<S3Blobs> {
    const remote = new RemoteBucket(options.settings, options.clock)
    const prefix = options.prefix.replace(/\/+$/, '')
    await claim(remote, `${prefix}/owner`, options.owner)
    const blobs = new S3Blobs({
      remote,
      prefix: `${prefix}/blobs/`,
      random: options.random ?? systemRandom,
      tag: '',
    })
    for (const { id } of await blobs.listUnfinished()) await blobs.removeUnfinished(id)
    return blobs
  }

  /** A prefix that another process of this walrus has opened; `tag` ends the names of what is written here. */
  static join(options: { settings: RemoteSettings; prefix: string; tag: string; clock: Clock }): S3Blobs {
    const remote = new RemoteBucket(options.settings, options.clock)
    const prefix = `${options.prefix.replace(/\/+$/, '')}/blobs/`
    return new S3Blobs({ remote, prefix, random: systemRandom, tag: options.tag })
  }

  create(): Promise<BlobWriter> {
    const id = newBlobId(this.random, this.tag)
    this.writing.add(id)
    const onClosed = () => this.writing.delete(id)
    return Promise.resolve(new S3Writer({ id, key: this.keyOf(id), remote: this.remote, onClosed }))
  }

  async *read(blob: Blob, start: number, end: number): AsyncGenerator<Buffer, void, void> {
    if (start >= end) return
    let index = Math.floor(start / blockBytes)
    const to = Math.min(Math.ceil(end / blockBytes) * blockBytes, blob.sizeBytes)
    const bytes = await this.remote.get(this.keyOf(blob.id), index * blockBytes, to)
    if (!bytes)
      throw new MalleeError({
        code: 'BlobMissing',
        publicMessage: `The bytes ${blob.id} are missing from the store.`,
      })
    for await (const block of inBlocks(bytes)) {
      if (index * blockBytes >= to) break // it sent more than it was asked for
      const at = index * blockBytes
      const length = Math.min(blockBytes, blob.sizeBytes - at)
      if (block.length !== length || !isIntact(block, index, blob.blockCrcs)) throw damaged(blob, index)
      yield block.subarray(Math.max(start - at, 0), Math.min(end - at, block.length))
      index += 1
    }
    if (index * blockBytes < to) throw damaged(blob, index)
  }

  remove(id: string): Promise<void> {
    return this.remote.remove(this.keyOf(id))
  }

  async *list(): AsyncIterable<string> {
    for await (const { key } of this.remote.list(this.prefix)) yield key.slice(this.prefix.length)
  }

  async changedAtMs(id: string): Promise<number | null> {
    return (await this.remote.head(this.keyOf(id)))?.changedAtMs ?? null
  }

  async listUnfinished(): Promise<{ id: string; changedAtMs: number }[]> {
    const uploads = await this.remote.listUploads(this.prefix)
    return uploads
      .map(({ key, startedAtMs }) => ({ id: key.slice(this.prefix.length), changedAtMs: startedAtMs }))
      .filter(({ id }) => !this.writing.has(id))
  }

  async removeUnfinished(id: string): Promise<void> {
    if (this.writing.has(id)) throw new TypeError('not the id of something unfinished')
    const key = this.keyOf(id)
    for (const upload of await this.remote.listUploads(this.prefix))
      if (upload.key === key) await this.remote.abortUpload(key, upload.uploadId)
  }

  /** Nobody says how much room there is; that it is full is said when it is. */
  space(): Promise<Space> {
    return Promise.resolve({ totalBytes: Number.MAX_SAFE_INTEGER, freeBytes: Number.MAX_SAFE_INTEGER })
  }

  close(): Promise<void> {
    return this.remote.close()
  }

  private keyOf(id: string): string {
    if (!/^[a-z2-7]{32}$/.test(id)) throw new TypeError('not the id of a blob')
    return `${this.prefix}${id}`
  }
}

async function claim(remote: RemoteBucket, key: string, owner: string): Promise<void> {
  const present = await remote.text(key)
  if (present === owner) return
  if (present === null) {
    await remote.put(key, Buffer.from(owner), { 'if-none-match': '*' })
    // Stores that do not know the condition let two write: then only the later one finds its own mark.
    if ((await remote.text(key)) === owner) return
  }
  throw new MalleeError({
    code: 'StoreInUse',
    publicMessage: `${key} in the store says that another walrus keeps its bytes there.`,
  })
}

const damaged = (blob: Blob, index: number) =>
  new MalleeError({
    code: 'BlobDamaged',
    publicMessage: `Block ${index} of the bytes ${blob.id} is not what was written.`,
  })

/** The same bytes in whole blocks, the last one shorter. */
async function* inBlocks(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let gathered: Buffer[] = []
  let length = 0
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length;) {
      const part = chunk.subarray(at, at + blockBytes - length)
      gathered.push(part)
      length += part.length
      at += part.length
      if (length < blockBytes) continue
      yield Buffer.concat(gathered, length)
      gathered = []
      length = 0
    }
  }
  if (length > 0) yield Buffer.concat(gathered, length)
}
