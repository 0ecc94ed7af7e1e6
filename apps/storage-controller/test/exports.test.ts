import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { OpenDisk, qemuIo, type Access } from '@mallee/testkit'
import { StorageWorld, whyNoTargets } from './storage-world.ts'

const missing = whyNoTargets()
if (missing) console.warn(`SKIPPED: real volumes, because ${missing}`)

let world: StorageWorld
let made = 0

const MiB = 1024 ** 2
const volume = (sizeBytes: number, changes: object = {}) => ({
  ...{ volumeId: 'x', accountId: '000000000001', sizeBytes, source: null, remove: false, ...changes },
})

async function newVolume(sizeBytes = 64 * MiB, changes: object = {}): Promise<string> {
  made += 1
  const id = `vol-${String(made).padStart(17, '0')}`
  await world.want('volume', id, volume(sizeBytes, { volumeId: id, ...changes }))
  await until(() => world.facts('volume', id)?.state === 'available')
  return id
}

interface Exported extends Access {
  readonly id: string
  readonly item: object
}

async function exported(volumeId: string, changes: object = {}): Promise<Exported> {
  made += 1
  const id = `vol-attach-${made}.1`
  const item = {
    attachmentId: id,
    volumeId,
    iqn: `iqn.2026-11.internal.mallee:${volumeId}.${made}`,
    initiatorIqn: 'iqn.2026-11.internal.mallee:node',
    chapUser: `USER${made}`,
    chapSecret: `secretsecret${made}`,
    withdraw: false,
    ...changes,
  }
  await world.want('export', id, item)
  await until(() => world.facts('export', id)?.state === 'ready')
  return { id, item, ...item, port: world.port, dir: world.dir }
}

async function withdraw(access: Exported): Promise<void> {
  await world.want('export', access.id, { ...access.item, withdraw: true })
  await until(() => world.facts('export', access.id)?.state === 'gone')
}

const until = (condition: () => boolean | Promise<boolean>) =>
  expect.poll(condition, { timeout: 30_000, interval: 20 }).toBe(true)

