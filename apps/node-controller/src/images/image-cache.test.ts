import { createHash } from 'node:crypto'
import { mkdtemp, readFile, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { silentLog } from '@mallee/base'
import type { Artifact } from '@mallee/agent-contract'
import { ImageCache } from './image-cache.ts'

let dir: string
let fetches: number
beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'mallee-cache-'))
  fetches = 0
})
afterEach(() => rm(dir, { recursive: true }))

const artifact = (text: string): Artifact => ({
  imageId: 'ami-1',
  bucket: 'b',
  key: 'k',
  sha256: createHash('sha256').update(text).digest('hex'),
  sizeBytes: text.length,
  format: 'raw',
})

async function cacheServing(text: string): Promise<ImageCache> {
  const cache = new ImageCache({
    dir,
    log: silentLog,
    fetch: async (_artifact, _signal, from) => {
      fetches += 1
      return (async function* () {
        for (const letter of text.slice(from)) yield Buffer.from(letter)
      })()
    },
  })
  await cache.open()
  return cache
}

test('many waiters share one download, and a second need has none', async () => {
  const cache = await cacheServing('bytes')
  const files = await Promise.all(Array.from({ length: 5 }, () => cache.ensure(artifact('bytes'))))
  expect(new Set(files).size).toBe(1)
  expect(await readFile(files[0]!, 'utf8')).toBe('bytes')
  await cache.ensure(artifact('bytes'))
  expect(fetches).toBe(1)
})

test.each([
  ['other bytes', 'bytez'],
  ['too many bytes', 'bytes and more'],
  ['too few bytes', 'byt'],
])('%s are refused and leave nothing', async (_what, served) => {
  const cache = await cacheServing(served)
  await expect(cache.ensure(artifact('bytes'))).rejects.toThrow('are not those that were registered')
  expect(await readdir(dir)).toEqual([])
})

test('eviction keeps what is in use and what was used last', async () => {
  for (const text of ['aaaa', 'bbbb', 'cccc']) await (await cacheServing(text)).ensure(artifact(text))
  const cache = await cacheServing('')
  await utimes(cache.pathOf(artifact('aaaa')), 1, 1)
  await utimes(cache.pathOf(artifact('bbbb')), 2, 2)
  await cache.evict({ inUse: new Set([cache.pathOf(artifact('aaaa'))]), keepBytes: 4096 })
  const left = (await readdir(dir)).toSorted()
  expect(left).toEqual(['aaaa', 'cccc'].map((text) => path.basename(cache.pathOf(artifact(text)))).toSorted())
})

test('what breaks off goes on where it was, and so does what a crash ended', async () => {
  const starts: number[] = []
  const text = 'a long image'
  const cutAt = [3, 7, 9]
  const cache = new ImageCache({
    dir,
    log: silentLog,
    fetch: async (_artifact, _signal, from) => {
      starts.push(from)
      const until = cutAt.shift() ?? text.length
      return (async function* () {
        for (const letter of text.slice(from, until)) yield Buffer.from(letter)
        if (until < text.length)
          throw Object.assign(new Error('the other side went away'), { code: 'ECONNRESET' })
      })()
    },
  })
  await cache.open()
  await writeFile(`${cache.pathOf(artifact(text))}.part`, 'a')
  const file = await cache.ensure(artifact(text))
  expect(await readFile(file, 'utf8')).toBe(text)
  expect(starts).toEqual([1, 3, 7, 9])
  expect(cache.underWay()).toEqual([])
})

test('a beginning that was damaged is fetched anew, once', async () => {
  const part = (cache: ImageCache) => `${cache.pathOf(artifact('bytes'))}.part`
  const cache = await cacheServing('bytes')
  await writeFile(part(cache), 'X')
  await cache.ensure(artifact('bytes'))
  expect(fetches).toBe(2)
  const wrong = await cacheServing('wrong')
  await rm(wrong.pathOf(artifact('bytes')))
  await writeFile(part(wrong), 'X')
  await expect(wrong.ensure(artifact('bytes'))).rejects.toThrow('are not those that were registered')
  expect(await readdir(dir)).toEqual([])
  expect(fetches).toBe(4)
})
