import { describe, expect, test } from 'vitest'
import { decisionSentence, type NodeSnapshot, type PlacementRequest } from './judge-node.ts'
import { planAnew } from '../../test/plan-anew.ts'

const node = (nodeId: string, changes: Partial<NodeSnapshot> = {}): NodeSnapshot => ({
  nodeId,
  name: nodeId,
  availabilityZone: 'us-east-1a',
  enabled: true,
  silent: false,
  healthy: true,
  architecture: 'x86_64',
  capacity: { vcpus: 4, memoryMiB: 4096, diskGiB: 100 },
  used: { vcpus: 0, memoryMiB: 0, diskGiB: 0 },
  ...changes,
})
const request = (changes: Partial<PlacementRequest> = {}): PlacementRequest => ({
  minCount: 1,
  maxCount: 1,
  availabilityZone: null,
  architecture: 'x86_64',
  vcpus: 1,
  memoryMiB: 1024,
  diskGiB: 8,
  ...changes,
})
const nodes = [node('a'), node('b'), node('c')]

describe('policies', () => {
  test('round-robin goes on after the node that was last', () => {
    const plan = planAnew({
      request: request({ maxCount: 4 }),
      nodes,
      policy: 'round-robin',
      cursor: 'b',
    })
    expect(plan.nodeIds).toEqual(['c', 'a', 'b', 'c'])
  })
  test('pack fills one node before the next', () => {
    const plan = planAnew({ request: request({ maxCount: 5 }), nodes, policy: 'pack', cursor: null })
    expect(plan.nodeIds).toEqual(['a', 'a', 'a', 'a', 'b'])
  })
  test('spread takes the emptiest', () => {
    const busy = node('a', { used: { vcpus: 2, memoryMiB: 2048, diskGiB: 16 } })
    const plan = planAnew({
      request: request({ maxCount: 2 }),
      nodes: [busy, node('b'), node('c')],
      policy: 'spread',
      cursor: null,
    })
    expect(plan.nodeIds).toEqual(['b', 'c'])
  })
})

describe('fitness', () => {
  test('fewer than the minimum places none and says why', () => {
    const plan = planAnew({
      request: request({ minCount: 13, maxCount: 20 }),
      nodes,
      policy: 'spread',
      cursor: null,
    })
    expect(plan.nodeIds).toEqual([])
    expect(decisionSentence(plan.decision)).toContain('0 of 20')
  })
  test('between minimum and maximum places what fits', () => {
    const plan = planAnew({
      request: request({ minCount: 2, maxCount: 20 }),
      nodes,
      policy: 'spread',
      cursor: null,
    })
    expect(plan.nodeIds.length).toBe(12)
  })
  test.each([
    ['disabled', node('a', { enabled: false })],
    ['draining', node('a', { enabled: false, draining: true })],
    ['silent', node('a', { silent: true })],
    ['unhealthy', node('a', { healthy: false })],
    ['other-zone', node('a', { availabilityZone: 'us-east-1b' })],
    ['other-architecture', node('a', { architecture: 'arm64' })],
    ['vcpus', node('a', { used: { vcpus: 4, memoryMiB: 0, diskGiB: 0 } })],
    ['memory', node('a', { used: { vcpus: 0, memoryMiB: 3500, diskGiB: 0 } })],
    ['disk', node('a', { used: { vcpus: 0, memoryMiB: 0, diskGiB: 99 } })],
  ])('%s is a reason', (reason, refused) => {
    const wanted = request({ availabilityZone: 'us-east-1a' })
    const plan = planAnew({ request: wanted, nodes: [refused], policy: 'pack', cursor: null })
    expect(plan.nodeIds).toEqual([])
    expect(plan.decision.refusals).toEqual({ [reason]: 1 })
    expect(decisionSentence(plan.decision)).toContain(`1 by ${reason}`)
  })
  test('one request stays in one zone, the one with most room', () => {
    const mixed = [
      node('a'),
      node('b', { availabilityZone: 'us-east-1b' }),
      node('c', { availabilityZone: 'us-east-1b' }),
    ]
    const plan = planAnew({
      request: request({ maxCount: 6 }),
      nodes: mixed,
      policy: 'round-robin',
      cursor: null,
    })
    expect(plan.availabilityZone).toBe('us-east-1b')
    expect(new Set(plan.nodeIds)).toEqual(new Set(['b', 'c']))
  })
})
