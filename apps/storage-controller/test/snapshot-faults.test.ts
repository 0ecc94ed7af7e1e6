import { randomBytes } from 'node:crypto'
import { open, readdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { blockBytes } from '@mallee/volume-snapshots'
import { storageInventory } from '../src/storage-inventory.ts'
import { hurried, MemoryStore, StorageWorld, whyNoTargets } from './storage-world.ts'
import { newId, until } from './wishes.ts'

const missing = whyNoTargets()
const MiB = 1024 ** 2
const account = '000000000001'
const sizeBytes = 64 * MiB

/** A walrus that takes no lists for a while: blocks arrive, and what names them does not. */
class ListlessStore extends MemoryStore {
  refusals = 0

  override async put(key: string, bytes: Buffer): Promise<void> {
    if (this.refusals > 0 && key.includes('/indexes/')) {
      this.refusals -= 1
      throw new Error('away')
    }
    return super.put(key, bytes)
  }
}

let world: StorageWorld
const store = new ListlessStore()

async function newVolume(source: object | null = null): Promise<string> {
  const volumeId = newId('vol')
  await world.want('volume', volumeId, { volumeId, accountId: account, sizeBytes, source, remove: false })
  await until(() => world.facts('volume', volumeId)?.state === 'available')
  return volumeId
}

async function write(volumeId: string, bytes: Buffer): Promise<void> {
  const file = path.join(await world.driver['files'].root(), 'volumes', `${volumeId}.raw`)
  const handle = await open(file, 'r+')
  await handle.write(bytes, 0, bytes.length, 0)
  await handle.sync()
  await handle.close()
}

const snapshotItem = (snapshotId: string, volumeId: string, remove = false) => ({
  ...{ snapshotId, accountId: account, volumeId, sizeBytes, remove },
})

async function snapshot(volumeId: string): Promise<string> {
  const id = newId('snap')
  await world.want('snapshot', id, snapshotItem(id, volumeId))
  await until(() => world.facts('snapshot', id)?.state === 'completed')
  return id
}

async function remove(id: string, volumeId: string): Promise<void> {
  await world.want('snapshot', id, snapshotItem(id, volumeId, true))
  await until(() => world.facts('snapshot', id)?.state === 'gone')
}

const sourceOf = (snapshotId: string) => ({ snapshotId, index: world.facts('snapshot', snapshotId)!.index! })
const firstBlock = (volumeId: string) => world.driver.read({ volumeId }, 0, blockBytes)
const inventory = () =>
  storageInventory({
    ...{ agentId: 'agent-1', ledger: world.ledger, driver: world.driver, exports: world.exports },
    ...{
      snapshots: world.snapshots,
      indexes: world.snapshots['deps'].indexes,
      store,
      lazy: null,
      served: null,
    },
  })
const strays = async () =>
  (await inventory().take()).entries.filter(({ kind }) => kind === 'snapshot-object').map(({ id }) => id)

describe.skipIf(missing !== null)('snapshots through bad days', () => {
  beforeAll(async () => {
    world = await StorageWorld.start(store, undefined, hurried)
  }, 60_000)
  afterAll(() => world?.stop(), 60_000)

  test('one that was taken before our memory was lost is not taken again', async () => {
    const id = await newVolume()
    const bytes = randomBytes(blockBytes)
    await write(id, bytes)
    const snap = await snapshot(id)
    const index = world.facts('snapshot', snap)!.index
    await write(id, randomBytes(blockBytes))
    await world.drop()
    await world.driver.removeSnapshot(snap)
    for (const folder of ['ledger', 'indexes'])
      await rm(path.join(world.dir, folder), { recursive: true, force: true })
    store.failures = 1 // and walrus comes late
    await world.open()
    const before = new Map(store.objects)
    await world.want('snapshot', snap, snapshotItem(snap, id))
    await until(() => world.facts('snapshot', snap)?.state === 'completed')
    expect(world.facts('snapshot', snap)!.index).toEqual(index)
    expect(store.objects).toEqual(before)
    expect((await firstBlock(await newVolume(sourceOf(snap)))).equals(bytes)).toBe(true)
    await remove(snap, id)
    expect(store.objects.size).toBe(0)
  })

  test('a damaged list here is taken from walrus, and nothing is removed before it is', async () => {
    const id = await newVolume()
    await write(id, randomBytes(blockBytes))
    const [first, second] = [await snapshot(id), await snapshot(id)]
    await world.drop()
    await writeFile(path.join(world.dir, 'indexes', `${first}.index`), 'damaged')
    store.failures = 2
    await world.open()
    await remove(second, id)
    expect([...store.objects.keys()].filter((key) => key.includes('/blocks/'))).toHaveLength(1)
    await remove(first, id)
    expect(store.objects.size).toBe(0)
  })

  test('however often a list does not arrive, its blocks are counted once, and go with it', async () => {
    const id = await newVolume()
    await write(id, randomBytes(blockBytes))
    store.refusals = 2
    const snap = await snapshot(id)
    await remove(snap, id)
    expect(store.objects.size).toBe(0)
  })

  test('what is left of one that nobody names is found, and removed with all that only it used', async () => {
    const id = await newVolume()
    await write(id, randomBytes(blockBytes))
    const snap = await snapshot(id)
    expect(await strays()).toEqual([])
    await store.put(`agent-1/${account}/blocks/${'0'.repeat(64)}`, Buffer.from('left'))
    await world.want('snapshot', snap, null)
    const found = await strays()
    expect(found).toHaveLength(2)
    await until(() => !world.snapshots.isBusy)
    for (const key of found) await inventory().remove({ kind: 'snapshot-object', id: key })
    expect(await strays()).toEqual([])
    expect(store.objects.size).toBe(0)
    await world.driver.removeSnapshot(snap)
  })

  test('one whose bytes were lost on the way to walrus fails, and says so', async () => {
    const id = await newVolume()
    await write(id, randomBytes(blockBytes))
    store.failures = Infinity
    const snap = newId('snap')
    await world.want('snapshot', snap, snapshotItem(snap, id))
    await until(() => world.facts('snapshot', snap)?.message === 'away')
    store.failures = 0
    await world.driver.removeSnapshot(snap)
    await until(() => world.facts('snapshot', snap)?.state === 'failed')
    expect(world.facts('snapshot', snap)!.message).toContain('lost')
  })

  test('a restore that does not fit is refused, and takes no room from those who are there', async () => {
    const id = await newVolume()
    await write(id, randomBytes(8 * blockBytes))
    const snap = await snapshot(id)
    await world.driver.removeSnapshot(snap)
    const space = world.driver.space.bind(world.driver)
    world.driver.space = async () => ({ totalBytes: 1024 * MiB, freeBytes: 257 * MiB })
    const volumeId = newId('vol')
    const source = sourceOf(snap)
    await world.want('volume', volumeId, { volumeId, accountId: account, sizeBytes, source, remove: false })
    await until(() => world.facts('volume', volumeId)?.state === 'failed')
    world.driver.space = space
    expect(world.facts('volume', volumeId)!.message).toBe(
      'The storage controller has no room for the volume.',
    )
    const names = await readdir(path.join(await world.driver['files'].root(), 'volumes'))
    expect(names.filter((name) => name.startsWith(volumeId))).toEqual([])
  })
})
