import { Agent } from 'node:http'
import { spawn, type ChildProcess } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { open, readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Log } from '@mallee/base'
import { silentLog } from '@mallee/base'
import type { BlobDriver } from '../src/drivers/blob-driver.ts'
import { alice, eventually, WalrusUnderTest } from './walrus-under-test.ts'

const Bucket = 'kept'
let test: WalrusUnderTest
const errors: string[] = []
const children: ChildProcess[] = []
const log: Log = {
  ...silentLog,
  error: (_fields, message) => void errors.push(String(message)),
  child: () => log,
}

beforeEach(async () => {
  errors.length = 0
  test = await WalrusUnderTest.start(log)
  await test.sdk().send(new CreateBucketCommand({ Bucket }))
})
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await test.stop()
})

async function blobFile(): Promise<string> {
  const root = path.join(test.dir, 'data', 'blobs')
  for (const shard of await readdir(root))
    for (const name of await readdir(path.join(root, shard))) return path.join(root, shard, name)
  throw new Error('there is no blob')
}

describe('a restart', () => {
  it('with the cloud away still knows keys, images and objects', async () => {
    await test.sdk().send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'still here' }))
    test.cloud.putImage({
      imageId: 'ami-1',
      accountId: alice.accountId,
      bucket: Bucket,
      key: 'k',
      kind: 'machine',
    })
    await eventually(() => test.cloud.observed('image-object', 'ami-1'))
    test.cloud.away = true
    await test.restart()
    expect((await test.signed({ path: `/${Bucket}/k` })).text).toBe('still here')
    const sequence = test.cloud.lastReport!.sequence
    test.cloud.away = false
    const report = await eventually(() => test.cloud.lastReport!.sequence > sequence && test.cloud.lastReport)
    expect(report.fingerprint).toMatchObject({ driver: 'posix', healthy: true, problems: [] })
    expect(report.fingerprint['freeBytes']).toBeGreaterThan(0)
  })

  it('removes what no object names, and keeps the rest', async () => {
    await test.sdk().send(new PutObjectCommand({ Bucket, Key: 'k', Body: randomBytes(100_000) }))
    const kept = await blobFile()
    await writeFile(path.join(test.dir, 'data', 'blobs', '20', 'a'.repeat(32)), 'named by nobody')
    await writeFile(path.join(test.dir, 'data', 'incoming', 'b'.repeat(32)), 'half')
    await test.restart()
    expect(await test.files()).toEqual([path.basename(kept)])
  })
})

describe('damage', () => {
  it('is seen before the block is sent: the answer breaks off, and the log says so', async () => {
    const data = randomBytes(3 * 1024 * 1024)
    await test.sdk().send(new PutObjectCommand({ Bucket, Key: 'k', Body: data }))
    const handle = await open(await blobFile(), 'r+')
    await handle.write(Buffer.from([data[2_500_000]! ^ 1]), 0, 1, 2_500_000)
    await handle.close()
    await expect(test.signed({ path: `/${Bucket}/k` })).rejects.toThrow()
    const sound = await test.signed({ path: `/${Bucket}/k`, headers: { range: 'bytes=0-2097151' } })
    expect(sound.body.equals(data.subarray(0, 2_097_152))).toBe(true)
    expect(errors.some((message) => message.includes('Block 2'))).toBe(true)
  })

  it('of the first block that is asked for is an error that is answered, and the connection stays', async () => {
    const data = randomBytes(3 * 1024 * 1024)
    await test.sdk().send(new PutObjectCommand({ Bucket, Key: 'k', Body: data }))
    const handle = await open(await blobFile(), 'r+')
    await handle.write(Buffer.from([data[1_500_000]! ^ 1]), 0, 1, 1_500_000)
    await handle.close()
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const range = 'bytes=1048576-'
    const damaged = await test.signed({ path: `/${Bucket}/k`, headers: { range }, agent })
    expect([damaged.status, damaged.code, damaged.headers.connection]).toEqual([
      500,
      'InternalError',
      'keep-alive',
    ])
    expect(damaged.headers['content-range']).toBe(undefined)
    const sound = await test.signed({ path: `/${Bucket}/k`, headers: { range: 'bytes=0-9' }, agent })
    expect(sound.body.equals(data.subarray(0, 10))).toBe(true)
    agent.destroy()
    // Nothing holds it any more: its bytes go with it.
    await test.signed({ method: 'DELETE', path: `/${Bucket}/k` })
    expect(await test.files()).toEqual([])
  })
})

