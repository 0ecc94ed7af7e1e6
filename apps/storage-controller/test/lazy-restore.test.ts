import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { open, readdir } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readPidFile } from '@mallee/base'
import { blockBytes, blockCodec } from '@mallee/volume-snapshots'
import { OpenDisk, qemuIo } from '@mallee/testkit'
import { MemoryStore, StorageWorld, whyNoTargets } from './storage-world.ts'
import { exported, newId, until } from './wishes.ts'

const missing = existsSync('/usr/bin/qemu-storage-daemon')
  ? whyNoTargets()
  : 'qemu-storage-daemon is not installed'
const MiB = 1024 ** 2
const account = '000000000001'
const sizeBytes = 64 * MiB
const blocks = 24

/** A walrus that takes its time for each block. */
class SlowStore extends MemoryStore {
  delayMs = 0
  blocksRead = 0

  override async get(key: string): Promise<Buffer | null> {
    if (!key.includes('/indexes/')) {
      this.blocksRead += 1
      await new Promise((resolve) => setTimeout(resolve, this.delayMs))
    }
    return super.get(key)
  }
}

let world: StorageWorld
const store = new SlowStore()
/** Of the volumes that are restored, and of what they come from. */
let isEncrypted = false
const snapshotKey = { id: 'key-1', secret: randomBytes(32).toString('base64') }
const dataKey = randomBytes(32).toString('base64')
const dataKeys = () => (isEncrypted ? { dataKey } : {})

async function available(volumeId: string, source: object | null, changes: object = {}): Promise<void> {
  const keys = source === null ? {} : dataKeys()
  const item = { volumeId, accountId: account, sizeBytes, source, remove: false, ...keys, ...changes }
  await world.want('volume', volumeId, item)
  await until(() => world.facts('volume', volumeId)?.state === 'available')
}

/** A snapshot that is in walrus and nowhere else, and what it holds from 8 MiB on. */
async function farSnapshot(): Promise<{ source: object; bytes: Buffer }> {
  store.delayMs = 0
  const volumeId = newId('vol')
  await available(volumeId, null)
  const bytes = randomBytes(blocks * blockBytes)
  const file = path.join(await world.driver['files'].root(), 'volumes', `${volumeId}.raw`)
  const handle = await open(file, 'r+')
  await handle.write(bytes, 0, bytes.length, 8 * MiB)
  await handle.sync()
  await handle.close()
  const snapshotId = newId('snap')
  const item = { snapshotId, accountId: account, volumeId, sizeBytes, remove: false }
  await world.want('snapshot', snapshotId, item)
  await until(() => world.facts('snapshot', snapshotId)?.state === 'completed')
  await world.driver.removeSnapshot(snapshotId)
  const { index } = world.facts('snapshot', snapshotId)!
  if (!isEncrypted) return { source: { snapshotId, index: index! }, bytes }
  const copyId = newId('snap')
  await world.want('snapshot', copyId, { ...item, snapshotId: copyId, copyOf: index, snapshotKey })
  await until(() => world.facts('snapshot', copyId)?.state === 'completed')
  const source = { snapshotId: copyId, index: world.facts('snapshot', copyId)!.index!, snapshotKey }
  return { source, bytes }
}

const percent = (volumeId: string) => world.facts('volume', volumeId)?.hydratedPercent ?? 0
const isHere = (volumeId: string) => percent(volumeId) === 100 && !world.lazy.has(volumeId)
const readRaw = (volumeId: string, offset: number, length: number) =>
  world.driver.read({ volumeId }, offset, length)
const daemonOf = async (volumeId: string) =>
  (await readPidFile(path.join(world.runDir, `restore-${volumeId}.pid`)))!.pid
const lazyFiles = async () => readdir(path.join(await world.driver['files'].root(), 'lazy'))

