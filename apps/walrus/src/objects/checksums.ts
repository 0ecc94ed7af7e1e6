import { s3Error, s3NotImplemented } from '@mallee/s3-api'
import { checksumNames, type ChecksumName } from '../hashing/running-hash.ts'

export {
  checksumNames,
  startChecksum,
  type ChecksumName,
  type RunningChecksum,
} from '../hashing/running-hash.ts'

/** Members by which a request says a checksum of its bytes. */
export const statedMembers = [
  'ChecksumAlgorithm',
  'ChecksumCRC32',
  'ChecksumCRC32C',
  'ChecksumCRC64NVME',
  'ChecksumSHA1',
  'ChecksumSHA256',
] as const

/** Whether a multipart object's checksum is over its bytes or over its parts' checksums. */
export type ChecksumType = 'FULL_OBJECT' | 'COMPOSITE'

const lengthBytes: Record<ChecksumName, number> = { CRC32: 4, CRC32C: 4, CRC64NVME: 8, SHA1: 20, SHA256: 32 }

export const checksumHeader = (name: ChecksumName): string => `x-amz-checksum-${name.toLowerCase()}`

/** Throws NotImplemented for a checksum that S3 has and we have not. */
export function checksumNamed(text: string): ChecksumName {
  const found = checksumNames.find((name) => name === text.toUpperCase())
  if (!found) throw s3NotImplemented(`checksum ${text}`)
  return found
}

/** What a request's members say: the checksum's name and, where it is known before the body, its value. */
export function statedChecksum(
  input: Readonly<Record<string, unknown>>,
  trailerNames: readonly string[],
): { name: ChecksumName; value: string | undefined } | null {
  const stated = checksumNames.flatMap((name) => {
    const value = input[`Checksum${name}`]
    return typeof value === 'string' ? [{ name, value: wellFormed(name, value) }] : []
  })
  const trailing = trailerNames
    .filter((name) => name.startsWith('x-amz-checksum-'))
    .map((name) => ({ name: checksumNamed(name.slice('x-amz-checksum-'.length)), value: undefined }))
  const all = [...stated, ...trailing]
  if (all.length > 1)
    throw s3Error('InvalidRequest', { message: 'Expecting a single x-amz-checksum- header' })
  const algorithm = input['ChecksumAlgorithm']
  if (all[0]) return all[0]
  return typeof algorithm === 'string' ? { name: checksumNamed(algorithm), value: undefined } : null
}

export function wellFormed(name: ChecksumName, value: string): string {
  if (Buffer.from(value, 'base64').length === lengthBytes[name] && /^[A-Za-z0-9+/]+=*$/.test(value))
    return value
  throw s3Error('InvalidRequest', { message: `Value for ${checksumHeader(name)} header is invalid.` })
}

export function badChecksum(name: ChecksumName): Error {
  return s3Error('BadDigest', {
    message: `The ${name} you specified did not match the calculated checksum.`,
  })
}

/** The members of an answer that tell a stored checksum. */
export function checksumMembers(stored: {
  checksum_name: string | null
  checksum_value: string | null
}): Record<string, string> {
  if (stored.checksum_name === null || stored.checksum_value === null) return {}
  return { [`Checksum${stored.checksum_name}`]: stored.checksum_value }
}
