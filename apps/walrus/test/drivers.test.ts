import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, request as forward, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3'
import { systemClock } from '@mallee/base'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { blockBytes, type Blob, type BlobDriver } from '../src/drivers/blob-driver.ts'
import { PosixBlobs } from '../src/drivers/posix/posix-blobs.ts'
import { S3Blobs } from '../src/drivers/s3/s3-blobs.ts'
import { alice, WalrusUnderTest } from './walrus-under-test.ts'

/** The other S3: a second walrus, behind a wire that can be cut. */
let store: WalrusUnderTest
let wire: Server
let folder = ''
let url = ''
/** Answers this to the next requests, in the place of the store. */
let faults: number[] = []
/** Flips a byte of what comes back. */
let flips = false

beforeAll(async () => {
  store = await WalrusUnderTest.start()
  await store.sdk().send(new CreateBucketCommand({ Bucket: 'bytes' }))
  wire = createServer((incoming, outgoing) => {
    const fault = faults.shift()
    if (fault !== undefined) {
      incoming.resume()
      if (fault === 0) return void incoming.socket.destroy()
      return void outgoing.writeHead(fault).end()
    }
    const ask = forward(`${store.url}${incoming.url}`, {
      method: incoming.method!,
      headers: incoming.headers,
    })
    incoming.pipe(ask)
    ask.on('response', (answer) => {
      outgoing.writeHead(answer.statusCode!, answer.rawHeaders)
      let first = true
      answer.on('data', (chunk: Buffer) => {
        if (flips && first && chunk.length > 0) chunk[0]! ^= 1
        first = false
        outgoing.write(chunk)
      })
      answer.on('end', () => outgoing.end())
    })
  })
  await new Promise<void>((resolve) => wire.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(wire.address() as AddressInfo).port}`
  folder = await mkdtemp(path.join(tmpdir(), 'mallee-drivers-'))
})
afterAll(async () => {
  wire.closeAllConnections()
  wire.close()
  await store.stop()
  await rm(folder, { recursive: true, force: true })
})

const openS3 = (prefix: string, owner = 'me') =>
  S3Blobs.open({
    settings: { endpoint: url, bucket: 'bytes', region: 'us-east-1', ...alice },
    prefix,
    owner,
    clock: { ...systemClock, sleep: () => Promise.resolve() },
  })

const drivers: [string, () => Promise<BlobDriver>][] = [
  ['posix', async () => PosixBlobs.open(await mkdtemp(path.join(folder, 'posix-')))],
  ['s3', () => openS3(`contract-${randomBytes(4).toString('hex')}`)],
]

async function write(driver: BlobDriver, data: Buffer, pieceBytes = 70_000): Promise<Blob | null> {
  const writer = await driver.create()
  for (let at = 0; at < data.length; at += pieceBytes) await writer.write(data.subarray(at, at + pieceBytes))
  return writer.finish()
}
async function readAll(driver: BlobDriver, blob: Blob, start = 0, end = blob.sizeBytes): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of driver.read(blob, start, end)) {
    expect(piece.length).toBeLessThanOrEqual(blockBytes)
    pieces.push(Buffer.from(piece))
  }
  return Buffer.concat(pieces)
}
async function ids(driver: BlobDriver): Promise<string[]> {
  const found: string[] = []
  for await (const id of driver.list()) found.push(id)
  return found
}

describe.each(drivers)('the contract of a store of bytes: %s', (_name, open) => {
  it('gives back what it took, whole and in ranges', async () => {
    const driver = await open()
    for (const size of [1, 1000, blockBytes - 1, blockBytes, blockBytes + 1, 20 * blockBytes + 7]) {
      const data = randomBytes(size)
      const blob = (await write(driver, data))!
      expect([blob.sizeBytes, blob.blockCrcs.length]).toEqual([size, Math.ceil(size / blockBytes) * 4])
      expect((await readAll(driver, blob)).equals(data)).toBe(true)
      for (const [start, end] of [
        [0, 1],
        [size - 1, size],
        [Math.floor(size / 3), Math.floor(size / 2) + 1],
      ] as const)
        expect((await readAll(driver, blob, start, end)).equals(data.subarray(start, end))).toBe(true)
      expect(await readAll(driver, blob, 0, 0)).toHaveLength(0)
    }
  })

  it('lists what it holds and forgets what is removed, twice if need be', async () => {
    const driver = await open()
    const one = (await write(driver, randomBytes(10)))!
    const two = (await write(driver, randomBytes(10 * blockBytes)))!
    expect((await ids(driver)).toSorted()).toEqual([one.id, two.id].toSorted())
    expect(await driver.changedAtMs(one.id)).toBeGreaterThan(Date.now() - 60_000)
    await driver.remove(one.id)
    await driver.remove(one.id)
    expect(await driver.changedAtMs(one.id)).toBe(null)
    await expect(readAll(driver, one)).rejects.toMatchObject({ code: 'BlobMissing' })
    expect(await ids(driver)).toEqual([two.id])
  })

  it('has nothing of what was given up or was nothing', async () => {
    const driver = await open()
    expect(await write(driver, Buffer.alloc(0))).toBe(null)
    for (const size of [10, 10 * blockBytes]) {
      const writer = await driver.create()
      await writer.write(randomBytes(size))
      await writer.discard()
      await writer.discard()
    }
    expect(await ids(driver)).toEqual([])
    expect(await driver.listUnfinished()).toEqual([])
  })

  it('refuses a block that is not what was written', async () => {
    const driver = await open()
    const blob = (await write(driver, randomBytes(3 * blockBytes)))!
    const other = { ...blob, blockCrcs: Buffer.from(blob.blockCrcs) }
    other.blockCrcs[5]! ^= 1
    expect((await readAll(driver, other, 0, blockBytes)).length).toBe(blockBytes)
    await expect(readAll(driver, other)).rejects.toMatchObject({ code: 'BlobDamaged' })
  })

  it('knows what was begun and not ended', async () => {
    const driver = await open()
    const writer = await driver.create()
    await writer.write(randomBytes(9 * blockBytes))
    expect(await driver.listUnfinished()).toEqual([]) // it is still being written
    expect(await ids(driver)).toEqual([])
    await writer.discard()
  })
})

describe('another S3 as the store', () => {
  it('is asked again where it failed on the way, and given up where it is gone', async () => {
    const driver = await openS3('faults')
    faults = [503, 0]
    const blob = (await write(driver, randomBytes(100)))!
    faults = [500]
    expect(await readAll(driver, blob)).toHaveLength(100)
    faults = [503, 503, 503, 503, 503, 503, 503, 503]
    await expect(write(driver, randomBytes(100))).rejects.toMatchObject({ code: 'StoreUnavailable' })
    faults = []
  })

  it('that is full is a full disk', async () => {
    const driver = await openS3('full')
    faults = [507]
    await expect(write(driver, randomBytes(100))).rejects.toMatchObject({ code: 'ENOSPC' })
    faults = []
    expect(await ids(driver)).toEqual([])
  })

  it('that sends other bytes is not believed', async () => {
    const driver = await openS3('flips')
    const blob = (await write(driver, randomBytes(100)))!
    flips = true
    await expect(readAll(driver, blob)).rejects.toMatchObject({ code: 'BlobDamaged' })
    flips = false
  })

  it('belongs to one walrus, which finds its parts again and throws them away', async () => {
    const first = await openS3('owned')
    const writer = await first.create()
    await writer.write(randomBytes(9 * blockBytes))
    await expect(openS3('owned', 'somebody else')).rejects.toMatchObject({ code: 'StoreInUse' })
    const again = await openS3('owned')
    expect(await again.listUnfinished()).toEqual([])
  })

  it('stands under the whole door: objects here, bytes there, over a restart', async () => {
    const secretFile = path.join(folder, 'secret')
    const { writeFile } = await import('node:fs/promises')
    await writeFile(secretFile, `${alice.secretAccessKey}\n`, { mode: 0o600 })
    const settings = {
      store: {
        kind: 's3' as const,
        endpoint: url,
        bucket: 'bytes',
        prefix: 'whole',
        accessKeyId: alice.accessKeyId,
        secretFile,
      },
    }
    const door = await WalrusUnderTest.start(undefined, settings)
    try {
      let s3 = door.sdk()
      await s3.send(new CreateBucketCommand({ Bucket: 'front' }))
      const data = randomBytes(11 * blockBytes)
      await s3.send(
        new PutObjectCommand({ Bucket: 'front', Key: 'a', Body: data, ServerSideEncryption: 'AES256' }),
      )
      expect((await door.files()).length).toBe(0)
      await door.restart()
      s3 = door.sdk()
      const back = await s3.send(
        new GetObjectCommand({ Bucket: 'front', Key: 'a', Range: 'bytes=5-4000000' }),
      )
      expect(Buffer.from(await back.Body!.transformToByteArray()).equals(data.subarray(5, 4_000_001))).toBe(
        true,
      )
      const there = await store
        .sdk()
        .send(new ListObjectsV2Command({ Bucket: 'bytes', Prefix: 'whole/blobs/' }))
      expect(there.KeyCount).toBe(1)
    } finally {
      await door.stop()
    }
  })
})
