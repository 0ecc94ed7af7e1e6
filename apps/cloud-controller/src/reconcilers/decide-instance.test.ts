import { describe, expect, test } from 'vitest'
import type { DomainTable, InstanceTable } from '../store/tables.ts'
import { decideInstance, restartDelayMs } from './decide-instance.ts'

const instance = (changes: Partial<InstanceTable> = {}) =>
  ({ id: 'i-1', state: 'running', restarts: 0, ...changes }) as InstanceTable
const domain = (changes: Partial<DomainTable> = {}) =>
  ({
    id: 'i-1/1',
    intent: 'run',
    observed_state: 'running',
    disk_lost: 0,
    started_at: 0,
    observed_at: 0,
    end_reason: null,
    ...changes,
  }) as DomainTable
const decide = (of: Partial<InstanceTable>, its: Partial<DomainTable> | null, nowMs = 1_000_000) =>
  decideInstance(instance(of), its ? domain(its) : undefined, nowMs)

test('a new instance gets its first incarnation, a running one is left in peace', () => {
  expect(decide({ state: 'pending' }, null)).toEqual({ do: 'incarnate', restarts: 0 })
  expect(decide({ state: 'pending' }, {})).toMatchObject({ do: 'transition', event: 'domainRunning' })
  expect(decide({}, {})).toEqual({ do: 'keep', intent: 'run' })
})

describe('an end', () => {
  test('by the guest’s own shutdown terminates', () => {
    expect(decide({}, { observed_state: 'ended', end_reason: 'shutdown' })).toMatchObject({
      do: 'transition',
      event: 'guestEnded',
    })
  })
  test.each(['crashed', 'destroyed', 'failed', 'lost'])(
    'by %s is followed by another incarnation',
    (reason) => {
      expect(decide({}, { observed_state: 'ended', end_reason: reason })).toEqual({
        do: 'keep',
        intent: 'release',
      })
      expect(decide({}, { observed_state: 'gone', end_reason: reason, intent: 'release' })).toEqual({
        do: 'incarnate',
        restarts: 1,
      })
    },
  )
  test('again and again waits longer and longer, up to a minute', () => {
    expect([0, 1, 2, 3, 20].map(restartDelayMs)).toEqual([0, 500, 1000, 2000, 60_000])
    expect(
      decide(
        { restarts: 3 },
        { observed_state: 'gone', intent: 'release', started_at: 998_500, observed_at: 999_000 },
      ),
    ).toEqual({ do: 'wait', againMs: 1000 })
  })
  test('does not wait longer because the clock was set back', () => {
    expect(
      decide(
        { restarts: 3 },
        { observed_state: 'gone', intent: 'release', started_at: 1_599_000, observed_at: 1_600_000 },
      ),
    ).toEqual({ do: 'incarnate', restarts: 4 })
  })
  test('after a long life does not wait', () => {
    const long = {
      observed_state: 'gone' as const,
      intent: 'release' as const,
      started_at: 1,
      observed_at: 999_999,
    }
    expect(decide({ restarts: 9 }, long)).toEqual({ do: 'incarnate', restarts: 1 })
  })
  test('with the disk lost terminates', () => {
    expect(decide({}, { observed_state: 'ended', disk_lost: 1 })).toMatchObject({
      do: 'transition',
      event: 'diskLost',
    })
  })
})

test('a failed launch says why', () => {
  const decision = decide({ state: 'pending' }, { observed_state: 'failed', message: 'no space' })
  expect(decision).toMatchObject({
    do: 'transition',
    event: 'launchFailed',
    reason: { message: 'Server.InternalError: no space' },
  })
})

describe('shutting down', () => {
  const state = 'shutting-down' as const
  test('asks for removal, and is done when everything is gone', () => {
    expect(decide({ state }, {})).toEqual({ do: 'keep', intent: 'remove' })
    expect(decide({ state }, { observed_state: 'gone', intent: 'remove' })).toEqual({ do: 'release' })
    expect(decide({ state }, null)).toEqual({ do: 'release' })
  })
  test('a release that was under way becomes a removal: the disk is still there', () => {
    expect(decide({ state }, { observed_state: 'gone', intent: 'release' })).toEqual({
      do: 'keep',
      intent: 'remove',
    })
  })
  test('a node that says nothing is waited for', () => {
    expect(decide({ state }, { observed_state: null, intent: 'remove' })).toEqual({
      do: 'keep',
      intent: 'remove',
    })
  })
})

test('a terminated instance is never touched', () => {
  expect(decide({ state: 'terminated' }, {})).toEqual({ do: 'nothing' })
})

