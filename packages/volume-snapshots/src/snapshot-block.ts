import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { zstdCompress, zstdDecompress } from 'node:zlib'
import { MalleeError } from '@mallee/base'

const compress = promisify(zstdCompress)
const decompress = promisify(zstdDecompress)

/** The size of EBS direct API's blocks. https://docs.aws.amazon.com/ebs/latest/userguide/ebs-accessing-snapshot.html */
export const blockBytes = 512 * 1024

export async function encodeBlock(block: Buffer): Promise<Buffer> {
  return compress(block)
}

/** Throws MalleeError where the bytes are not the block of this digest. */
export async function decodeBlock(bytes: Buffer, digest: string): Promise<Buffer> {
  const block = await decompress(bytes, { maxOutputLength: blockBytes }).catch((error: unknown) => {
    throw blockDamaged(digest, error)
  })
  if (digestOfBlock(block) !== digest) throw blockDamaged(digest)
  return block
}

export function digestOfBlock(block: Buffer): string {
  return createHash('sha256').update(block).digest('hex')
}

function blockDamaged(digest: string, cause?: unknown): MalleeError {
  return new MalleeError({
    code: 'SnapshotDamaged',
    publicMessage: `A block of the snapshot is damaged (${digest.slice(0, 12)}…).`,
    cause,
  })
}
