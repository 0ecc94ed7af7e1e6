import { expect, test } from 'vitest'
import { silentLog } from '@mallee/base'
import type { DesiredItem, Sample } from '@mallee/agent-contract'
import { SampleKeeper } from './sample-keeper.ts'

const zero = {
  name: 'i-1',
  cpuNs: 0,
  diskReadBytes: 0,
  diskWriteBytes: 0,
  networkInBytes: 0,
  networkOutBytes: 0,
}

function setUp(body: { monitoring?: boolean; incarnation?: number } = {}) {
  const state = { counters: [{ ...zero }], sent: [] as Sample[], away: false, incarnation: 1, ...body }
  const keeper = new SampleKeeper({
    counters: async () => state.counters,
    items: () =>
      [
        {
          body: {
            instanceId: 'i-1',
            intent: 'run',
            vcpus: 2,
            incarnation: state.incarnation,
            ...(state.monitoring ? { monitoring: true } : {}),
          },
        },
      ] as DesiredItem<'domain'>[],
    send: async (samples) => {
      if (state.away) throw new Error('away')
      state.sent.push(...samples)
    },
    log: silentLog,
  })
  return { state, keeper }
}

test('what grew between two looks is a sample: percent of all vCPUs, bytes of the period', async () => {
  const { state, keeper } = setUp({ monitoring: true })
  await keeper.look(0)
  expect(state.sent).toEqual([])
  state.counters = [
    { ...zero, cpuNs: 60e9, diskReadBytes: 7, diskWriteBytes: 8, networkInBytes: 9, networkOutBytes: 10 },
  ]
  await keeper.look(60_000)
  expect(state.sent).toEqual([
    {
      instanceId: 'i-1',
      atMs: 60_000,
      periodSeconds: 60,
      cpuPercent: 50,
      diskReadBytes: 7,
      diskWriteBytes: 8,
      networkInBytes: 9,
      networkOutBytes: 10,
    },
  ])
})

test('unmonitored guests are sampled at every fifth look', async () => {
  const { state, keeper } = setUp()
  for (let look = 0; look <= 10; look += 1) await keeper.look(look * 60_000)
  expect(state.sent.map((sample) => [sample.atMs, sample.periodSeconds])).toEqual([
    [300_000, 300],
    [600_000, 300],
  ])
})

test('another incarnation begins anew, and a cloud that is away loses nothing', async () => {
  const { state, keeper } = setUp({ monitoring: true })
  await keeper.look(0)
  state.away = true
  await keeper.look(60_000)
  state.away = false
  state.counters = [{ ...zero, cpuNs: 5 }]
  state.incarnation = 2
  await keeper.look(120_000)
  expect(state.sent.map((sample) => sample.atMs)).toEqual([60_000])
  await keeper.look(180_000)
  expect(state.sent.map((sample) => sample.atMs)).toEqual([60_000, 180_000])
})
