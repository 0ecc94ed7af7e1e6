import { createHash } from 'node:crypto'
import { blockBytes } from './snapshot-block.ts'

/**
 * Blocks that a client writes of a snapshot lie apart, encoded as all blocks are, until the snapshot's storage controller
 * gathers them. A key says the block's number and digest, so that a listing tells all that is to be checked.
 */
export interface StagedBlock {
  readonly number: number
  /** SHA-256 of the plain block, hexadecimal. */
  readonly digest: string
}

/** AWS's largest volume has 134,217,728 blocks. */
const numberDigits = 9

export const stagingPrefix = (snapshotId: string): string => `direct/${snapshotId}/`

/** Of all blocks that were written under this number. */
export const stagedNumberPrefix = (snapshotId: string, number: number): string =>
  `${stagingPrefix(snapshotId)}${String(number).padStart(numberDigits, '0')}-`

export const stagedKey = (snapshotId: string, { number, digest }: StagedBlock): string =>
  `${stagedNumberPrefix(snapshotId, number)}${digest}`

/** Null for a key that is none of a staged block. */
export function parseStagedKey(key: string): StagedBlock | null {
  const found = /^direct\/snap-[0-9a-f]{17}\/(\d{9})-([0-9a-f]{64})$/.exec(key)
  return found ? { number: Number(found[1]), digest: found[2]! } : null
}

/** The digest of a block of zeros, which no list names. */
export const zeroDigest: string = createHash('sha256').update(Buffer.alloc(blockBytes)).digest('hex')

/**
 * What CompleteSnapshot may say of all written blocks, by the method LINEAR: their checksums in the order of their
 * numbers, concatenated, and SHA-256 of that, Base64. AWS's words leave open whether digests or their texts are
 * concatenated, and clients do both: either proves the same. `digests`: hexadecimal, in that order.
 */
export function linearChecksums(digests: Iterable<string>): readonly [ofDigests: string, ofTexts: string] {
  const ofDigests = createHash('sha256')
  const ofTexts = createHash('sha256')
  for (const digest of digests) {
    const bytes = Buffer.from(digest, 'hex')
    ofDigests.update(bytes)
    ofTexts.update(bytes.toString('base64'))
  }
  return [ofDigests.digest('base64'), ofTexts.digest('base64')]
}
