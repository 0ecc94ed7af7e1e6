import { createCipheriv, randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { clusterBytes, placeRuns } from './encrypted-file.ts'
import { luksHeaderBytes, makeLuksHeader, openLuksHeader } from './luks-header.ts'
import { decryptSectors, encryptSectors } from './sectors.ts'

test('sectors are encrypted as by OpenSSL, each under its number, however large that is', () => {
  const key = randomBytes(64)
  const bytes = randomBytes(16 * 512)
  for (const first of [0, 7, 2 ** 33 + 5]) {
    const expected = Buffer.concat(
      Array.from({ length: 16 }, (_, index) => {
        const iv = Buffer.alloc(16)
        iv.writeBigUInt64LE(BigInt(first + index))
        const cipher = createCipheriv('aes-256-xts', key, iv)
        return cipher.update(bytes.subarray(index * 512, index * 512 + 512))
      }),
    )
    expect(encryptSectors(key, bytes, first).equals(expected)).toBe(true)
    expect(decryptSectors(key, expected, first).equals(bytes)).toBe(true)
  }
})

test('a header opens with its passphrase only, and holds the key nowhere in the clear', () => {
  const { header, masterKey } = makeLuksHeader('the passphrase')
  expect(header.length).toBe(luksHeaderBytes)
  expect(openLuksHeader(header, 'the passphrase').equals(masterKey)).toBe(true)
  expect(header.includes(masterKey.subarray(0, 16))).toBe(false)
  expect(() => openLuksHeader(header, 'another')).toThrow('its key is another')
  expect(() => openLuksHeader(Buffer.alloc(luksHeaderBytes), 'the passphrase')).toThrow('no LUKS header')
})

test('where runs lie on the disk is told piece by piece, and not told where the file has none', () => {
  const runs = [
    { offset: 0, length: 2 * clusterBytes, fileOffset: 10 * clusterBytes },
    { offset: 8 * clusterBytes, length: clusterBytes, fileOffset: 4 * clusterBytes },
    { offset: 9 * clusterBytes, length: clusterBytes, fileOffset: 20 * clusterBytes },
  ]
  const extents = [
    { offset: 0, length: 5 * clusterBytes, place: 1000 * clusterBytes },
    { offset: 10 * clusterBytes, length: clusterBytes, place: 7 * clusterBytes },
    { offset: 11 * clusterBytes, length: clusterBytes, place: null },
  ]
  expect(placeRuns(runs, extents)).toEqual([
    { offset: 0, length: clusterBytes, place: 7 * clusterBytes },
    { offset: clusterBytes, length: clusterBytes, place: null },
    { offset: 8 * clusterBytes, length: clusterBytes, place: 1004 * clusterBytes },
    { offset: 9 * clusterBytes, length: clusterBytes, place: null },
  ])
})