describe.skipIf(missing !== null)('volumes over iSCSI', () => {
  beforeAll(async () => {
    world = await StorageWorld.start()
  }, 60_000)
  afterAll(() => world?.stop(), 60_000)

  test('what one initiator wrote the next one reads, by a target of its own; a new volume reads zeros', async () => {
    const id = await newVolume()
    const first = await exported(id)
    const zeros = await qemuIo(first, ['read -P 0 0 4M', 'write -P 17 1M 64k', 'flush'])
    expect(zeros.ok, zeros.said).toBe(true)
    await withdraw(first)
    expect((await qemuIo(first, ['read 0 4k'])).ok).toBe(false)
    const second = await exported(id)
    const read = await qemuIo(second, ['read -P 17 1M 64k'])
    expect(read.ok, read.said).toBe(true)
    await withdraw(second)
    await world.want('volume', id, volume(64 * MiB, { volumeId: id, remove: true }))
    await until(() => world.facts('volume', id)?.state === 'gone')
    const fresh = await exported(await newVolume())
    const again = await qemuIo(fresh, ['read -P 0 0 64M'])
    expect(again.ok, again.said).toBe(true)
  })

  test('neither another password, nor another name, nor a guessed target lets anybody in', async () => {
    const access = await exported(await newVolume())
    expect((await qemuIo({ ...access, chapSecret: 'guessedguess' }, ['read 0 4k'])).ok).toBe(false)
    expect((await qemuIo({ ...access, chapUser: 'USER0' }, ['read 0 4k'])).ok).toBe(false)
    const other = { ...access, initiatorIqn: 'iqn.2026-11.internal.mallee:other' }
    expect((await qemuIo(other, ['read 0 4k'])).ok).toBe(false)
    expect((await qemuIo({ ...access, iqn: `${access.iqn}1` }, ['read 0 4k'])).ok).toBe(false)
    expect((await qemuIo(access, ['read 0 4k'])).ok).toBe(true)
  })

  test('a volume has one target: the next waits until the one before is gone, and who was logged in is cut', async () => {
    const id = await newVolume()
    const first = await exported(id)
    const disk = await OpenDisk.open(first)
    expect(await disk.tell('write -P 1 0 4k')).toContain('wrote')
    const next = { ...first.item, attachmentId: 'next', iqn: `${first.iqn}-next`, chapUser: 'NEXT' }
    await world.want('export', 'next', next)
    await until(() => world.facts('export', 'next')?.message?.includes('somebody else') === true)
    await withdraw(first)
    await until(() => world.facts('export', 'next')?.state === 'ready')
    const served = await world.daemon.client.targets()
    expect(served.filter(({ units }) => units.some(({ path }) => path?.includes(id)))).toHaveLength(1)
    await disk.close()
    const read = await qemuIo({ ...first, ...next }, ['read -P 1 0 4k'])
    expect(read.ok, read.said).toBe(true)
  })

  test('growth reaches who is logged in, with a pause and without an error', async () => {
    const id = await newVolume(64 * MiB)
    const access = await exported(id)
    const disk = await OpenDisk.open(access)
    expect(await disk.tell('write -P 3 0 4k')).toContain('wrote')
    await world.want('volume', id, volume(128 * MiB, { volumeId: id }))
    await until(() => world.facts('volume', id)?.sizeBytes === 128 * MiB)
    await until(async () => {
      const [target] = (await world.daemon.client.targets()).filter(({ iqn }) => iqn === access.iqn)
      return target !== undefined && world.facts('export', access.id)?.state === 'ready'
    })
    expect(await disk.tell('read -P 3 0 4k')).toContain('read 4096')
    // As the hypervisor tells the guest; what is beyond the old end can be written then.
    expect(await disk.tell('truncate 128M\nwrite -P 4 100M 4k')).toContain('wrote')
    await disk.close()
  })

  test('a target daemon that dies, or hangs, is replaced, and who was logged in only waits', async () => {
    const access = await exported(await newVolume())
    const disk = await OpenDisk.open(access)
    expect(await disk.tell('write -P 5 0 4k')).toContain('wrote')
    for (const signal of ['SIGKILL', 'SIGSTOP'] as const) {
      const before = await world.daemonPid()
      process.kill(before, signal)
      world.refresh()
      expect(await disk.tell('write -P 6 4k 4k')).toContain('wrote')
      expect(await world.daemonPid()).not.toBe(before)
      expect(await disk.tell('read -P 5 0 4k')).toContain('read 4096')
    }
    await disk.close()
  })

  test('our own end disturbs nobody, and we find everything again', async () => {
    const id = await newVolume()
    const access = await exported(id)
    const disk = await OpenDisk.open(access)
    expect(await disk.tell('write -P 7 0 4k')).toContain('wrote')
    const before = await world.daemonPid()
    await world.drop()
    expect(await disk.tell('write -P 8 4k 4k')).toContain('wrote')
    await world.open()
    await until(() => world.facts('export', access.id)?.state === 'ready')
    expect(await world.daemonPid()).toBe(before)
    expect(await disk.tell('read -P 7 0 4k')).toContain('read 4096')
    await disk.close()
  })

  test('a volume is not removed while somebody may reach it; one that left the set stays', async () => {
    const id = await newVolume()
    const access = await exported(id)
    await world.want('volume', id, volume(64 * MiB, { volumeId: id, remove: true }))
    expect((await qemuIo(access, ['write -P 9 0 4k'])).ok).toBe(true)
    expect(world.facts('volume', id)?.state).not.toBe('gone')
    await withdraw(access)
    await until(() => world.facts('volume', id)?.state === 'gone')
    expect(await world.driver.volumeSize(id)).toBeNull()
    const kept = await newVolume()
    await world.want('volume', kept, null)
    expect(await world.driver.volumeSize(kept)).toBe(64 * MiB)
  })
})
