import { describe, expect, test } from 'vitest'
import type { AttachedFacts } from '@mallee/agent-contract'
import type {
  DomainTable,
  InstanceTable,
  VolumeAttachmentTable,
  VolumeExportTable,
  VolumeTable,
} from '../store/tables.ts'
import { decideAttachment, type AttachmentRows } from './decide-attachment.ts'

const live = 'vol-attach-1.1'

interface Case {
  readonly attachment?: Partial<VolumeAttachmentTable>
  readonly volume?: Partial<VolumeTable>
  /** Null: there is none any more. */
  readonly instance?: Partial<InstanceTable> | null
  readonly domain?: (Partial<DomainTable> & { has?: AttachedFacts['state'] | null }) | null
  readonly exports?: readonly Partial<VolumeExportTable>[]
  /** Null: the node is to have no such domain. */
  readonly item?: Partial<NonNullable<AttachmentRows['item']>> | null
}

const facts = (state: AttachedFacts['state'], message: string | null = null) =>
  JSON.stringify([{ attachmentId: live, state, message, sizeBytes: 1 }])

/** A running instance that has the volume, and what is different. */
function rows(changes: Case): AttachmentRows {
  const { has = 'attached', ...domain } = changes.domain ?? {}
  return {
    attachment: { id: 'vol-attach-1', state: 'attached', forced: 0, ...changes.attachment },
    volume: { id: 'vol-1', observed_state: 'available', ...changes.volume },
    instance:
      changes.instance === null
        ? undefined
        : { id: 'i-1', state: 'running', node_id: 'node-1', ...changes.instance },
    domain:
      changes.domain === null
        ? undefined
        : {
            ...{ id: 'i-1/1', node_id: 'node-1', observed_state: 'running', observed_generation: 7 },
            ...(has === null ? {} : { volumes: facts(has) }),
            ...domain,
          },
    exports: (changes.exports ?? [{}]).map((row) => ({
      ...{ id: live, node_id: 'node-1', withdrawn: 0, observed_state: 'ready', observed_message: null },
      ...row,
    })),
    item: changes.item === null ? undefined : { generation: 7, exportIds: [live], ...changes.item },
  } as AttachmentRows
}

const decide = (changes: Case) => decideAttachment(rows(changes))

const connected = { do: 'keep', connect: true }
const unconnected = { do: 'keep', connect: false }
const withdraw = { do: 'withdraw' }
const nothing = { do: 'nothing' }
const attaching = { state: 'attaching' } as const
const detaching = { state: 'detaching' } as const

describe('a volume on its way to a guest', () => {
  test.each<[string, Case, object]>([
    ['is exported to its instance’s node', { exports: [] }, { do: 'export', nodeId: 'node-1' }],
    [
      'is exported before its instance’s first start',
      { exports: [], instance: { state: 'pending' }, domain: null, item: null },
      { do: 'export', nodeId: 'node-1' },
    ],
    ['is not exported before it is there', { exports: [], volume: { observed_state: 'creating' } }, nothing],
    ['is not exported to no node', { exports: [], instance: { node_id: null } }, nothing],
    [
      'is not exported for one that stops',
      { exports: [], instance: { state: 'stopping' }, domain: null },
      nothing,
    ],
    [
      'is not exported while the target of before is not gone',
      { exports: [{ withdrawn: 1, observed_state: 'ready' }] },
      nothing,
    ],
    [
      'is not exported while the withdrawn target was never heard of',
      { exports: [{ withdrawn: 1, observed_state: null }] },
      nothing,
    ],
    [
      'is not connected before its target is ready',
      { domain: { has: null }, exports: [{ observed_state: null }] },
      unconnected,
    ],
    [
      'is not connected to one that is being prepared',
      { domain: { has: null }, exports: [{ observed_state: 'preparing' }] },
      unconnected,
    ],
    ['is connected to one that is', { domain: { has: null } }, connected],
    ['waits for its node to say so', { domain: { has: 'attaching' } }, connected],
    ['is attached when its node says so', {}, { do: 'transition', event: 'pluggedIn' }],
    [
      'fails where it cannot be plugged in',
      { domain: { volumes: facts('failed', 'no slot') } },
      { do: 'transition', event: 'attachFailed', reason: 'no slot' },
    ],
    [
      'fails where it cannot be exported',
      { domain: { has: null }, exports: [{ observed_state: 'failed', observed_message: 'no port' }] },
      { do: 'transition', event: 'attachFailed', reason: 'no port' },
    ],
    [
      'is attached to a stopped instance without any target',
      { exports: [], instance: { state: 'stopped', node_id: null }, domain: null },
      { do: 'transition', event: 'pluggedIn' },
    ],
  ])('%s', (_name, changes, decision) => {
    expect(decide({ ...changes, attachment: attaching })).toEqual(decision)
  })
})

