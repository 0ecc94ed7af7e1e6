import { describe, expect, test } from 'vitest'
import type { DomainItem } from '@mallee/agent-contract'
import { planDomain, type DomainNote } from './plan-domain.ts'

const plan = (
  changes: Partial<DomainItem>,
  note: DomainNote,
  live?: 'running' | 'paused' | 'ending',
  nowMs = 0,
) =>
  planDomain({
    item: { intent: 'run', graceMs: 5000, rebootCount: 0, ...changes } as DomainItem,
    note,
    live: live ? { name: 'i-1', state: live } : undefined,
    nowMs,
  })

describe('run', () => {
  test('a new item is prepared and started', () => {
    expect(plan({}, {}).step).toBe('prepare-and-start')
  })
  test('an intent without a domain is an end and never a second start', () => {
    expect(plan({}, { startIntentAtMs: 1 }).step).toBe('note-end')
    expect(plan({}, { startIntentAtMs: 1, endReason: 'lost' })).toMatchObject({
      step: 'observe',
      facts: { state: 'ended', endReason: 'lost' },
    })
  })
  test('a running domain is observed, whatever was restarted around it', () => {
    expect(plan({}, { startIntentAtMs: 1, startedAtMs: 2 }, 'running')).toMatchObject({
      facts: { state: 'running', startedAtMs: 2 },
    })
    expect(plan({}, { startIntentAtMs: 1 }, 'paused')).toMatchObject({ facts: { state: 'running' } })
  })
  test('a domain that another incarnation left is ended first', () => {
    expect(plan({}, {}, 'running').step).toBe('destroy')
  })
  test('a reboot asked once is done once', () => {
    expect(plan({ rebootCount: 3 }, { startIntentAtMs: 1, rebootCount: 2 }, 'running').step).toBe('reboot')
    expect(plan({ rebootCount: 3 }, { startIntentAtMs: 1, rebootCount: 3 }, 'running').step).toBe('observe')
  })
  test('a failure is final for its item', () => {
    expect(plan({}, { failure: 'no' })).toMatchObject({ facts: { state: 'failed', message: 'no' } })
  })
})

describe('remove', () => {
  const intent = 'remove' as const
  test('asks the guest, waits its grace, then ends it', () => {
    expect(plan({ intent }, {}, 'running').step).toBe('shutdown')
    expect(plan({ intent }, { shutdownAskedAtMs: 0 }, 'running', 4000).step).toBe('wait')
    expect(plan({ intent }, { shutdownAskedAtMs: 0 }, 'running', 5000).step).toBe('destroy')
    // The clock was set back since: that does not prolong the grace.
    expect(plan({ intent }, { shutdownAskedAtMs: 600_000 }, 'running', 1000).step).toBe('destroy')
  })
  test('removes what is left, and says so until the item goes', () => {
    expect(plan({ intent }, { startIntentAtMs: 1 }).step).toBe('remove')
    expect(plan({ intent }, { removed: true })).toMatchObject({ step: 'observe', facts: { state: 'gone' } })
    expect(plan({ intent }, {}).step).toBe('remove')
  })
})

test('release keeps to its order: no domain, then gone', () => {
  expect(plan({ intent: 'release' }, {}, 'ending').step).toBe('destroy')
  expect(plan({ intent: 'release' }, {}).step).toBe('release')
  expect(plan({ intent: 'release' }, { released: true, endReason: 'crashed' })).toMatchObject({
    facts: { state: 'gone', endReason: 'crashed' },
  })
})

describe('release of a guest that runs', () => {
  test('ends it at once, or asks it first where there is time', () => {
    expect(plan({ intent: 'release' }, {}, 'running').step).toBe('destroy')
    const asked = { intent: 'release', releaseGraceMs: 60_000 } as const
    expect(plan(asked, {}, 'running').step).toBe('shutdown')
    expect(plan(asked, { shutdownAskedAtMs: 0 }, 'running', 10_000).step).toBe('wait')
    expect(plan(asked, { shutdownAskedAtMs: 0 }, 'running', 60_001).step).toBe('destroy')
    expect(plan(asked, { shutdownAskedAtMs: 0 }).step).toBe('release')
    expect(plan(asked, { released: true })).toMatchObject({ facts: { state: 'gone' } })
  })
})