describe('an instance that is bundled', () => {
  const bundled = (of: Partial<InstanceTable>, its: Partial<DomainTable>) =>
    decideInstance(instance(of), domain(its), 1_000_000, { isBundled: true })

  test('is shut down, and not started while its disk is read; its own shutdown does not end it', () => {
    expect(bundled({}, {})).toEqual({ do: 'keep', intent: 'release' })
    const off = { observed_state: 'ended', end_reason: 'shutdown' } as const
    expect(bundled({}, off)).toEqual({ do: 'keep', intent: 'release' })
    expect(bundled({}, { intent: 'release', observed_state: 'gone' })).toEqual({ do: 'nothing' })
    expect(decide({}, { intent: 'release', observed_state: 'gone' })).toMatchObject({ do: 'incarnate' })
  })
  test('is terminated all the same, by request or with its disk', () => {
    expect(bundled({ state: 'shutting-down' }, {})).toEqual({ do: 'keep', intent: 'remove' })
    expect(bundled({}, { disk_lost: 1 })).toMatchObject({ do: 'transition', event: 'diskLost' })
  })
})

describe('an instance that boots from a volume', () => {
  const ebs = { root_device_type: 'ebs', shutdown_behavior: 'stop', incarnation: 1 } as const
  const next = { do: 'incarnate', restarts: 0 }
  const withVolumes = (volumes: 'ready' | 'waiting' | { failed: string }, its: Partial<DomainTable> | null) =>
    decideInstance(instance({ ...ebs, state: 'pending' }), its ? domain(its) : undefined, 1_000_000, {
      volumes,
    })

  test('starts when every volume can be reached, and not before', () => {
    expect(withVolumes('waiting', null)).toEqual({ do: 'nothing' })
    expect(withVolumes('ready', null)).toEqual(next)
  })
  test('goes on running whatever becomes of its volumes', () => {
    expect(withVolumes('waiting', { intent: 'run', observed_state: 'preparing' })).toEqual({
      do: 'keep',
      intent: 'run',
    })
    expect(withVolumes('waiting', {})).toMatchObject({ event: 'domainRunning' })
  })
  test('never starts where a volume cannot be made, and says why', () => {
    expect(withVolumes({ failed: 'vol-1 is none' }, null)).toMatchObject({
      do: 'transition',
      event: 'launchFailed',
      reason: { code: 'Client.InternalError', message: 'Client.InternalError: vol-1 is none' },
    })
  })
  test('that fails at its first start is terminated, and at a later one is stopped', () => {
    const failed = { observed_state: 'failed', message: 'no kernel' } as const
    const starts = (incarnation: number) => decide({ ...ebs, state: 'pending', incarnation }, failed)
    expect(starts(1)).toMatchObject({ event: 'launchFailed' })
    expect(starts(2)).toMatchObject({
      event: 'startFailed',
      reason: { message: 'Server.InternalError: no kernel' },
    })
    expect(decide({ state: 'pending', incarnation: 2 }, failed)).toMatchObject({ event: 'launchFailed' })
  })
  test('stops by its own shutdown, or is terminated if that is what it was told', () => {
    const off = { observed_state: 'ended', end_reason: 'shutdown' } as const
    expect(decide(ebs, off)).toMatchObject({ do: 'transition', event: 'guestStopped' })
    expect(decide({ ...ebs, shutdown_behavior: 'terminate' }, off)).toMatchObject({ event: 'guestEnded' })
    expect(decide(ebs, { ...off, end_reason: 'crashed' })).toEqual({ do: 'keep', intent: 'release' })
  })
  test('that was stopped starts at once, however its last domain ended', () => {
    const gone = { observed_state: 'gone', intent: 'remove', observed_at: 1_000_000 } as const
    expect(decide({ ...ebs, state: 'pending', restarts: 9 }, gone)).toEqual(next)
    expect(withVolumes('waiting', gone)).toEqual({ do: 'nothing' })
  })
})

describe('stopping', () => {
  const state = 'stopping' as const
  const remove = { do: 'keep', intent: 'remove' }
  test.each([null, 'preparing', 'running', 'failed', 'ended'] as const)(
    'asks for removal of a domain that is %s, and waits for it',
    (observed) => {
      expect(decide({ state }, { observed_state: observed })).toEqual(remove)
    },
  )
  test('a release that was under way becomes a removal', () => {
    expect(decide({ state }, { observed_state: 'gone', intent: 'release' })).toEqual(remove)
  })
  test('gives back its room when nothing of it is left', () => {
    expect(decide({ state }, { observed_state: 'gone', intent: 'remove' })).toEqual({ do: 'leave' })
    expect(decide({ state }, null)).toEqual({ do: 'leave' })
  })
  test('a stopped instance is left in peace', () => {
    expect(decide({ state: 'stopped' }, null)).toEqual({ do: 'nothing' })
    expect(decide({ state: 'stopped' }, { observed_state: 'gone', intent: 'remove' })).toEqual({
      do: 'nothing',
    })
  })
})
