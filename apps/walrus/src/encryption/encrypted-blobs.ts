import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { MalleeError } from '@mallee/base'
import { blockBytes, type BlobWriter, type ReadHow } from '../drivers/blob-driver.ts'
import type { BlobKeeper } from '../drivers/blob-keeper.ts'
import type { StoredBlob } from '../index/blob-rows.ts'
import { unwrapKey, wrapKey, type MasterKeys } from './master-keys.ts'
import type { EncryptionAsked } from './sse-request.ts'

/**
 * Bytes that are encrypted on disk: AES-256-GCM a block, so that any range is read by its blocks alone and a block that
 * was changed, moved or taken from another blob is refused. Each blob has a key of its own; its tags are in the index.
 */
export interface BlobCipher {
  /** `S3`: wrapped under a master key. `C`: under the client's. */
  readonly by: 'S3' | 'C'
  readonly keyId?: string
  readonly wrapped: string
}

const tagBytes = 16

/** The nonce is the block's number: no key is ever used for two blobs. */
function nonceOf(block: number): Buffer {
  const nonce = Buffer.alloc(12)
  nonce.writeUInt32BE(block, 8)
  return nonce
}

/** Writes blobs, encrypted where it is asked for. */
export async function createBlob(
  blobs: BlobKeeper,
  keys: MasterKeys,
  asked: EncryptionAsked,
): Promise<StoredBlobWriter> {
  const writer = await blobs.create()
  return asked ? new EncryptingWriter(writer, keys, asked) : new PlainWriter(writer)
}

export interface StoredBlobWriter {
  /** `given` as of a `BlobWriter`. */
  write(chunk: Buffer, given?: boolean): Promise<void>
  finish(): Promise<StoredBlob | null>
  discard(): Promise<void>
}

class PlainWriter implements StoredBlobWriter {
  private readonly writer: BlobWriter

  constructor(writer: BlobWriter) {
    this.writer = writer
  }

  write(chunk: Buffer, given?: boolean): Promise<void> {
    return this.writer.write(chunk, given)
  }

  async finish(): Promise<StoredBlob | null> {
    const blob = await this.writer.finish()
    return blob && { ...blob, cipher: null, blockTags: null }
  }

  discard(): Promise<void> {
    return this.writer.discard()
  }
}

class EncryptingWriter implements StoredBlobWriter {
  private readonly writer: BlobWriter
  private readonly key = randomBytes(32)
  private readonly cipher: BlobCipher
  private readonly tags: Buffer[] = []
  private gathered: Buffer[] = []
  private gatheredBytes = 0

  constructor(writer: BlobWriter, keys: MasterKeys, asked: NonNullable<EncryptionAsked>) {
    this.writer = writer
    this.cipher =
      asked.kind === 'S3'
        ? { by: 'S3', ...keys.wrap(this.key) }
        : { by: 'C', wrapped: wrapKey(this.key, asked.key) }
  }

  async write(chunk: Buffer): Promise<void> {
    for (let at = 0; at < chunk.length;) {
      const part = chunk.subarray(at, at + blockBytes - this.gatheredBytes)
      this.gathered.push(part)
      this.gatheredBytes += part.length
      at += part.length
      if (this.gatheredBytes === blockBytes) await this.encryptBlock()
    }
  }

  async finish(): Promise<StoredBlob | null> {
    if (this.gatheredBytes > 0) await this.encryptBlock()
    const blob = await this.writer.finish()
    return blob && { ...blob, cipher: this.cipher, blockTags: Buffer.concat(this.tags) }
  }

  discard(): Promise<void> {
    this.gathered = []
    return this.writer.discard()
  }

  private async encryptBlock(): Promise<void> {
    const cipher = createCipheriv('aes-256-gcm', this.key, nonceOf(this.tags.length))
    const pieces = this.gathered.map((piece) => cipher.update(piece))
    pieces.push(cipher.final())
    this.tags.push(cipher.getAuthTag())
    this.gathered = []
    this.gatheredBytes = 0
    for (const piece of pieces) if (piece.length > 0) await this.writer.write(piece, true)
  }
}

/** Bytes as they were sent, from `start` to before `end`, whatever they are on disk. `key` is the client's, for SSE-C. */
export async function* readBlob(
  blobs: BlobKeeper,
  keys: MasterKeys,
  blob: StoredBlob,
  range: { start: number; end: number },
  key: Buffer | null,
  how: ReadHow = {},
): AsyncGenerator<Buffer, void, void> {
  const { start, end } = range
  if (blob.cipher === null) return yield* blobs.read(blob, start, end, how)
  const dataKey = dataKeyOf(blob, blob.cipher, keys, key)
  let block = Math.floor(start / blockBytes)
  const to = Math.min(Math.ceil(end / blockBytes) * blockBytes, blob.sizeBytes)
  for await (const bytes of blobs.read(blob, block * blockBytes, to, { reuse: true })) {
    const at = block * blockBytes
    const plain = decryptBlock(blob, dataKey, block, bytes)
    yield plain.subarray(Math.max(start - at, 0), Math.min(end - at, plain.length))
    block += 1
  }
}

function dataKeyOf(blob: StoredBlob, cipher: BlobCipher, keys: MasterKeys, key: Buffer | null): Buffer {
  const found =
    cipher.by === 'S3'
      ? keys.unwrap(cipher.keyId ?? '', cipher.wrapped)
      : key && unwrapKey(cipher.wrapped, key)
  if (found) return found
  throw new MalleeError({
    code: 'KeyMissing',
    publicMessage: `The key of the bytes ${blob.id} was not given.`,
  })
}

function decryptBlock(blob: StoredBlob, key: Buffer, block: number, bytes: Buffer): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, nonceOf(block))
  decipher.setAuthTag(Buffer.from(blob.blockTags ?? []).subarray(block * tagBytes, (block + 1) * tagBytes))
  try {
    return Buffer.concat([decipher.update(bytes), decipher.final()])
  } catch (cause) {
    throw new MalleeError({
      code: 'BlobDamaged',
      publicMessage: `Block ${block} of the bytes ${blob.id} is not what was encrypted.`,
      cause,
    })
  }
}
