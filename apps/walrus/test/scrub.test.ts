import { randomBytes } from 'node:crypto'
import { open, readdir, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { silentLog, systemClock, type Log } from '@mallee/base'
import { damagedBlobs, scrubPosition } from '../src/index/scrub-rows.ts'
import { Scrubber } from '../src/scrub/scrubber.ts'
import { eventually, WalrusUnderTest } from './walrus-under-test.ts'

const Bucket = 'kept'
let test: WalrusUnderTest
let said: { objects?: string[] }[] = []
const log: Log = { ...silentLog, error: (fields) => void said.push(fields as object), child: () => log }
const clock = { ...systemClock, sleep: () => Promise.resolve() }

let settings = { scrubBytesPerSecond: 0 }

beforeEach(async () => {
  said = []
  settings = { scrubBytesPerSecond: 0 }
  test = await WalrusUnderTest.start(silentLog, settings)
  await test.sdk().send(new CreateBucketCommand({ Bucket }))
})
afterEach(() => test.stop())

function scrubber(onBytes: (bytes: number) => void = () => {}) {
  const { index, blobs } = test.walrus
  return new Scrubber({ index, blobs, bytesPerSecond: 1e9, clock, log, onBytes })
}

const put = (Key: string, bytes: number) =>
  test.sdk().send(new PutObjectCommand({ Bucket, Key, Body: randomBytes(bytes) }))

async function blobFiles(): Promise<string[]> {
  const root = path.join(test.dir, 'data', 'blobs')
  const shards = await readdir(root)
  const inside = await Promise.all(
    shards.map(async (shard) =>
      (await readdir(path.join(root, shard))).map((id) => path.join(root, shard, id)),
    ),
  )
  return inside.flat()
}

async function flip(file: string): Promise<void> {
  const handle = await open(file, 'r+')
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, 70_000)
  await handle.write(Buffer.from([buffer[0]! ^ 4]), 0, 1, 70_000)
  await handle.close()
}

const damaged = async () => (await test.walrus.index.read(damagedBlobs)).map((row) => row.blob_id)

it('reads everything again, names what is damaged, keeps it, and takes back what is well again', async () => {
  await put('large', 2_500_000)
  await put('small', 5_000)
  await put('lost', 200_000)
  const never = new AbortController().signal
  expect(await scrubber().round(never)).toEqual({ bytes: 2_705_000, blobs: 3, damaged: 0 })
  const sizes = await Promise.all(
    (await blobFiles()).map(async (file) => ({ file, size: (await stat(file)).size })),
  )
  const large = sizes.find(({ size }) => size === 2_500_000)!.file
  await flip(large)
  await rm(sizes.find(({ size }) => size === 200_000)!.file)
  await test.walrus.index.transaction('action', async (tx) => {
    await tx.db
      .updateTable('blob')
      .set({ bytes: randomBytes(5_000) })
      .where('bytes', 'is not', null)
      .execute()
  })
  expect(await scrubber().round(never)).toMatchObject({ blobs: 3, damaged: 3 })
  expect(said.map((fields) => fields.objects).toSorted()).toEqual([
    ['kept/large'],
    ['kept/lost'],
    ['kept/small'],
  ])
  test.cloud.askInventory({ count: 1, removals: [{ kind: 'blob', id: path.basename(large) }] })
  const { entries, removals } = await eventually(() => test.cloud.lastInventory)
  expect(entries.filter((entry) => entry.kind === 'blob-row' && entry.state === 'damaged')).toHaveLength(3)
  expect(removals.map((removal) => removal.done)).toEqual([false])
  expect(await test.walrus.metrics.text()).toMatch(/^mallee_s3_scrub_damaged_blobs 3$/m)
  await flip(large)
  await test.signed({ method: 'DELETE', path: `/${Bucket}/small` })
  expect(await scrubber().round(never)).toMatchObject({ damaged: 1 })
  expect(await damaged()).toHaveLength(1)
})

it('goes on where it was broken off, also after a restart', async () => {
  for (let number = 0; number < 6; number += 1) await put(`k${number}`, 100_000)
  const stop = new AbortController()
  let read = 0
  const first = scrubber(() => {
    read += 1
    if (read === 4) stop.abort()
  })
  expect(await first.round(stop.signal)).toBe(null)
  const position = await test.walrus.index.read(scrubPosition)
  await test.restart()
  const rest = await scrubber().round(new AbortController().signal)
  expect(rest).toEqual({ bytes: 300_000, blobs: 3, damaged: 0 })
  const after = await test.walrus.index.read(scrubPosition)
  expect([after?.began_at, after?.ended_at !== null]).toEqual([position?.began_at, true])
})

it('runs by itself, and ends with its walrus in the middle of a large object', async () => {
  await put('large', 3_000_000)
  settings.scrubBytesPerSecond = 1
  await test.restart()
  await eventually(async () =>
    /^mallee_s3_scrub_bytes_total 1048576$/m.test(await test.walrus.metrics.text()),
  )
})
