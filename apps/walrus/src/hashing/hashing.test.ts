import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { checksumNames } from '../objects/checksums.ts'
import { HashThreads } from './hash-threads.ts'
import { startHashing, type Hashing } from './hashing.ts'
import { startHash, type HashName } from './running-hash.ts'

const names: readonly HashName[] = ['MD5', ...checksumNames]
const piece = 256 * 1024

const onThisThread = (name: HashName, bytes: Buffer): string => {
  const hash = startHash(name)
  hash.update(bytes)
  return hash.digest().toString('hex')
}

async function inPieces(hash: Hashing, bytes: Buffer, pieceBytes: number): Promise<string> {
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    // What was given may be written over at once: so blocks that are read into again are.
    const chunk = Buffer.from(bytes.subarray(at, at + pieceBytes))
    await hash.update(chunk)
    chunk.fill(0)
  }
  return (await hash.digest()).toString('hex')
}

describe('hashing on threads', () => {
  const threads = new HashThreads()

  it('gives what hashing on the spot gives, however the bytes are cut', async () => {
    for (const size of [0, 1, piece - 1, piece, piece + 1, 2 * piece, 5 * piece + 17]) {
      const bytes = randomBytes(size)
      for (const name of names)
        for (const cut of [64 * 1024, piece, 3 * piece + 1])
          expect(await inPieces(threads.start(name), bytes, cut), `${name} ${size} ${cut}`).toBe(
            onThisThread(name, bytes),
          )
    }
  })

  it('keeps many at once apart, those that are given up too', async () => {
    const bodies = Array.from({ length: 40 }, (_value, index) => randomBytes(piece * 3 + index))
    const found = await Promise.all(
      bodies.map(async (bytes, index) => {
        if (index % 4 === 0) {
          const given = threads.start('SHA256')
          await given.update(bytes)
          given.discard()
        }
        return inPieces(threads.start('MD5'), bytes, 60_000)
      }),
    )
    expect(found).toEqual(bodies.map((bytes) => onThisThread('MD5', bytes)))
  })

  it('leaves small bodies and fast checksums where they are', async () => {
    for (const [name, lengthBytes] of [
      ['MD5', 1000],
      ['CRC32C', 1e9],
      ['MD5', 1e9],
    ] as const) {
      const bytes = randomBytes(1000)
      expect(await inPieces(startHashing(name, lengthBytes), bytes, 300)).toBe(onThisThread(name, bytes))
    }
  })
})
