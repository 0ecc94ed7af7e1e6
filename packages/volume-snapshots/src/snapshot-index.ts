import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { zstdCompress, zstdDecompress } from 'node:zlib'
import { MalleeError } from '@mallee/base'
import { blockBytes } from './snapshot-block.ts'

const compress = promisify(zstdCompress)
const decompress = promisify(zstdDecompress)

const largestIndexBytes = 512 * 1024 * 1024

/** What a snapshot consists of: each block that is not all zeros, by its number, and the digest under which it lies. */
export interface SnapshotBlocks {
  readonly volumeBytes: number
  /** Where the blocks lie, before `/<digest>`: the storage controller's that stored them, and the account's. */
  readonly prefix: string
  readonly blocks: ReadonlyMap<number, string>
  /** Of the key that its blocks are encrypted under; absent where they are plain. Which blocks there are is no secret. */
  readonly keyId?: string
}

/** Whoever knows only the first must not take encrypted blocks for damaged ones. */
const [plainFormat, encryptedFormat] = ['mallee snapshot 1', 'mallee snapshot 2'] as const

interface Stored {
  format: typeof plainFormat | typeof encryptedFormat
  /** Of the second format. */
  keyId?: string
  volumeBytes: number
  blockBytes: number
  prefix: string
  /** Numbers of blocks, and after them their digests, 64 hexadecimal digits each, in the same order. */
  numbers: number[]
  digests: string
}

export async function encodeIndex(snapshot: SnapshotBlocks): Promise<{ bytes: Buffer; sha256: string }> {
  const entries = [...snapshot.blocks].toSorted(([a], [b]) => a - b)
  const stored: Stored = {
    ...(snapshot.keyId === undefined
      ? { format: plainFormat }
      : { format: encryptedFormat, keyId: snapshot.keyId }),
    volumeBytes: snapshot.volumeBytes,
    blockBytes,
    prefix: snapshot.prefix,
    numbers: entries.map(([number]) => number),
    digests: entries.map(([, digest]) => digest).join(''),
  }
  const bytes = await compress(Buffer.from(JSON.stringify(stored)))
  return { bytes, sha256: createHash('sha256').update(bytes).digest('hex') }
}

/** Throws MalleeError for bytes that are no index, or not the one of this digest. */
export async function decodeIndex(bytes: Buffer, sha256: string | null): Promise<SnapshotBlocks> {
  if (sha256 !== null && createHash('sha256').update(bytes).digest('hex') !== sha256)
    throw damaged('its digest is another')
  let stored: Stored
  try {
    const text = await decompress(bytes, { maxOutputLength: largestIndexBytes })
    stored = JSON.parse(text.toString('utf8')) as Stored
  } catch (error) {
    throw damaged('it cannot be read', error)
  }
  const isKnown =
    stored.format === plainFormat || (stored.format === encryptedFormat && typeof stored.keyId === 'string')
  if (!isKnown || stored.blockBytes !== blockBytes) throw damaged('it is of another format')
  const blocks = new Map<number, string>()
  for (const [index, number] of stored.numbers.entries())
    blocks.set(number, stored.digests.slice(index * 64, index * 64 + 64))
  const { volumeBytes, prefix, keyId } = stored
  return { volumeBytes, prefix, blocks, ...(keyId === undefined ? {} : { keyId }) }
}

function damaged(why: string, cause?: unknown): MalleeError {
  return new MalleeError({
    code: 'SnapshotDamaged',
    publicMessage: `The index of the snapshot is damaged: ${why}.`,
    cause,
  })
}
