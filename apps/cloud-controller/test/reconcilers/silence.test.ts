import { afterEach, expect, test } from 'vitest'
import type { Clock } from '@mallee/base'
import { Presence } from '../../src/presence.ts'
import { agentsReconciler } from '../../src/reconcilers/agents.ts'
import { CloudUnderTest } from '../cloud-under-test.ts'

class VirtualClock implements Clock {
  nowMs = 1_000_000
  now = () => this.nowMs
  after = () => () => {}
  sleep = () => Promise.resolve()
}

let cloud: CloudUnderTest | null = null
afterEach(() => cloud?.stop())

/** Milliseconds until the loop says that the agent is silent, looking when it itself wants to look. */
async function silentAfter(happen: (presence: Presence, agentId: string) => void, pollSeconds: number) {
  cloud = await CloudUnderTest.start()
  await Promise.all(Object.values(cloud.cloud.reconcilers).map((queue) => queue.stop()))
  const agentId = await cloud.addNode('one')
  const clock = new VirtualClock()
  const presence = new Presence(clock)
  const { record, settings } = cloud.cloud
  const loop = agentsReconciler({ record, clock, presence, settings: { ...settings, pollSeconds } } as never)
  presence.heard(agentId)
  const startedMs = clock.nowMs
  happen(presence, agentId)
  for (let looks = 0; looks < 1000; looks += 1) {
    for (const id of await loop.list()) await loop.reconcile(id)
    const row = await record.read((db) =>
      db.selectFrom('agent').select('silent_since').where('id', '=', agentId).executeTakeFirstOrThrow(),
    )
    if (row.silent_since !== null) return clock.nowMs - startedMs
    clock.nowMs += loop.nextScanMs!()
  }
  throw new Error('never silent')
}

test('an agent that says nothing more is silent within ten seconds, and not before three polls', async () => {
  const ms = await silentAfter(() => {}, 3)
  expect(ms).toBeGreaterThanOrEqual(9_000)
  expect(ms).toBeLessThan(9_100)
})

test('an agent whose held poll is cut off is silent sooner', async () => {
  const ms = await silentAfter((presence, id) => presence.holds(id)(false), 3)
  expect(ms).toBeGreaterThanOrEqual(6_000)
  expect(ms).toBeLessThan(6_100)
})

test('a poll that was answered, or cut off while the next one is held, is no sign of leaving', () => {
  const clock = new VirtualClock()
  const presence = new Presence(clock)
  presence.heard('a')
  const first = presence.holds('a')
  const second = presence.holds('a')
  first(false)
  expect(presence.silentAtMs('a', 3)).toBe(clock.nowMs + 9_000)
  expect(presence.heldPolls).toBe(1)
  second(true)
  second(false)
  expect(presence.silentAtMs('a', 3)).toBe(clock.nowMs + 9_000)
  presence.holds('a')(false)
  expect(presence.silentAtMs('a', 3)).toBe(clock.nowMs + 6_000)
  presence.heard('a')
  expect(presence.silentAtMs('a', 3)).toBe(clock.nowMs + 9_000)
  expect(presence.heldPolls).toBe(0)
})
