import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { linearChecksums, parseStagedKey, stagedKey, stagedNumberPrefix } from './staged-blocks.ts'

const snapshotId = 'snap-0123456789abcdef0'
const digestOf = (text: string) => createHash('sha256').update(text).digest()

test('keys of staged blocks sort by their numbers, and say what they are of', () => {
  const digest = digestOf('a').toString('hex')
  const keys = [0, 9, 10, 134_217_727].map((number) => stagedKey(snapshotId, { number, digest }))
  expect(keys.toSorted()).toEqual(keys)
  expect(keys.map((key) => parseStagedKey(key)?.number)).toEqual([0, 9, 10, 134_217_727])
  expect(keys[1]!.startsWith(stagedNumberPrefix(snapshotId, 9))).toBe(true)
  for (const key of ['', 'direct/snap-1/0', `${keys[0]!}0`, keys[0]!.replace('direct', 'other')])
    expect(parseStagedKey(key)).toBeNull()
})

test('the linear checksum is over the checksums in their order, as bytes or as texts', () => {
  const [a, b] = [digestOf('a'), digestOf('b')]
  const [ofDigests, ofTexts] = linearChecksums([a.toString('hex'), b.toString('hex')])
  expect(ofDigests).toBe(
    createHash('sha256')
      .update(Buffer.concat([a, b]))
      .digest('base64'),
  )
  expect(ofTexts).toBe(
    createHash('sha256')
      .update(a.toString('base64') + b.toString('base64'))
      .digest('base64'),
  )
  expect(linearChecksums([b.toString('hex'), a.toString('hex')])).not.toContain(ofDigests)
})
