/** Hashes and checksums by their names. It imports nothing of ours that is large: a thread that hashes begins with it. */
import { createHash } from 'node:crypto'
import { crc32, crc32c } from '@node-rs/crc32'
import { Crc64Nvme } from '../objects/crc64-nvme.ts'

/** The checksums of S3 that we compute. https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html */
export const checksumNames = ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const
export type ChecksumName = (typeof checksumNames)[number]

export type HashName = 'MD5' | ChecksumName

export interface RunningChecksum {
  update(chunk: Buffer): void
  digest(): Buffer
}

/** On the thread of who calls it. */
export function startHash(name: HashName): RunningChecksum {
  return name === 'MD5' ? nodeHash('md5') : startChecksum(name)
}

export function startChecksum(name: ChecksumName): RunningChecksum {
  if (name === 'CRC32') return new Crc(crc32)
  if (name === 'CRC32C') return new Crc(crc32c)
  if (name === 'CRC64NVME') return new Crc64Nvme()
  return nodeHash(name === 'SHA1' ? 'sha1' : 'sha256')
}

function nodeHash(algorithm: string): RunningChecksum {
  const hash = createHash(algorithm)
  return { update: (chunk) => void hash.update(chunk), digest: () => hash.digest() }
}

class Crc implements RunningChecksum {
  private value = 0
  private readonly next: (chunk: Buffer, from: number) => number

  constructor(next: (chunk: Buffer, from: number) => number) {
    this.next = next
  }

  update(chunk: Buffer): void {
    this.value = this.next(chunk, this.value)
  }

  digest(): Buffer {
    const out = Buffer.alloc(4)
    out.writeUInt32BE(this.value)
    return out
  }
}
