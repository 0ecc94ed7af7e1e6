import { mkdtempSync, rmSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { giveBack } from './give-back.ts'
import { PosixBlobs } from './posix/posix-blobs.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync('/tmp/mallee-give-')
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const own = (count: number) => {
  const chunk = Buffer.allocUnsafeSlow(count)
  randomBytes(count).copy(chunk)
  return chunk
}

test('only memory that a buffer has for itself is given back', () => {
  const [large, small, shared] = [own(65_536), own(100), Buffer.from(new SharedArrayBuffer(65_536))]
  const part = own(65_536).subarray(0, 30_000)
  for (const chunk of [large, small, shared, part]) giveBack(chunk)
  expect([large.length, small.length, shared.length, part.length]).toEqual([0, 100, 65_536, 30_000])
})

test('what is given to a writer is written first, and what is not given stays its owner’s', async () => {
  const blobs = await PosixBlobs.open(dir)
  const writer = await blobs.create()
  const chunks = Array.from({ length: 40 }, () => own(65_536))
  const whole = Buffer.concat(chunks)
  for (const [index, chunk] of chunks.entries()) await writer.write(chunk, index % 2 === 0)
  const blob = (await writer.finish())!
  expect(chunks.map((chunk) => chunk.length)).toEqual(
    chunks.map((_chunk, index) => (index % 2 === 0 ? 0 : 65_536)),
  )
  const read: Buffer[] = []
  for await (const piece of blobs.read(blob, 0, blob.sizeBytes)) read.push(piece)
  expect(Buffer.concat(read).equals(whole)).toBe(true)
})
