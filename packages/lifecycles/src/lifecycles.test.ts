import { describe, expect, test } from 'vitest'
import {
  agentLifecycle,
  attachmentLifecycle,
  imageLifecycle,
  instanceLifecycle,
  natGatewayLifecycle,
  snapshotLifecycle,
  volumeLifecycle,
  type Lifecycle,
} from './index.ts'

const all: Lifecycle<string, string>[] = [
  ...[instanceLifecycle, imageLifecycle, agentLifecycle],
  ...[volumeLifecycle, attachmentLifecycle, snapshotLifecycle, natGatewayLifecycle],
]

describe.each(all.map((lifecycle) => [lifecycle.name, lifecycle] as const))('%s', (_name, lifecycle) => {
  test('every state is reachable from the first', () => {
    const seen = new Set([lifecycle.initial])
    for (let grew = true; grew;) {
      grew = false
      for (const rule of Object.values(lifecycle.events)) {
        if (rule.from.some((state) => seen.has(state)) && !seen.has(rule.to)) {
          seen.add(rule.to)
          grew = true
        }
      }
    }
    // stopping, stopped and so on become reachable with their first action; nothing else may be an island.
    expect([...seen].toSorted()).toEqual(lifecycle.stateNames().toSorted())
  })

  test('no event leaves a terminal state', () => {
    for (const state of lifecycle.stateNames().filter((name) => lifecycle.isTerminal(name))) {
      for (const event of Object.keys(lifecycle.events)) {
        expect([null, state]).toContain(lifecycle.next(state, event))
      }
    }
  })

  test('every non-terminal state has a way on', () => {
    for (const state of lifecycle.stateNames().filter((name) => !lifecycle.isTerminal(name))) {
      const ways = Object.values(lifecycle.events).filter((rule) => rule.from.includes(state))
      expect(ways.length, state).toBeGreaterThan(0)
    }
  })
})

test('an observation that was missed does not block what follows', () => {
  expect(instanceLifecycle.next('pending', 'domainGone')).toBe('stopped')
  expect(instanceLifecycle.next('pending', 'guestEnded')).toBe('shutting-down')
  expect(instanceLifecycle.next('terminated', 'terminateAsked')).toBe('terminated')
  expect(instanceLifecycle.next('terminated', 'domainRunning')).toBeNull()
})
