import { expect, test } from 'vitest'
import type { TgtTarget } from '../tgt/read-targets.ts'
import { planExports, type WantedExport } from './plan-exports.ts'

const path = '/volumes/vol-1.raw'
const whole = '/lazy/vol-1.whole'
const MiB = 1024 ** 2

interface Changes {
  readonly withdraw?: boolean
  readonly volumeBytes?: number | null
  readonly path?: string
  readonly isPaused?: boolean
}

function wanted(id: string, changes: Changes = {}): WantedExport {
  return {
    id,
    item: {
      ...{ attachmentId: id, volumeId: 'vol-1', iqn: `iqn.x:${id}`, initiatorIqn: 'iqn.x:node' },
      ...{ chapUser: `user${id}`, chapSecret: 'secret', withdraw: changes.withdraw ?? false },
    },
    path: changes.path ?? path,
    isPaused: changes.isPaused ?? false,
    volumeBytes: changes.volumeBytes === undefined ? MiB : changes.volumeBytes,
  }
}

function target(id: string, tid: number, changes: Partial<TgtTarget> = {}): TgtTarget {
  return {
    ...{ tid, iqn: `iqn.x:${id}`, sessions: 0, units: [{ lun: 1, path, serial: 'vol-1' }] },
    ...{ accounts: [`user${id}`], initiators: ['iqn.x:node'], ...changes },
  }
}

const plan = (wants: WantedExport[], targets: TgtTarget[], made: [string, number][] = []) =>
  planExports(wants, targets, new Map(made)).map(({ step }) => step)

test('an export is made once its volume is there, and is ready when all of it is', () => {
  expect(plan([wanted('a', { volumeBytes: null })], [])).toEqual(['wait'])
  expect(plan([wanted('a')], [])).toEqual(['make'])
  expect(plan([wanted('a')], [target('a', 1)], [['iqn.x:a', MiB]])).toEqual(['ready'])
})

test('what lacks a part, or is smaller than its volume, is made anew', () => {
  const made: [string, number][] = [['iqn.x:a', MiB]]
  for (const lacking of [{ units: [] }, { accounts: [] }, { initiators: [] }])
    expect(plan([wanted('a')], [target('a', 1, lacking)], made)).toEqual(['remake'])
  expect(plan([wanted('a', { volumeBytes: 2 * MiB })], [target('a', 1)], made)).toEqual(['remake'])
})

test('a volume has one writer: of two exports at once one waits, whatever their order and whatever is there', () => {
  expect(plan([wanted('a'), wanted('b')], [])).toEqual(['make', 'wait'])
  const made: [string, number][] = [
    ['iqn.x:a', MiB],
    ['iqn.x:b', MiB],
  ]
  expect(plan([wanted('a'), wanted('b')], [target('b', 1)], made)).toEqual(['wait', 'ready'])
  expect(plan([wanted('a'), wanted('b')], [target('a', 1), target('b', 2)], made)).toEqual([
    'ready',
    'remove',
  ])
})

test('the next waits until a withdrawn one is gone, and not until it was told to go', () => {
  const both = [wanted('a', { withdraw: true }), wanted('b')]
  expect(plan(both, [target('a', 1, { sessions: 1 })])).toEqual(['remove', 'wait'])
  expect(plan(both, [])).toEqual(['gone', 'make'])
})

test('one that nobody’s item names keeps others out', () => {
  expect(plan([wanted('a')], [target('stranger', 7)])).toEqual(['wait'])
})

test('while its file changes places nobody has it open, and nobody else gets it meanwhile', () => {
  const served = target('a', 1, { units: [{ lun: 1, path: whole, serial: 'vol-1' }] })
  const made: [string, number][] = [['iqn.x:a', MiB]]
  const both = (changes: Changes) => [wanted('a', changes), wanted('b', changes)]
  expect(plan(both({ isPaused: true, path: whole }), [served], made)).toEqual(['pause', 'wait'])
  expect(plan(both({ isPaused: true, path: whole }), [], made)).toEqual(['hold', 'wait'])
  expect(plan(both({}), [served], made)).toEqual(['remake', 'wait'])
  expect(plan([wanted('a', { withdraw: true, isPaused: true })], [served], made)).toEqual(['remove'])
})