describe('a small object', () => {
  it('has no file, comes back by range, encrypted and copied, and is never served damaged', async () => {
    const s3 = test.sdk()
    const Body = randomBytes(10_000)
    await s3.send(new PutObjectCommand({ Bucket, Key: 'plain', Body }))
    await s3.send(new PutObjectCommand({ Bucket, Key: 'sealed', Body, ServerSideEncryption: 'AES256' }))
    await test.restart()
    expect((await test.files()).map((name) => name.slice(0, 6))).toEqual(['small-', 'small-'])
    for (const key of ['plain', 'sealed']) {
      expect((await test.signed({ path: `/${Bucket}/${key}` })).body.equals(Body)).toBe(true)
      const part = await test.signed({ path: `/${Bucket}/${key}`, headers: { range: 'bytes=5000-5999' } })
      expect([part.status, part.body.equals(Body.subarray(5000, 6000))]).toEqual([206, true])
    }
    const copied = {
      method: 'PUT',
      path: `/${Bucket}/copy`,
      headers: { 'x-amz-copy-source': `${Bucket}/plain` },
    }
    expect((await test.signed(copied)).status).toBe(200)
    await test.walrus.index.transaction('action', async (tx) => {
      await tx.db
        .updateTable('blob')
        .set({ bytes: randomBytes(10_000) })
        .execute()
    })
    for (const key of ['plain', 'sealed', 'copy']) {
      const answer = await test.signed({ path: `/${Bucket}/${key}` })
      expect([answer.status, answer.code]).toEqual([500, 'InternalError'])
      expect((await test.signed({ method: 'DELETE', path: `/${Bucket}/${key}` })).status).toBe(204)
    }
    expect(await test.files()).toEqual([])
  })
})

describe('a full disk', () => {
  const faulty =
    (fault: 'write' | 'finish' | 'space') =>
    (driver: BlobDriver): BlobDriver => ({
      name: driver.name,
      read: (blob, start, end) => driver.read(blob, start, end),
      remove: (id) => driver.remove(id),
      list: () => driver.list(),
      changedAtMs: (id) => driver.changedAtMs(id),
      listUnfinished: () => driver.listUnfinished(),
      removeUnfinished: (id) => driver.removeUnfinished(id),
      space: async () => (fault === 'space' ? { totalBytes: 1e9, freeBytes: 1000 } : driver.space()),
      async create() {
        const writer = await driver.create()
        const full = () => Promise.reject(Object.assign(new Error('no space'), { code: 'ENOSPC' }))
        return {
          write: async (chunk) => (fault === 'write' ? full() : writer.write(chunk)),
          finish: async () => (fault === 'finish' ? full() : writer.finish()),
          discard: () => writer.discard(),
        }
      },
    })

  it.each(['write', 'finish', 'space'] as const)('at %s is S3’s error and leaves nothing', async (fault) => {
    await test.sdk().send(new PutObjectCommand({ Bucket, Key: 'old', Body: 'old' }))
    test.faults = faulty(fault)
    await test.restart()
    const before = await test.files()
    const answer = await test.signed({ method: 'PUT', path: `/${Bucket}/new`, body: randomBytes(3_000_000) })
    expect([answer.status, answer.code]).toEqual([507, 'InsufficientStorage'])
    expect(await test.files()).toEqual(before)
    expect((await test.signed({ path: `/${Bucket}/old` })).text).toBe('old')
    expect((await test.signed({ method: 'DELETE', path: `/${Bucket}/old` })).status).toBe(204)
  })
})

