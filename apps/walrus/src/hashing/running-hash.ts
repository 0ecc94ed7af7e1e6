import { createHash } from 'node:crypto'
import { startChecksum, type ChecksumName, type RunningChecksum } from '../objects/checksums.ts'

export type HashName = 'MD5' | ChecksumName

/** On the thread of who calls it. */
export function startHash(name: HashName): RunningChecksum {
  if (name !== 'MD5') return startChecksum(name)
  const hash = createHash('md5')
  return { update: (chunk) => void hash.update(chunk), digest: () => hash.digest() }
}
