import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { silentLog } from '@mallee/base'
import type { InventoryEntry } from '@mallee/agent-contract'
import { Ledger, type InventorySource } from '@mallee/agent-kit'
import { worldItems } from '@mallee/testkit'
import { openSimulatedHypervisor, type SimulatedHypervisor } from '../drivers/hypervisor/simulated/driver.ts'
import { createSimulatedNetwork, type SimulatedNetwork } from '../drivers/network/simulated/driver.ts'
import { ImageCache } from '../images/image-cache.ts'
import { nodeInventory } from './node-inventory.ts'

const mine = 'i-0000000000000000a'
const stranger = 'i-0000000000000000b'
let dir: string
let hypervisor: SimulatedHypervisor
let network: SimulatedNetwork
let ledger: Ledger
let inventory: InventorySource
beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'mallee-inventory-'))
  const folders = { instances: at('instances'), images: at('images'), agent: at('agent') }
  for (const folder of Object.values(folders)) await mkdir(folder)
  hypervisor = await openSimulatedHypervisor({ dir: at('host'), vcpus: 4, memoryMiB: 4096 })
  network = createSimulatedNetwork()
  ledger = await Ledger.open({ dir: at('agent', 'ledger'), privateKey: 'a key', log: silentLog })
  const cache = new ImageCache({
    dir: folders.images,
    fetch: () => Promise.reject(new Error()),
    log: silentLog,
  })
  inventory = nodeInventory({ hypervisor, network, ledger, cache, folders })
  await declare()
})
afterEach(() => rm(dir, { recursive: true }))

const at = (...parts: string[]) => path.join(dir, ...parts)
const start = (name: string) => hypervisor.start(`<domain><name>${name}</name></domain>`)
const [vpc, other] = worldItems()

async function declare(): Promise<void> {
  const artifact = { imageId: 'ami-1', bucket: 'b', key: 'k', sha256: 'ab', sizeBytes: 1, format: 'raw' }
  const body = { instanceId: mine, machine: artifact, kernel: null, ramdisk: null, interfaces: [] }
  const items = [
    { kind: 'domain', id: `${mine}/1`, generation: 1, digest: 'd', body },
    { kind: 'vpc', id: vpc!.vpcId, generation: 1, digest: 'v', body: vpc },
  ]
  await ledger.accept({ revision: 1, pollSeconds: 1, index: items, bodies: items })
}

const strays = (entries: readonly InventoryEntry[]) =>
  entries.filter((entry) => entry.owner === null).map((entry) => `${entry.kind} ${entry.id}`)

async function plantFiles(): Promise<void> {
  for (const name of [mine, stranger]) {
    await mkdir(at('instances', '0001', name), { recursive: true })
    await writeFile(at('instances', '0001', name, 'root.qcow2'), '')
  }
  await writeFile(at('instances', '0001', stranger, 'root.qcow2.part'), '')
  await mkdir(at('instances', '0001', `${stranger}.kept`))
  await writeFile(at('instances', 'notes.txt'), 'an administrator’s own')
  await writeFile(at('images', 'ab.raw'), '')
  await writeFile(at('images', 'cd.raw.part'), '')
  await writeFile(at('agent', 'ledger', 'desired.json.new'), '')
}

test('says what is there and which of it the set declares', async () => {
  await start(mine)
  await start(stranger)
  await start('somebody-elses')
  await network.apply([vpc!])
  await plantFiles()
  const { entries, problems } = await inventory.take()
  expect(problems).toEqual([])
  expect(strays(entries)).toEqual([
    `domain ${stranger}`,
    `instance-files 0001/${stranger}`,
    `temporary-file instances/0001/${stranger}/root.qcow2.part`,
    'temporary-file images/cd.raw.part',
    'temporary-file agent/ledger/desired.json.new',
  ])
  expect(entries).toContainEqual(
    expect.objectContaining({ kind: 'cached-image', id: 'ab.raw', owner: 'ab.raw' }),
  )
  const old = new Date(5000)
  await utimes(at('images', 'cd.raw.part'), old, old)
  const again = (await inventory.take()).entries
  expect(again.find((entry) => entry.id === 'images/cd.raw.part')?.changedAtMs).toBe(5000)
})

test('removes strays, and leaves what is declared, in use or not ours', async () => {
  await start(mine)
  await start(stranger)
  await start('somebody-elses')
  await plantFiles()
  await network.apply([vpc!])
  network.plant(other!)
  await expect(inventory.remove({ kind: 'domain', id: mine })).rejects.toThrow('declares')
  await expect(inventory.remove({ kind: 'instance-files', id: `0001/${mine}` })).rejects.toThrow('declares')
  await expect(inventory.remove({ kind: 'instance-files', id: `0001/${stranger}` })).rejects.toThrow('domain')
  await expect(inventory.remove({ kind: 'instance-files', id: `../${stranger}` })).rejects.toThrow(
    'no folder',
  )
  await expect(inventory.remove({ kind: 'cached-image', id: 'ab.raw' })).rejects.toThrow('removes no')
  await inventory.remove({ kind: 'domain', id: 'somebody-elses' })
  await inventory.remove({ kind: 'temporary-file', id: 'instances/notes.txt' })
  expect((await hypervisor.list()).map((domain) => domain.name)).toEqual([mine, stranger, 'somebody-elses'])

  const { entries } = await inventory.take()
  const order = ['domain', 'instance-files']
  const gone = entries
    .filter((entry) => entry.owner === null)
    .toSorted((a, b) => order.indexOf(b.kind) - order.indexOf(a.kind))
  for (const entry of gone.toReversed()) await inventory.remove(entry)
  for (const entry of gone) await inventory.remove(entry) // a second time is harmless
  expect(strays((await inventory.take()).entries)).toEqual([])
  expect((await hypervisor.list()).map((domain) => domain.name)).toEqual([mine, 'somebody-elses'])
  expect((await readdir(at('instances', '0001'))).toSorted()).toEqual([mine, `${stranger}.kept`])
  expect(await readdir(at('instances'))).toContain('notes.txt')
})

test('what cannot be looked at is said, and the rest is told all the same', async () => {
  await start(mine)
  network.inventory = () => Promise.reject(new Error('no kernel'))
  const { entries, problems } = await inventory.take()
  expect(problems).toEqual(['no kernel'])
  expect(entries.map((entry) => entry.kind)).toContain('domain')
})