describe('a download', () => {
  it('that began before its object was replaced ends whole', async () => {
    const data = randomBytes(40 * 1024 * 1024)
    const s3 = test.sdk()
    await s3.send(new PutObjectCommand({ Bucket, Key: 'k', Body: data }))
    const answer = await s3.send(new GetObjectCommand({ Bucket, Key: 'k' }))
    await s3.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'new' }))
    expect(await test.files()).toHaveLength(2)
    expect(Buffer.from(await answer.Body!.transformToByteArray()).equals(data)).toBe(true)
    await eventually(async () => (await test.files()).length === 1)
  })

  it('that is broken off lets its object go', async () => {
    await test.sdk().send(new PutObjectCommand({ Bucket, Key: 'k', Body: randomBytes(40 * 1024 * 1024) }))
    const answer = await test.sdk().send(new GetObjectCommand({ Bucket, Key: 'k' }))
    await test.signed({ method: 'DELETE', path: `/${Bucket}/k` })
    expect(await test.files()).toHaveLength(1)
    ;(answer.Body as unknown as { destroy(): void }).destroy()
    await eventually(async () => (await test.files()).length === 0)
  })
})

describe('kill -9', () => {
  const sizeOf = (round: number) => (round % 7 === 0 ? 3_000_000 : (round * 7919) % 200_000)
  const bytesOf = (key: string, round: number) => {
    const seed = createHash('sha256').update(`${key} ${round}`).digest()
    return Buffer.alloc(sizeOf(round), seed)
  }

  it('loses nothing that was acknowledged and leaves no bytes without an object', async () => {
    await test.walrus.close()
    const acknowledged = new Map<string, number>()
    for (let life = 0; life < 4; life += 1) {
      const { child, url } = await startChild()
      test.url = url
      await eventually(async () => (await test.send({ path: '/readyz' }).catch(() => null))?.status === 200)
      const putting = [0, 1, 2].map((writer) => putUntilItDies(`w${writer}/`, life, acknowledged))
      const goal = acknowledged.size + 15
      await eventually(() => acknowledged.size >= goal)
      child.kill('SIGKILL')
      await Promise.all(putting)
    }
    await test.open()
    for (const [key, round] of acknowledged) {
      const answer = await test.signed({ path: `/${Bucket}/${key}` })
      expect([key, answer.status, answer.body.equals(bytesOf(key, round))]).toEqual([key, 200, true])
    }
    const listed = await test.signed({ path: `/${Bucket}?list-type=2&max-keys=1000` })
    const sizes = [...listed.text.matchAll(/<Size>(\d+)</g)].map((match) => Number(match[1]))
    expect(sizes.length).toBeGreaterThanOrEqual(acknowledged.size)
    expect(await test.files()).toHaveLength(sizes.filter((size) => size > 0).length)
  })

  /** Overwrites a few keys and makes new ones; a key counts as it was last acknowledged, or not at all while unsure. */
  async function putUntilItDies(
    prefix: string,
    life: number,
    acknowledged: Map<string, number>,
  ): Promise<void> {
    for (let round = life * 10_000 + 1; ; round += 1) {
      const key = `${prefix}${round % 3 === 0 ? 'again' : round}`
      const before = acknowledged.get(key)
      acknowledged.delete(key)
      try {
        const answer = await test.signed({
          method: 'PUT',
          path: `/${Bucket}/${key}`,
          body: bytesOf(key, round),
        })
        if (answer.status === 200) acknowledged.set(key, round)
        else if (before !== undefined) acknowledged.set(key, before)
      } catch {
        return
      }
    }
  }

  async function startChild(): Promise<{ child: ChildProcess; url: string }> {
    const config = path.join(test.dir, 'walrus.json')
    await writeFile(config, JSON.stringify(test.config))
    const main = path.join(import.meta.dirname, '../src/main.ts')
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', main, config], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    children.push(child)
    const url = await new Promise<string>((resolve, reject) => {
      child.once('message', (message) => resolve((message as { address: string }).address))
      child.once('exit', () => reject(new Error('walrus ended')))
    })
    return { child, url }
  }
})
