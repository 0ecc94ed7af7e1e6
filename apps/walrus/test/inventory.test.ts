import { readdir, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { PutObjectCommand, CreateBucketCommand } from '@aws-sdk/client-s3'
import { eventually, WalrusUnderTest } from './walrus-under-test.ts'

let walrus: WalrusUnderTest
beforeEach(async () => {
  walrus = await WalrusUnderTest.start()
})
afterEach(() => walrus.stop())

let count = 0
async function ask(removals: { kind: 'blob' | 'temporary-file' | 'blob-row'; id: string }[] = []) {
  count += 1
  walrus.cloud.askInventory({ count, removals })
  return eventually(() => {
    const answer = walrus.cloud.lastInventory
    return answer?.count === count ? answer : null
  })
}

/** Too many for the index: they have a file. */
const large = Buffer.alloc(100_000, 7)
const stray = 'a2'.repeat(16)
const data = (...parts: string[]) => path.join(walrus.dir, 'data', ...parts)
/** The shard's name is the driver's affair: whichever holds the bytes that are there. */
async function blobFiles(): Promise<string[]> {
  const shards = await readdir(data('blobs'))
  const inside = await Promise.all(
    shards.map(async (shard) => (await readdir(data('blobs', shard))).map((id) => data('blobs', shard, id))),
  )
  return inside.flat()
}

test('nothing amiss has nothing to say; what is being received is no leftover', async () => {
  const client = walrus.sdk()
  await client.send(new CreateBucketCommand({ Bucket: 'photos' }))
  await client.send(new PutObjectCommand({ Bucket: 'photos', Key: 'a', Body: 'bytes' }))
  const writer = await walrus.walrus.blobs.create()
  expect((await ask()).entries).toEqual([])
  await writer.discard()
})

test('bytes without a row, rows without bytes and unfinished files are told apart', async () => {
  const client = walrus.sdk()
  await client.send(new CreateBucketCommand({ Bucket: 'photos' }))
  await client.send(new PutObjectCommand({ Bucket: 'photos', Key: 'a', Body: large }))
  const [lost] = await blobFiles()
  await rm(lost!)
  await writeFile(path.join(path.dirname(lost!), stray), 'nobody knows me')
  await writeFile(data('incoming', 'half'), 'ha')
  const { entries, problems } = await ask()
  expect(problems).toEqual([])
  expect(entries.map((entry) => `${entry.kind} ${entry.id}`).toSorted()).toEqual([
    `blob ${stray}`,
    `blob-row ${path.basename(lost!)}`,
    'temporary-file incoming/half',
  ])
  expect(entries.find((entry) => entry.kind === 'temporary-file')?.changedAtMs).toBeGreaterThan(0)
})

test('removes what it is told once, refuses what is somebody’s and what it cannot bring back', async () => {
  const client = walrus.sdk()
  await client.send(new CreateBucketCommand({ Bucket: 'photos' }))
  await client.send(new PutObjectCommand({ Bucket: 'photos', Key: 'a', Body: large }))
  const [kept] = await blobFiles()
  await writeFile(data('incoming', 'half'), 'ha')
  const { removals, entries } = await ask([
    { kind: 'temporary-file', id: 'incoming/half' },
    { kind: 'blob', id: path.basename(kept!) },
    { kind: 'temporary-file', id: 'incoming/../index.db' },
    { kind: 'blob-row', id: 'x' },
  ])
  expect(removals.map((removal) => removal.done)).toEqual([true, false, false, false])
  expect(entries).toEqual([])
  expect((await stat(kept!)).size).toBe(large.length)
  expect((await stat(data('index.db'))).size).toBeGreaterThan(0)
})
