import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { digestOf, silentLog, systemClock } from '@mallee/base'
import type { AttachedFacts, DomainFacts } from '@mallee/agent-contract'
import { Ledger } from '@mallee/agent-kit'
import { DomainKeeper } from './domain-keeper.ts'
import { openSimulatedHypervisor, type SimulatedHypervisor } from './drivers/hypervisor/simulated/driver.ts'
import { passing } from './node-error.ts'

let dir: string
let keeper: DomainKeeper
let said: DomainFacts[]
let later: (() => void)[]
let look: () => Promise<AttachedFacts[] | undefined>
let ledger: Ledger
let hypervisor: SimulatedHypervisor
/** Of the volume that the next domain is started with: 1 is nobody's. */
let portal: number

beforeEach(async () => {
  dir = mkdtempSync(path.join(tmpdir(), 'mallee-domain-keeper-'))
  ;[said, later] = [[], []]
  hypervisor = await openSimulatedHypervisor({ dir, vcpus: 1, memoryMiB: 1 })
  await hypervisor.start('<domain><name>i-1</name></domain>')
  ledger = await Ledger.open({ dir: path.join(dir, 'ledger'), privateKey: 'key', log: silentLog })
  const body = {
    instanceId: 'i-1',
    incarnation: 1,
    intent: 'run',
    rebootCount: 0,
    volumes: [],
    interfaces: [],
  }
  const item = { kind: 'domain', id: 'i-1/1', generation: 2, digest: digestOf(body), body }
  await ledger.accept({ revision: 1, pollSeconds: 1, index: [item], bodies: [item] } as never)
  await ledger.setNote('domain i-1/1', { startIntentAtMs: 1, startedAtMs: 1, rebootCount: 0 })
  keeper = new DomainKeeper({
    ...{ ledger, hypervisor, log: silentLog, accelerator: () => null },
    network: { plannedPorts: () => [], standing: () => Promise.resolve() } as never,
    preparer: {
      prepare: () =>
        Promise.resolve(
          `<domain><name>i-1</name><devices><disk type="network"><source protocol="iscsi" name="iqn"><host name="h" port="${portal}"/></source></disk></devices></domain>`,
        ),
    } as never,
    volumes: { look: () => look(), isUnsettled: () => false },
    interfaces: { look: () => Promise.resolve(undefined), isUnsettled: () => false },
    clock: {
      ...systemClock,
      after: (_delayMs, callback) => {
        later.push(callback)
        return () => {}
      },
    },
    observe: (_item, facts) => void said.push(facts),
  })
})
afterEach(async () => {
  await keeper.stop()
  rmSync(dir, { recursive: true, force: true })
})

test('a guest whose volumes cannot be looked at is not said to have none; it is looked at again', async () => {
  look = () => Promise.reject(passing('LibvirtAway', 'libvirtd: away'))
  keeper.refresh('i-1')
  await vi.waitFor(() => expect(later).toHaveLength(1), { timeout: 20_000 })
  expect(said).toEqual([])
  const held = { attachmentId: 'a.1', state: 'detaching' as const, message: null, sizeBytes: 1 }
  look = () => Promise.resolve([held])
  later[0]!()
  await vi.waitFor(() => expect(said).toHaveLength(1), { timeout: 20_000 })
  expect(said[0]).toMatchObject({ state: 'running', volumes: [held] })
})

test('a guest that has no volumes says nothing of any', async () => {
  look = () => Promise.resolve(undefined)
  keeper.refresh('i-1')
  await vi.waitFor(() => expect(said).toHaveLength(1), { timeout: 20_000 })
  expect(said[0]).not.toHaveProperty('volumes')
})

test('a guest whose volume was not reached never ran, and is started when it is reached', async () => {
  look = () => Promise.resolve(undefined)
  await hypervisor.destroy('i-1')
  await ledger.setNote('domain i-1/1', undefined)
  portal = 1
  keeper.refresh('i-1')
  await vi.waitFor(() => expect(later).toHaveLength(1), { timeout: 20_000 })
  expect(said.at(-1)).toMatchObject({
    state: 'preparing',
    message: 'A volume of the instance is not reached.',
  })
  expect(ledger.note('domain i-1/1')).not.toHaveProperty('startIntentAtMs')
  portal = 3260
  later[0]!()
  await vi.waitFor(() => expect(said.at(-1)?.state).toBe('running'), { timeout: 20_000 })
  expect(said.map(({ state }) => state)).not.toContain('failed')
})