describe.skipIf(missing !== null).each([
  ['volumes', false],
  ['encrypted volumes', true],
])('%s that are used while they come', (_name, encrypted) => {
  beforeAll(async () => {
    isEncrypted = encrypted
    world = await StorageWorld.start(store)
    await world.drop()
    world.isEager = false
    await world.open()
  }, 60_000)
  afterAll(() => world?.stop(), 60_000)

  test('are there at once, read right from the first block on, keep what is written, and become whole', async () => {
    const { source, bytes } = await farSnapshot()
    store.delayMs = 60
    const id = newId('vol')
    await available(id, source)
    expect(percent(id)).toBeLessThan(100)
    const disk = await OpenDisk.open(await exported(world, id))
    const pattern = bytes[20 * blockBytes]!
    expect(await disk.tell(`read -P ${pattern} ${8 * MiB + 20 * blockBytes} 1`)).toContain('read 1/1')
    expect(await disk.tell(`write -P 9 ${8 * MiB + 21 * blockBytes + 512} 4k`)).toContain('wrote')
    expect(await disk.tell('write -P 7 40M 4k')).toContain('wrote')
    expect(await disk.tell('read -P 0 0 1M')).toContain('read 1048576')
    expect(world.lazy.has(id)).toBe(true)
    store.delayMs = 0
    await until(() => isHere(id))
    expect(await disk.tell('read -P 7 40M 4k')).toContain('read 4096')
    expect(await disk.tell('write -P 8 41M 4k')).toContain('wrote')
    expect(await disk.tell(`read -P 9 ${8 * MiB + 21 * blockBytes + 512} 4k`)).toContain('read 4096')
    await disk.close()
    bytes.fill(9, 21 * blockBytes + 512, 21 * blockBytes + 512 + 4096)
    expect((await readRaw(id, 8 * MiB, bytes.length)).equals(bytes)).toBe(true)
    expect((await readRaw(id, 41 * MiB, 4096)).equals(Buffer.alloc(4096, 8))).toBe(true)
    expect((await readRaw(id, 0, MiB)).equals(Buffer.alloc(MiB))).toBe(true)
    expect(await lazyFiles()).toEqual([])
  })

  test('go on after our end and after the end of what joins them', async () => {
    const { source, bytes } = await farSnapshot()
    store.delayMs = 1500
    const id = newId('vol')
    await available(id, source)
    const disk = await OpenDisk.open(await exported(world, id))
    expect(await disk.tell('write -P 5 50M 4k\nflush')).toContain('wrote')
    const before = await daemonOf(id)
    await world.drop()
    await world.open()
    await until(() => world.facts('volume', id)?.state === 'available')
    expect(await daemonOf(id)).toBe(before)
    const far = 8 * MiB + 18 * blockBytes
    expect(await disk.tell(`read -P ${bytes[18 * blockBytes]} ${far} 1`)).toContain('read 1/1')
    process.kill(before, 'SIGKILL')
    await until(async () => (await daemonOf(id).catch(() => before)) !== before)
    store.delayMs = 0
    await until(() => isHere(id))
    expect(await disk.tell('read -P 5 50M 4k')).toContain('read 4096')
    await disk.close()
    expect((await readRaw(id, 8 * MiB, bytes.length)).equals(bytes)).toBe(true)
  })

  test('go on where the target daemon and what holds the file system are replaced under them', async () => {
    const { source, bytes } = await farSnapshot()
    store.delayMs = 1000
    const id = newId('vol')
    await available(id, source)
    const disk = await OpenDisk.open(await exported(world, id))
    expect(await disk.tell('write -P 6 50M 4k\nflush')).toContain('wrote')
    const [daemon, joiner] = [await world.daemonPid(), await daemonOf(id)]
    process.kill((await readPidFile(path.join(world.runDir, 'holder.pid')))!.pid, 'SIGKILL')
    process.kill(daemon, 'SIGKILL')
    world.refresh()
    const pattern = bytes[18 * blockBytes]
    expect(await disk.tell(`read -P ${pattern} ${8 * MiB + 18 * blockBytes} 1`)).toContain('read 1/1')
    expect(await world.daemonPid()).not.toBe(daemon)
    expect(await daemonOf(id).catch(() => null)).not.toBe(joiner) // or it has all come by now
    store.delayMs = 0
    await until(() => isHere(id))
    expect(await disk.tell('read -P 6 50M 4k')).toContain('read 4096')
    await disk.close()
    expect((await readRaw(id, 8 * MiB, bytes.length)).equals(bytes)).toBe(true)
  })

  test('what was damaged in walrus is an error for who reads it, and told; nothing else is', async () => {
    const { source, bytes } = await farSnapshot()
    const known = [...store.objects.keys()].filter((key) => !key.includes('/indexes/')).slice(-blocks)
    const codec = blockCodec(isEncrypted ? snapshotKey : null)
    const digest = codec.nameOf(bytes.subarray(5 * blockBytes, 6 * blockBytes))
    const key = known.find((name) => name.endsWith(digest))!
    const kept = store.objects.get(key)!
    store.objects.set(key, Buffer.from(kept.map((byte, at) => (at === kept.length >> 1 ? byte ^ 1 : byte))))
    const id = newId('vol')
    await available(id, source)
    const access = await exported(world, id)
    expect((await qemuIo(access, [`read ${8 * MiB + 5 * blockBytes} 4k`])).ok).toBe(false)
    const pattern = bytes[12 * blockBytes]!
    const fine = await qemuIo(access, [`read -P ${pattern} ${8 * MiB + 12 * blockBytes} 1`])
    expect(fine.ok, fine.said).toBe(true)
    await until(() => world.facts('volume', id)?.message?.includes('cannot be had') === true)
    expect(world.facts('volume', id)!.state).toBe('available')
    expect(world.lazy.has(id)).toBe(true)
  })

  test('are removed whole, with what joins them; a snapshot of one waits for all of it', async () => {
    const { source, bytes } = await farSnapshot()
    store.delayMs = 100
    const [gone, kept] = [newId('vol'), newId('vol')]
    await available(gone, source)
    await until(async () => (await daemonOf(gone).catch(() => 0)) > 0)
    const pid = await daemonOf(gone)
    await world.want('volume', gone, {
      ...{ volumeId: gone, accountId: account, sizeBytes, source, remove: true, ...dataKeys() },
    })
    await until(() => world.facts('volume', gone)?.state === 'gone')
    expect(existsSync(`/proc/${pid}`)).toBe(false)
    expect((await lazyFiles()).filter((name) => name.startsWith(gone))).toEqual([])
    await available(kept, source)
    const snapshotId = newId('snap')
    const keys = isEncrypted ? { dataKey, snapshotKey } : {}
    const item = { snapshotId, accountId: account, volumeId: kept, sizeBytes, remove: false, ...keys }
    await world.want('snapshot', snapshotId, item)
    await until(() => world.facts('snapshot', snapshotId)?.message?.includes('being restored') === true)
    expect(world.facts('snapshot', snapshotId)!.taken).toBe(false)
    store.delayMs = 0
    await until(() => world.facts('snapshot', snapshotId)?.state === 'completed')
    const same = await world.driver.read({ snapshotId }, 8 * MiB, bytes.length)
    expect(same.equals(bytes)).toBe(true)
  })
})
