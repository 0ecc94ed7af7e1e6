import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { DiskImportFacts, DiskImportItem } from '@mallee/agent-contract'
import { blockBytes, decodeBlock, parseStagedKey } from '@mallee/volume-snapshots'
import { EbsWorld } from './ebs-world.ts'
import { alice, eventually, mallory, WalrusUnderTest } from './walrus-under-test.ts'

const MiB = 1024 ** 2
const Bucket = 'disks'
const dir = mkdtempSync(path.join(tmpdir(), 'mallee-disks-'))
let walrus: WalrusUnderTest
let world: EbsWorld
let made = 0

/** Noise in two places, and at the end half a block. */
const disk = Buffer.alloc(24 * MiB + 512)
randomBytes(MiB + 5).copy(disk, 2 * MiB)
randomBytes(512).copy(disk, 24 * MiB)
const writtenBlocks = [4, 5, 6, 48]

const put = (Key: string, Body: Buffer | string) =>
  walrus.sdk().send(new PutObjectCommand({ Bucket, Key, Body }))
const convert = (to: string, ...options: string[]) => {
  execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', to, ...options, 'disk.raw', `disk.${to}`], {
    cwd: dir,
  })
  return readFileSync(path.join(dir, `disk.${to}`))
}
const itemOf = (more: Partial<DiskImportItem>): DiskImportItem => {
  made += 1
  return {
    ...{ snapshotId: `snap-${String(made).padStart(17, 'a')}`, accountId: alice.accountId, format: 'raw' },
    ...{ bucket: Bucket, key: 'disk', inParts: false, mostBytes: 100 * MiB, remove: false },
    ...more,
  }
}
const factsOf = (id: string) => walrus.cloud.observed('disk-import', id)?.facts as DiskImportFacts | undefined
const until = (id: string, state: DiskImportFacts['state']) =>
  eventually(() => {
    const facts = factsOf(id)
    return facts?.state === state ? facts : null
  })

async function imported(item: DiskImportItem): Promise<DiskImportFacts> {
  walrus.cloud.putItem('disk-import', item.snapshotId, item)
  return eventually(() => {
    const facts = factsOf(item.snapshotId)
    return facts && facts.state !== 'converting' ? facts : null
  })
}

async function stagedOf(snapshotId: string): Promise<Map<number, Buffer>> {
  const blocks = new Map<number, Buffer>()
  for (const key of await world.staged(snapshotId)) {
    const { number, digest } = parseStagedKey(key)!
    blocks.set(number, await decodeBlock((await walrus.asAgent(`/mallee-ebs/${key}`)).body, digest))
  }
  return blocks
}

beforeAll(async () => {
  writeFileSync(path.join(dir, 'disk.raw'), disk)
  walrus = await WalrusUnderTest.start()
  world = new EbsWorld(walrus)
  await walrus.sdk().send(new CreateBucketCommand({ Bucket }))
})
afterAll(async () => {
  await walrus.stop()
  rmSync(dir, { recursive: true, force: true })
})

async function expectDisk(item: DiskImportItem, facts: DiskImportFacts): Promise<void> {
  expect(facts).toMatchObject({ state: 'staged', progress: 100, blocks: writtenBlocks.length })
  const blocks = await stagedOf(item.snapshotId)
  expect([...blocks.keys()].toSorted((a, b) => a - b)).toEqual(writtenBlocks)
  const whole = Buffer.alloc(Math.ceil(disk.length / blockBytes) * blockBytes)
  for (const [number, bytes] of blocks) bytes.copy(whole, number * blockBytes)
  expect(whole.subarray(0, disk.length).equals(disk)).toBe(true)
  expect(await readdir(path.join(walrus.dir, 'data', 'converting-disks')).catch(() => [])).toEqual([])
}

