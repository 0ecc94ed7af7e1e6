import { hash } from 'node:crypto'
import { s3Error } from '@mallee/s3-api'
import type { BlobKeeper } from '../drivers/blob-keeper.ts'
import { createBlob } from '../encryption/encrypted-blobs.ts'
import type { MasterKeys } from '../encryption/master-keys.ts'
import type { EncryptionAsked } from '../encryption/sse-request.ts'
import { startHashing } from '../hashing/hashing.ts'
import type { StoredBlob } from '../index/blob-rows.ts'
import { badChecksum, wellFormed, type ChecksumName } from './checksums.ts'

/** Bytes that have arrived whole, agree with everything that was promised of them, and are on disk. */
export interface Received {
  /** Null where there were none. */
  readonly blob: StoredBlob | null
  readonly sizeBytes: number
  /** MD5 in hexadecimal: the ETag. */
  readonly etag: string
  readonly checksum: { readonly name: ChecksumName; readonly value: string } | null
}

export interface ByteSource {
  lengthBytes(): number
  bytes(): AsyncIterable<Buffer>
  /** The same at once, for few; throws as `bytes`. */
  whole?(): Promise<Buffer>
  /** Whether whoever gets a chunk has it for himself. */
  readonly givesAway?: boolean
  trailer(name: string): string | undefined
}

/** Room that is kept for the index, so that a full disk still lets objects be deleted. */
const reservedBytes = 64 * 1024 * 1024

/**
 * Streams bytes to disk. Throws InsufficientStorage, BadDigest, InvalidDigest and what the source throws; nothing is
 * left behind then. The caller commits the row, or forgets the blob.
 */
export async function receiveBlob(options: {
  blobs: BlobKeeper
  masterKeys: MasterKeys
  encryption: EncryptionAsked
  source: ByteSource
  contentMd5?: string | undefined
  checksum: { readonly name: ChecksumName; readonly value: string | undefined } | null
}): Promise<Received> {
  const { blobs, source, checksum } = options
  const md5Promised = options.contentMd5 === undefined ? null : md5Of(options.contentMd5)
  const { freeBytes } = await blobs.space()
  if (source.lengthBytes() + reservedBytes > freeBytes) throw s3Error('InsufficientStorage')
  const lengthBytes = source.lengthBytes()
  if (source.whole && options.encryption === null && blobs.isFew(lengthBytes))
    return receiveFew(await source.whole(), { ...options, md5Promised })
  const writer = await createBlob(blobs, options.masterKeys, options.encryption)
  const md5 = startHashing('MD5', lengthBytes)
  const running = checksum ? startHashing(checksum.name, lengthBytes) : null
  let blob: StoredBlob | null = null
  try {
    let sizeBytes = 0
    for await (const chunk of source.bytes()) {
      const full = md5.update(chunk)
      if (full) await full
      const alsoFull = running?.update(chunk)
      if (alsoFull) await alsoFull
      sizeBytes += chunk.length
      await writer.write(chunk, source.givesAway)
    }
    const digest = await md5.digest()
    if (md5Promised && !digest.equals(md5Promised)) throw s3Error('BadDigest')
    const value = checksum && running ? checkedValue(checksum, await running.digest(), source) : null
    blob = await writer.finish()
    return {
      blob,
      sizeBytes,
      etag: digest.toString('hex'),
      checksum: checksum && value !== null ? { name: checksum.name, value } : null,
    }
  } finally {
    md5.discard()
    running?.discard()
    if (blob === null) await writer.discard()
  }
}

/** Few bytes go into the index: nothing has to be streamed, or taken away again. */
async function receiveFew(
  bytes: Buffer,
  options: Pick<Parameters<typeof receiveBlob>[0], 'blobs' | 'source' | 'checksum'> & {
    readonly md5Promised: Buffer | null
  },
): Promise<Received> {
  const { blobs, source, checksum, md5Promised } = options
  const md5 = hash('md5', bytes, 'buffer')
  if (md5Promised && !md5.equals(md5Promised)) throw s3Error('BadDigest')
  const running = checksum && startHashing(checksum.name, bytes.length)
  await running?.update(bytes)
  const value = checksum && running ? checkedValue(checksum, await running.digest(), source) : null
  const blob = blobs.keepFew(bytes)
  return {
    blob: blob && { ...blob, cipher: null, blockTags: null },
    sizeBytes: bytes.length,
    etag: md5.toString('hex'),
    checksum: checksum && value !== null ? { name: checksum.name, value } : null,
  }
}

function md5Of(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64')
  if (bytes.length !== 16) throw s3Error('InvalidDigest')
  return bytes
}

function checkedValue(
  checksum: { readonly name: ChecksumName; readonly value: string | undefined },
  digest: Buffer,
  source: ByteSource,
): string {
  const trailing = source.trailer(`x-amz-checksum-${checksum.name.toLowerCase()}`)
  const promised =
    checksum.value ?? (trailing === undefined ? undefined : wellFormed(checksum.name, trailing))
  const computed = digest.toString('base64')
  if (promised !== undefined && promised !== computed) throw badChecksum(checksum.name)
  return computed
}
