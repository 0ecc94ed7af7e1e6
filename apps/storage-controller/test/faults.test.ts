import { readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { OpenDisk, qemuIo } from '@mallee/testkit'
import { StorageWorld, whyNoTargets } from './storage-world.ts'
import { exported, newExport, newId, until } from './wishes.ts'

const missing = whyNoTargets()
const MiB = 1024 ** 2
const account = '000000000001'

let world: StorageWorld

const volume = (volumeId: string) => ({
  ...{ volumeId, accountId: account, sizeBytes: 64 * MiB, source: null, remove: false },
})

async function newVolume(): Promise<string> {
  const id = newId('vol')
  await world.want('volume', id, volume(id))
  await until(() => world.facts('volume', id)?.state === 'available')
  return id
}

const holderPid = async () =>
  (JSON.parse(await readFile(path.join(world.runDir, 'holder.pid'), 'utf8')) as { pid: number }).pid

describe.skipIf(missing !== null)('what breaks beneath volumes', () => {
  beforeAll(async () => {
    world = await StorageWorld.start()
  }, 60_000)
  afterAll(() => world?.stop(), 60_000)

  test('the end of what holds the file system is no loss: it is mounted again, and nobody hears of it', async () => {
    const id = await newVolume()
    const access = await exported(world, id)
    const disk = await OpenDisk.open(access)
    expect(await disk.tell('write -P 5 0 4k')).toContain('wrote')
    const before = await holderPid()
    process.kill(before, 'SIGKILL')
    world.refresh()
    await until(async () => (await holderPid()) !== before)
    await newVolume()
    expect(world.facts('volume', id)?.state).toBe('available')
    expect(world.facts('export', access.attachmentId)?.state).toBe('ready')
    // Both see one file system: what goes in by the target daemon's mount is read by ours.
    expect(await disk.tell('write -P 6 4k 4k')).toContain('wrote')
    expect(await disk.tell('flush\nread -P 6 4k 4k')).toContain('read 4096')
    expect((await world.driver.read({ volumeId: id }, 4096, 4096)).equals(Buffer.alloc(4096, 6))).toBe(true)
    await disk.close()
  })

  test('a target daemon that was started and not noted is found: there are never two', async () => {
    const access = await exported(world, await newVolume())
    const before = await world.daemonPid()
    await world.drop()
    await rm(world.daemon.pidFile)
    await world.open()
    await until(() => world.facts('export', access.attachmentId)?.state === 'ready')
    expect(await world.daemonPid()).toBe(before)
    const next = await exported(world, await newVolume())
    expect((await qemuIo(next, ['read -P 0 0 4k'])).ok).toBe(true)
  })

  test('two exports of one volume at once: one is served, the other waits', async () => {
    const id = await newVolume()
    const items = [newExport(id), newExport(id)]
    await world.want('export', items[0]!.attachmentId, items[0]!)
    await world.want('export', items[1]!.attachmentId, items[1]!)
    const states = () => items.map((item) => world.facts('export', item.attachmentId)?.state)
    await until(() => states().includes('ready') && states().includes('preparing'))
    const served = (await world.daemon.client.targets()).filter(({ units }) =>
      units.some((unit) => unit.path?.includes(id)),
    )
    expect(served).toHaveLength(1)
  })

  test('the number of a target is not used again, not even by a later life', async () => {
    const id = await newVolume()
    const first = await exported(world, id)
    const tidOf = async (iqn: string) =>
      (await world.daemon.client.targets()).find((target) => target.iqn === iqn)!.tid
    const tid = await tidOf(first.iqn)
    await world.want('export', first.attachmentId, { ...newExport(id), ...first, withdraw: true })
    await until(() => world.facts('export', first.attachmentId)?.state === 'gone')
    await world.drop()
    await world.open()
    const second = await exported(world, id)
    expect(await tidOf(second.iqn)).toBeGreaterThan(tid)
  })
})