describe('a disk', () => {
  test.each<[DiskImportItem['format'], () => Buffer]>([
    ['raw', () => disk],
    ['qcow2', () => convert('qcow2', '-c')],
    ['vmdk', () => convert('vmdk', '-o', 'subformat=streamOptimized')],
    ['vhdx', () => convert('vhdx')],
  ])('that is %s is cut into the blocks that are not zeros', async (format, bytes) => {
    await put(`disk.${format}`, bytes())
    const item = itemOf({ format, key: `disk.${format}` })
    const facts = await imported(item)
    expect(facts.diskBytes).toBeGreaterThanOrEqual(disk.length)
    await expectDisk(item, facts)
  })

  test.each<[string, Partial<DiskImportItem>, string]>([
    ['is another account’s', { accountId: mallory.accountId }, 'not accessible'],
    ['is not there', { key: 'nowhere' }, 'does not exist'],
    ['is none of its format', { format: 'qcow2' }, 'no qcow2'],
    ['is too large', { mostBytes: MiB }, 'more than is taken'],
    ['is empty', { key: 'nothing' }, 'empty'],
    ['has a backing file', { format: 'qcow2', key: 'backed' }, 'backing file'],
  ])('that %s is refused, and leaves nothing', async (_what, more, words) => {
    await put('disk', disk)
    await put('nothing', Buffer.alloc(0))
    const backed = path.join(dir, 'backed.qcow2')
    execFileSync('qemu-img', [
      'create',
      '-q',
      '-f',
      'qcow2',
      '-F',
      'raw',
      '-b',
      path.join(dir, 'disk.raw'),
      backed,
    ])
    await put('backed', readFileSync(backed))
    const item = itemOf(more)
    expect(await imported(item)).toMatchObject({ state: 'failed', message: expect.stringContaining(words) })
    expect(await stagedOf(item.snapshotId)).toEqual(new Map())
  })

  test('that is not wanted any more goes, whatever was written of it', async () => {
    await put('disk', disk)
    const item = itemOf({})
    await imported(item)
    expect((await stagedOf(item.snapshotId)).size).toBe(writtenBlocks.length)
    walrus.cloud.putItem('disk-import', item.snapshotId, { ...item, remove: true })
    await until(item.snapshotId, 'gone')
    expect(await stagedOf(item.snapshotId)).toEqual(new Map())
  })
})

describe('a disk in parts', () => {
  const sizes = [10 * MiB, 10 * MiB, disk.length - 20 * MiB]
  const part = (index: number) => {
    const at = sizes.slice(0, index).reduce((sum, size) => sum + size, 0)
    return disk.subarray(at, at + sizes[index]!)
  }
  const manifestOf = (prefix: string, change: (xml: string) => string = (xml) => xml) => {
    let at = 0
    const parts = sizes.map((size, index) => {
      const range = `<byte-range start="${at}" end="${at + size - 1}"/>`
      at += size
      return `<part index="${index}">${range}<key>${prefix}/part.${index}</key><get-url>http://192.0.2.1/secret</get-url></part>`
    })
    return change(
      `<?xml version="1.0"?><manifest><version>2010-11-15</version><file-format>RAW</file-format><import><size>${disk.length}</size><volume-size>1</volume-size><parts count="3">${parts.join('')}</parts></import></manifest>`,
    )
  }

  test('is waited for until its manifest and every part are there', async () => {
    const item = itemOf({ key: 'late/manifest.xml', inParts: true })
    walrus.cloud.putItem('disk-import', item.snapshotId, item)
    await until(item.snapshotId, 'converting')
    await put('late/manifest.xml', manifestOf('late'))
    for (const index of [0, 1, 2]) await put(`late/part.${index}`, part(index))
    // A word of the cloud's has it look at once, where it would look every few seconds.
    walrus.cloud.putItem('disk-import', item.snapshotId, { ...item, mostBytes: item.mostBytes + 1 })
    await expectDisk(item, await until(item.snapshotId, 'staged'))
  })

  test.each<[string, (xml: string) => string, string]>([
    ['no manifest', () => 'text', 'no disk'],
    ['an entity', (xml) => xml.replace('?>', '?><!DOCTYPE a [<!ENTITY b "c">]>'), 'well-formed'],
    ['a gap', (xml) => xml.replace('start="0"', 'start="1"'), 'gap'],
    ['a part of another size', (xml) => xml.replace('/part.1<', '/part.2<'), 'bytes and not'],
    ['another size in all', (xml) => xml.replace(`<size>${disk.length}`, '<size>1'), 'have'],
  ])('with %s is refused', async (what, change, words) => {
    const prefix = `bad ${what}`
    for (const index of [0, 1, 2]) await put(`${prefix}/part.${index}`, part(index))
    await put(`${prefix}/manifest.xml`, manifestOf(prefix, change))
    const item = itemOf({ key: `${prefix}/manifest.xml`, inParts: true })
    expect(await imported(item)).toMatchObject({ state: 'failed', message: expect.stringContaining(words) })
    expect(await stagedOf(item.snapshotId)).toEqual(new Map())
  })
})
