import { randomBytes } from 'node:crypto'
import { open } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { blockBytes } from '@mallee/volume-snapshots'
import { StorageWorld, whyNoTargets } from './storage-world.ts'

const missing = whyNoTargets()
let world: StorageWorld
let made = 0
const MiB = 1024 ** 2
const account = '000000000001'

const until = (condition: () => boolean | Promise<boolean>) =>
  expect.poll(condition, { timeout: 30_000, interval: 20 }).toBe(true)

const newId = (prefix: string) => {
  made += 1
  return `${prefix}-${String(made).padStart(17, '0')}`
}

async function newVolume(sizeBytes: number, source: object | null = null): Promise<string> {
  const id = newId('vol')
  await world.want('volume', id, { volumeId: id, accountId: account, sizeBytes, source, remove: false })
  await until(() => world.facts('volume', id)?.state === 'available')
  return id
}

/** As a guest's flushed write is there. */
async function write(volumeId: string, offset: number, bytes: Buffer): Promise<void> {
  const file = `${await world.driver['files'].root()}/volumes/${volumeId}.raw`
  const handle = await open(file, 'r+')
  await handle.write(bytes, 0, bytes.length, offset)
  await handle.sync()
  await handle.close()
}

async function snapshot(volumeId: string, changes: object = {}): Promise<string> {
  const id = newId('snap')
  const sizeBytes = (await world.driver.volumeSize(volumeId))!
  await world.want('snapshot', id, {
    ...{ snapshotId: id, accountId: account, volumeId, sizeBytes, remove: false, ...changes },
  })
  await until(() => world.facts('snapshot', id)?.state === 'completed')
  return id
}

async function removeSnapshot(id: string, volumeId: string, sizeBytes: number): Promise<void> {
  await world.want('snapshot', id, { snapshotId: id, accountId: account, volumeId, sizeBytes, remove: true })
  await until(() => world.facts('snapshot', id)?.state === 'gone')
}

const indexOf = (id: string) => world.facts('snapshot', id)!.index!
const sourceOf = (id: string) => ({ snapshotId: id, index: indexOf(id) })
const read = (volumeId: string, offset: number, length: number) =>
  world.driver.read({ volumeId }, offset, length)
const blocksStored = () => [...world.store.objects.keys()].filter((key) => key.includes('/blocks/')).length

describe.skipIf(missing !== null)('snapshots', () => {
  beforeAll(async () => {
    world = await StorageWorld.start()
  }, 60_000)
  afterAll(() => world?.stop(), 60_000)

  test('hold the moment; a volume of one is there at once, and holds that too', async () => {
    const id = await newVolume(64 * MiB)
    const bytes = randomBytes(3 * blockBytes)
    await write(id, 5 * MiB, bytes)
    const snap = await snapshot(id)
    expect(world.facts('snapshot', snap)).toMatchObject({ taken: true, progress: 100 })
    await write(id, 5 * MiB, randomBytes(3 * blockBytes))
    const copy = await newVolume(128 * MiB, sourceOf(snap))
    expect((await read(copy, 5 * MiB, bytes.length)).equals(bytes)).toBe(true)
    expect((await read(copy, 100 * MiB, MiB)).equals(Buffer.alloc(MiB))).toBe(true)
  })

  test('out of walrus are the same, after the files here are lost', async () => {
    const id = await newVolume(64 * MiB)
    const bytes = randomBytes(2 * blockBytes + 4096)
    await write(id, 1000 * 4096, bytes)
    const snap = await snapshot(id)
    await world.driver.removeSnapshot(snap)
    const copy = await newVolume(64 * MiB, sourceOf(snap))
    expect((await read(copy, 1000 * 4096, bytes.length)).equals(bytes)).toBe(true)
    expect((await read(copy, 0, MiB)).equals(Buffer.alloc(MiB))).toBe(true)
  })

  test('store what is new and nothing else', async () => {
    const id = await newVolume(256 * MiB)
    await write(id, 0, randomBytes(8 * blockBytes))
    const first = await snapshot(id)
    const before = blocksStored()
    await write(id, 2 * blockBytes + 100, randomBytes(4096)) // in one block
    await write(id, 200 * MiB, Buffer.alloc(blockBytes)) // zeros are no bytes
    const second = await snapshot(id)
    expect(blocksStored() - before).toBe(1)
    expect(world.facts('snapshot', second)!.storedBytes).toBeLessThan(2 * blockBytes)
    await removeSnapshot(first, id, 256 * MiB)
    expect(blocksStored()).toBe(before) // the one block that only it had is gone, and the others stay
    const copy = await newVolume(256 * MiB, sourceOf(second))
    expect((await read(copy, 0, 8 * blockBytes)).equals(await read(id, 0, 8 * blockBytes))).toBe(true)
  })

  test('leave nothing in walrus when the last of them is gone', async () => {
    const id = await newVolume(64 * MiB)
    await write(id, 0, randomBytes(blockBytes))
    const keys = new Set(world.store.objects.keys())
    const snap = await snapshot(id)
    const copy = newId('snap')
    await world.want('snapshot', copy, {
      ...{ snapshotId: copy, accountId: account, volumeId: id, sizeBytes: 64 * MiB, remove: false },
      copyOf: indexOf(snap),
    })
    await until(() => world.facts('snapshot', copy)?.state === 'completed')
    await removeSnapshot(snap, id, 64 * MiB)
    const restored = await newVolume(64 * MiB, sourceOf(copy))
    expect((await read(restored, 0, blockBytes)).equals(await read(id, 0, blockBytes))).toBe(true)
    await removeSnapshot(copy, id, 64 * MiB)
    expect(new Set(world.store.objects.keys())).toEqual(keys)
  })

  test('that were damaged in walrus are found, and never given for good', async () => {
    const id = await newVolume(64 * MiB)
    await write(id, 0, randomBytes(blockBytes))
    const known = new Set(world.store.objects.keys())
    const snap = await snapshot(id)
    await world.driver.removeSnapshot(snap)
    const key = [...world.store.objects.keys()].find((name) => !known.has(name) && name.includes('/blocks/'))!
    const bytes = Buffer.from(world.store.objects.get(key)!)
    bytes[bytes.length >> 1]! ^= 1
    world.store.objects.set(key, bytes)
    const copy = newId('vol')
    await world.want('volume', copy, {
      ...{ volumeId: copy, accountId: account, sizeBytes: 64 * MiB, source: sourceOf(snap), remove: false },
    })
    await until(() => world.facts('volume', copy)?.state === 'failed')
    expect(world.facts('volume', copy)!.message).toContain('damaged')
    expect(await world.driver.volumeSize(copy)).toBeNull()
  })

  test('wait for a walrus that is away, and go on after our own end', async () => {
    const id = await newVolume(64 * MiB)
    await write(id, 0, randomBytes(4 * blockBytes))
    world.store.failures = 2
    const snap = newId('snap')
    await world.want('snapshot', snap, {
      ...{ snapshotId: snap, accountId: account, volumeId: id, sizeBytes: 64 * MiB, remove: false },
    })
    await until(() => world.facts('snapshot', snap)?.taken === true)
    await write(id, 0, Buffer.alloc(4 * blockBytes, 1))
    await world.drop()
    await world.open()
    await until(() => world.facts('snapshot', snap)?.state === 'completed')
    const copy = await newVolume(64 * MiB, sourceOf(snap))
    expect((await read(copy, 0, blockBytes)).equals(Buffer.alloc(blockBytes, 1))).toBe(false)
  })
})