describe('a volume that an instance has', () => {
  test.each<[string, Case, object]>([
    ['stays', {}, connected],
    ['stays while the guest is off', { domain: { observed_state: 'ended' } }, connected],
    ['stays though its target is ill', { exports: [{ observed_state: 'failed' }] }, unconnected],
    ['stays through silence', { domain: { observed_generation: 1, has: null } }, connected],
    ['waits for the next start', { exports: [], instance: { state: 'stopped' }, domain: null }, nothing],
    [
      'is taken from the node of one that is stopped',
      { instance: { state: 'stopped' }, domain: { observed_state: 'gone', has: null } },
      withdraw,
    ],
    [
      'stays where one is said to be stopped whose domain is not gone',
      { instance: { state: 'stopped' }, domain: { observed_state: 'ended' } },
      connected,
    ],
    [
      'is taken from the node that an instance left',
      { instance: { node_id: 'node-2' }, domain: { observed_state: 'gone', has: null } },
      withdraw,
    ],
    [
      'is taken from the node that an instance left also when the next domain is elsewhere',
      { instance: { node_id: 'node-2' }, domain: { node_id: 'node-2', has: null } },
      withdraw,
    ],
    [
      'stays on the node that may still write to it',
      { instance: { node_id: 'node-2' }, domain: { observed_state: 'ended' } },
      connected,
    ],
    ['is given back with its instance', { instance: null }, { do: 'transition', event: 'instanceEnds' }],
    [
      'is given back when the last domain of its instance is gone',
      { instance: { state: 'shutting-down' }, domain: { observed_state: 'gone' } },
      { do: 'transition', event: 'instanceEnds' },
    ],
    ['is not given back before', { instance: { state: 'shutting-down' } }, connected],
  ])('%s', (_name, changes, decision) => {
    expect(decide(changes)).toEqual(decision)
  })
})

describe('a volume that is to be given back', () => {
  const unnamed = { exportIds: [] }
  test.each<[string, Case, object]>([
    ['is held while the item names it', {}, connected],
    [
      'is held until its node has seen the item that does not',
      { item: { ...unnamed, generation: 8 } },
      connected,
    ],
    ['is held while the guest has it', { item: unnamed, domain: { has: 'detaching' } }, connected],
    [
      'is held while it is not known whether the guest runs',
      { item: unnamed, domain: { observed_state: 'preparing', has: null } },
      connected,
    ],
    ['is withdrawn when the guest has let go of it', { item: unnamed, domain: { has: null } }, withdraw],
    [
      'is withdrawn when the guest is off',
      { item: unnamed, domain: { observed_state: 'ended', has: 'detaching' } },
      withdraw,
    ],
    ['is withdrawn when the domain is gone', { domain: { observed_state: 'gone' } }, withdraw],
    ['is withdrawn when there is no domain', { domain: null }, withdraw],
    ['is withdrawn when the domain is on another node', { domain: { node_id: 'node-2' } }, withdraw],
    ['is withdrawn when its node was given up', { item: null }, withdraw],
    ['is withdrawn by force whatever the guest does', { attachment: { ...detaching, forced: 1 } }, withdraw],
    [
      'is not free while its target is not gone',
      { exports: [{ withdrawn: 1, observed_state: 'ready' }] },
      unconnected,
    ],
    [
      'loses a target that is gone',
      { exports: [{ withdrawn: 1, observed_state: 'gone' }] },
      { do: 'drop', exportId: live },
    ],
    ['is free when no target is left', { exports: [] }, { do: 'give-back' }],
  ])('%s', (_name, changes, decision) => {
    expect(decide({ attachment: detaching, ...changes })).toEqual(decision)
  })
})

test('of all that can be, nothing leads to a second target beside one that may be used', () => {
  const states = ['attaching', 'attached', 'detaching'] as const
  const instances = ['pending', 'running', 'stopping', 'stopped', 'shutting-down', 'terminated'] as const
  const domains = [null, 'preparing', 'running', 'failed', 'ended', 'gone'] as const
  const seen = [null, 'preparing', 'ready', 'failed', 'gone'] as const
  let exported = 0
  for (const state of states)
    for (const instance of instances)
      for (const observed of domains)
        for (const node_id of ['node-1', 'node-2'])
          for (const target of [undefined, ...seen])
            for (const withdrawn of [0, 1] as const) {
              const decision = decide({
                attachment: { state },
                instance: { state: instance, node_id },
                domain: { observed_state: observed, has: null },
                exports: target === undefined ? [] : [{ observed_state: target, withdrawn }],
                item: { exportIds: [] },
              })
              if (decision.do !== 'export') continue
              exported += 1
              expect(target).toBeUndefined()
            }
  expect(exported).toBeGreaterThan(0)
})
