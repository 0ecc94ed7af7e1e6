import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { digestOf, silentLog, systemClock } from '@mallee/base'
import type { AttachedVolume, DomainItem } from '@mallee/agent-contract'
import { Ledger } from '@mallee/agent-kit'
import type { HypervisorDriver } from '../drivers/hypervisor/driver.ts'
import { openSimulatedHypervisor } from '../drivers/hypervisor/simulated/driver.ts'
import { NcHooks } from '../hooks/nc-hooks.ts'
import { fatal, passing } from '../node-error.ts'
import { VolumeDisks } from './volume-disks.ts'
import { VolumeKeeper } from './volume-keeper.ts'

/** The hypervisor of these tests: the simulated one, and a guest that does as it is told here. */
let dir: string
let ledger: Ledger
let hypervisor: HypervisorDriver
let disks: VolumeDisks
let keeper: VolumeKeeper
let nowMs: number
let calls: string[]
let guestKeeps: boolean
let refusal: Error | null

beforeEach(async () => {
  dir = mkdtempSync(path.join(tmpdir(), 'mallee-volume-keeper-'))
  mkdirSync(path.join(dir, 'instances/1/i-1'), { recursive: true })
  ledger = await Ledger.open({ dir: path.join(dir, 'ledger'), privateKey: 'key', log: silentLog })
  ;[nowMs, calls, guestKeeps, refusal] = [1_000_000, [], false, null]
  const simulated = await openSimulatedHypervisor({ dir, vcpus: 1, memoryMiB: 1 })
  hypervisor = {
    ...simulated,
    disks: (name) => {
      calls.push('look')
      return simulated.disks(name)
    },
    attachDisk: async (name, xml) => {
      calls.push('attach')
      if (refusal) throw refusal
      await simulated.attachDisk(name, xml)
    },
    detachDisk: async (name, target) => {
      calls.push(`detach ${target}`)
      if (!guestKeeps) await simulated.detachDisk(name, target)
    },
  }
  await simulated.start('<domain><name>i-1</name></domain>')
  const hooks = new NcHooks({ dir: path.join(dir, 'hooks'), home: dir, timeoutMs: 1000, log: silentLog })
  disks = new VolumeDisks({
    ...{ ledger, hypervisor, hooks, log: silentLog },
    ...{ instancesDir: path.join(dir, 'instances'), customDir: dir, cloudHost: 'cloud' },
  })
  keeper = new VolumeKeeper({
    ...{ hypervisor, disks, log: silentLog },
    clock: { ...systemClock, now: () => nowMs },
  })
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const volume = (changes: Partial<AttachedVolume> = {}): AttachedVolume => ({
  ...{ attachmentId: 'vol-attach-1.1', volumeId: 'vol-0123456789abcdef0', device: '/dev/sdf' },
  ...{ root: false, sizeBytes: 1024 ** 3, iops: 0, bytesPerSecond: 0, ...changes },
})
const item = (...volumes: AttachedVolume[]) => ({ instanceId: 'i-1', accountId: '1', volumes }) as DomainItem

/** The connections that the set has. */
async function connected(...attachmentIds: string[]): Promise<void> {
  const bodies = attachmentIds.map((id) => {
    const body = {
      ...{ attachmentId: id, volumeId: 'vol-0123456789abcdef0', instanceId: 'i-1', iqn: `iqn:${id}` },
      ...{ initiatorIqn: 'iqn:node', portal: { host: null, port: 3260 } },
      ...{ chapUser: 'user', chapSecret: `secret of ${id}` },
    }
    return { kind: 'connection', id, generation: 1, digest: digestOf(body), body }
  })
  await ledger.accept({ revision: ledger.revision + 1, pollSeconds: 1, index: bodies, bodies } as never)
}

const states = async (of: DomainItem) => (await keeper.look(of))?.map(({ state }) => state)
const files = () => path.join(dir, 'instances/1/i-1/vol-0123456789abcdef0-libvirt.xml')

test('a domain without volumes is looked at once', async () => {
  expect(await keeper.look(item())).toBeUndefined()
  expect(await keeper.look(item())).toBeUndefined()
  expect(calls).toEqual(['look'])
})

test('a volume is plugged in by the XML beside instance.xml, whose secret the hypervisor has', async () => {
  await connected('vol-attach-1.1')
  const wanted = item(volume())
  expect(await states(wanted)).toEqual(['attached'])
  expect(readFileSync(files(), 'utf8')).toContain('name="iqn:vol-attach-1.1/1"')
  expect(readFileSync(files(), 'utf8')).not.toContain('secret of')
  expect(await hypervisor.listSecrets()).toEqual(['mallee vol-attach-1.1'])
  const facts = await keeper.look(wanted)
  expect(facts).toEqual([
    { attachmentId: 'vol-attach-1.1', state: 'attached', message: null, sizeBytes: 1024 ** 3 },
  ])
  expect(keeper.isUnsettled(facts, wanted)).toBe(false)
  expect(calls.filter((call) => call === 'attach')).toHaveLength(1)
})

test('a guest is told that a volume grew', async () => {
  await connected('vol-attach-1.1')
  await keeper.look(item(volume()))
  await keeper.look(item(volume()))
  const larger = item(volume({ sizeBytes: 3 * 1024 ** 3 }))
  expect(keeper.isUnsettled(await keeper.look(item(volume())), larger)).toBe(true)
  expect((await keeper.look(larger))![0]!.sizeBytes).toBe(3 * 1024 ** 3)
})

describe('a guest that is to give a volume back', () => {
  beforeEach(async () => {
    await connected('vol-attach-1.1')
    await keeper.look(item(volume()))
    calls = []
  })

  test('gives it back: it is said to have none, and the XML is gone', async () => {
    expect(await keeper.look(item())).toBeUndefined()
    expect(calls).toContain('detach vdf')
    expect(existsSync(files())).toBe(false)
  })

  test('keeps it: it is said to have it, and is asked again after a while', async () => {
    guestKeeps = true
    const facts = await keeper.look(item())
    expect(facts).toMatchObject([{ attachmentId: 'vol-attach-1.1', state: 'detaching' }])
    expect(keeper.isUnsettled(facts, item())).toBe(true)
    await keeper.look(item())
    const asked = () => calls.filter((call) => call.startsWith('detach')).length
    expect(asked()).toBe(1)
    nowMs += 5_000
    expect(await states(item())).toEqual(['detaching'])
    expect(asked()).toBe(2)
    expect(existsSync(files())).toBe(true)
    guestKeeps = false
    nowMs += 5_000
    expect(await states(item())).toBeUndefined()
  })

  test('keeps it though the set has forgotten it: it is named by its target', async () => {
    guestKeeps = true
    await connected()
    expect(await keeper.look(item())).toMatchObject([{ attachmentId: 'iqn:vol-attach-1.1/1' }])
  })

  test('gets the next attachment of the volume only then', async () => {
    guestKeeps = true
    await connected('vol-attach-1.1', 'vol-attach-1.2')
    const next = item(volume({ attachmentId: 'vol-attach-1.2', device: '/dev/sdg' }))
    expect(await states(next)).toEqual(['detaching'])
    guestKeeps = false
    nowMs += 5_000
    await keeper.look(next)
    expect(await keeper.look(next)).toMatchObject([{ attachmentId: 'vol-attach-1.2', state: 'attached' }])
  })
})

describe('a volume that cannot be plugged in', () => {
  test('is tried three times, and then has failed with the reason', async () => {
    await connected('vol-attach-1.1')
    refusal = fatal('LibvirtRefused', 'libvirt: no slot')
    const wanted = item(volume())
    expect(await states(wanted)).toEqual(['attaching'])
    expect(await states(wanted)).toEqual(['attaching'])
    const facts = await keeper.look(wanted)
    expect(facts).toMatchObject([{ state: 'failed', message: 'libvirt: no slot' }])
    expect(keeper.isUnsettled(facts, wanted)).toBe(false)
    await keeper.look(wanted)
    expect(calls.filter((call) => call === 'attach')).toHaveLength(3)
  })

  test('is tried for ever while libvirt is away', async () => {
    await connected('vol-attach-1.1')
    refusal = passing('LibvirtAway', 'libvirtd: away')
    for (let round = 0; round < 10; round += 1) expect(await states(item(volume()))).toEqual(['attaching'])
    refusal = null
    expect(await states(item(volume()))).toEqual(['attached'])
  })

  test('waits for its connection', async () => {
    for (let round = 0; round < 5; round += 1) expect(await states(item(volume()))).toEqual(['attaching'])
    expect(calls).not.toContain('attach')
    await connected('vol-attach-1.1')
    expect(await states(item(volume()))).toEqual(['attached'])
  })
})

test('secrets of connections that the set has no longer are dropped, and no others', async () => {
  await connected('vol-attach-1.1')
  await keeper.look(item(volume()))
  await hypervisor.setSecret('somebody else’s', 'x')
  await disks.dropSecrets()
  expect(await hypervisor.listSecrets()).toContain('mallee vol-attach-1.1')
  await connected()
  await disks.dropSecrets()
  expect(await hypervisor.listSecrets()).toEqual(['somebody else’s'])
})
