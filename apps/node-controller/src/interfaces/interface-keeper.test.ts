import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { silentLog, systemClock } from '@mallee/base'
import type { DomainItem, GuestInterface } from '@mallee/agent-contract'
import { openSimulatedHypervisor, type SimulatedHypervisor } from '../drivers/hypervisor/simulated/driver.ts'
import { fatal, passing } from '../node-error.ts'
import { InterfaceKeeper } from './interface-keeper.ts'

let dir: string
let hypervisor: SimulatedHypervisor
let standing: (ids: readonly string[]) => Promise<void>
let keeper: InterfaceKeeper
let nowMs: number

const tapOf = (id: string) => `vn${id.slice(-12)}`
const entry = (digit: number): GuestInterface =>
  ({
    interfaceId: `eni-0000000000000000${digit}`,
    attachmentId: `eni-attach-${digit}`,
    deviceIndex: digit,
    mac: `d0:0d:00:00:00:0${digit}`,
  }) as GuestInterface
const xmlOf = (of: GuestInterface) =>
  `<interface type="bridge"><mac address="${of.mac}"/><target dev="${tapOf(of.interfaceId)}"/></interface>`
const item = (...interfaces: GuestInterface[]) =>
  ({ instanceId: 'i-1', incarnation: 1, interfaces }) as unknown as DomainItem
const macs = async () => (await hypervisor.interfaces('i-1')).map(({ mac }) => mac)

beforeEach(async () => {
  dir = mkdtempSync(path.join(tmpdir(), 'mallee-interfaces-'))
  hypervisor = await openSimulatedHypervisor({ dir, vcpus: 1, memoryMiB: 1 })
  await hypervisor.start(`<domain><name>i-1</name>${xmlOf(entry(0))}</domain>`)
  standing = () => Promise.resolve()
  nowMs = 0
  keeper = new InterfaceKeeper({
    hypervisor,
    network: {
      standing: (ids) => standing(ids),
      plannedPorts: (ids) => ids.map((id) => ({ bridge: 'br1', tap: tapOf(id), mtu: null })),
    },
    preparer: { interfaceXml: (_item, of) => Promise.resolve(xmlOf(of)) },
    clock: { ...systemClock, now: () => nowMs },
    log: silentLog,
  })
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

test('an interface is plugged in when its network stands, and not before', async () => {
  standing = () => Promise.reject(passing('NetworkNotReady', 'not yet'))
  const wanted = item(entry(0), entry(1))
  const facts = await keeper.look(wanted)
  expect(facts).toEqual([
    { attachmentId: 'eni-attach-0', state: 'attached', message: null },
    { attachmentId: 'eni-attach-1', state: 'attaching', message: expect.stringContaining('not yet') },
  ])
  expect(keeper.isUnsettled(facts)).toBe(true)
  standing = () => Promise.resolve()
  expect(await keeper.look(wanted)).toBeUndefined()
  expect(await macs()).toEqual([entry(0).mac, entry(1).mac])
})

test('what is not wanted any more is taken out, but never the first, nor what an admin added', async () => {
  await hypervisor.attachInterface('i-1', xmlOf(entry(1)))
  await hypervisor.attachInterface(
    'i-1',
    '<interface><mac address="52:54:00:00:00:01"/><target dev="storage0"/></interface>',
  )
  await keeper.look(item(entry(0)))
  expect(await macs()).toEqual([entry(0).mac, '52:54:00:00:00:01'])
  await keeper.look(item({ ...entry(0), mac: 'd0:0d:ff:ff:ff:ff' }))
  expect(await macs()).toContain(entry(0).mac)
})

test('a domain that began with one is looked at again when it had a second', async () => {
  expect(await keeper.look(item(entry(0)))).toBeUndefined()
  expect(await keeper.look(item(entry(0), entry(1)))).toBeUndefined()
  expect(await macs()).toEqual([entry(0).mac, entry(1).mac])
  expect(await keeper.look(item(entry(0)))).toBeUndefined()
  expect(await macs()).toEqual([entry(0).mac])
})

test('a guest that does not give an interface back is asked again, but not all the time', async () => {
  await hypervisor.attachInterface('i-1', xmlOf(entry(1)))
  let asked = 0
  hypervisor.detachInterface = () => Promise.resolve(void (asked += 1))
  const facts = await keeper.look(item(entry(0)))
  expect(facts).toContainEqual({ attachmentId: entry(1).mac, state: 'detaching', message: null })
  await keeper.look(item(entry(0)))
  expect(asked).toBe(1)
  nowMs = 6_000
  await keeper.look(item(entry(0)))
  expect(asked).toBe(2)
})

test('what cannot be plugged in is tried a few times and then said to have failed', async () => {
  hypervisor.attachInterface = () => Promise.reject(fatal('NoSlot', 'no more PCI slots'))
  const wanted = item(entry(0), entry(1))
  for (let round = 0; round < 2; round += 1) await keeper.look(wanted)
  const facts = await keeper.look(wanted)
  expect(facts?.at(-1)).toMatchObject({ state: 'failed', message: expect.stringContaining('PCI') })
  expect(keeper.isUnsettled(facts)).toBe(false)
})

test('what was plugged in later is taken out again, though the guest began with one interface', async () => {
  await keeper.look(item(entry(0)))
  await keeper.look(item(entry(0), entry(1)))
  expect(await macs()).toEqual([entry(0).mac, entry(1).mac])
  await keeper.look(item(entry(0)))
  expect(await macs()).toEqual([entry(0).mac])
})
