import { createHash, randomBytes } from 'node:crypto'
import { zstdCompressSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { blockCodec } from './block-codec.ts'
import { blockBytes } from './snapshot-block.ts'
import { decodeIndex, encodeIndex } from './snapshot-index.ts'

const key = { id: 'key-1', secret: randomBytes(32).toString('base64') }
const other = { id: 'key-1', secret: randomBytes(32).toString('base64') }
const block = Buffer.alloc(blockBytes, 'a known text ')

test('an encrypted block comes back, says nothing, and is never the same twice', async () => {
  const codec = blockCodec(key)
  const name = codec.nameOf(block)
  const [one, two] = [await codec.encode(block, name), await codec.encode(block, name)]
  expect((await codec.decode(one, name)).equals(block)).toBe(true)
  expect(one.equals(two)).toBe(false)
  expect(one.toString('latin1', 0, 10)).toBe('MSB1\x05key-1')
  expect(one.includes('known')).toBe(false)
  expect(one.includes(zstdCompressSync(block).subarray(0, 16))).toBe(false)
})

test('names are of the key: nobody without it can ask for a block that it knows', () => {
  const sha256 = createHash('sha256').update(block).digest('hex')
  const names = [blockCodec(null), blockCodec(key), blockCodec(other)].map((codec) => codec.nameOf(block))
  expect(names[0]).toBe(sha256)
  expect(new Set(names).size).toBe(3)
  expect(blockCodec({ ...key }).nameOf(Buffer.from(block))).toBe(names[1])
  expect(names[1]).toMatch(/^[0-9a-f]{64}$/)
})

test('what was changed, has another name, or is of another key is damaged', async () => {
  const codec = blockCodec(key)
  const name = codec.nameOf(block)
  const bytes = await codec.encode(block, name)
  for (const at of [0, 5, 12, 30, bytes.length - 1]) {
    const changed = Buffer.from(bytes)
    changed[at]! ^= 1
    await expect(codec.decode(changed, name), `byte ${at}`).rejects.toThrow('is damaged')
  }
  await expect(codec.decode(bytes, 'f'.repeat(64))).rejects.toThrow('is damaged')
  await expect(codec.decode(bytes.subarray(0, 20), name)).rejects.toThrow('is damaged')
  await expect(blockCodec(other).decode(bytes, name)).rejects.toThrow('is damaged')
  await expect(blockCodec({ ...key, id: 'key-2' }).decode(bytes, name)).rejects.toThrow('not encrypted under')
  await expect(codec.decode(await blockCodec(null).encode(block, name), name)).rejects.toThrow('is damaged')
})

test('a list says under which key its blocks are; a plain one is as it always was', async () => {
  const plain = { volumeBytes: 1, prefix: 'a/b/blocks', blocks: new Map([[3, 'a'.repeat(64)]]) }
  const sealed = { ...plain, keyId: 'key-1' }
  for (const list of [plain, sealed]) {
    const { bytes, sha256 } = await encodeIndex(list)
    expect(await decodeIndex(bytes, sha256)).toEqual(list)
  }
  expect('keyId' in (await decodeIndex((await encodeIndex(plain)).bytes, null))).toBe(false)
})
