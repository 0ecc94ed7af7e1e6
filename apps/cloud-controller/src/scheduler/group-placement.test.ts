import { describe, expect, test } from 'vitest'
import { planAnew } from '../../test/plan-anew.ts'
import type { GroupMember, PlacementGroupUse } from './group-placement.ts'
import { decisionSentence, type NodeSnapshot, type PlacementPolicy } from './judge-node.ts'

const node = (nodeId: string, zone = 'us-east-1a', vcpus = 4): NodeSnapshot => ({
  nodeId,
  name: nodeId,
  availabilityZone: zone,
  enabled: true,
  silent: false,
  healthy: true,
  architecture: 'x86_64',
  capacity: { vcpus, memoryMiB: 65_536, diskGiB: 1000 },
  used: { vcpus: 0, memoryMiB: 0, diskGiB: 0 },
})
const on = (nodeId: string, partition: number | null = null, zone = 'us-east-1a'): GroupMember => ({
  nodeId,
  availabilityZone: zone,
  partition,
})
const policies: PlacementPolicy[] = ['round-robin', 'pack', 'spread']

function plan(
  group: Partial<PlacementGroupUse>,
  nodes: readonly NodeSnapshot[],
  options: { min?: number; max?: number; zone?: string | null; policy?: PlacementPolicy } = {},
) {
  return planAnew({
    request: {
      minCount: options.min ?? 1,
      maxCount: options.max ?? options.min ?? 1,
      availabilityZone: options.zone ?? null,
      architecture: 'x86_64',
      vcpus: 1,
      memoryMiB: 512,
      diskGiB: 8,
    },
    nodes,
    policy: options.policy ?? 'round-robin',
    cursor: null,
    group: { id: 'pg-1', strategy: 'spread', partitionCount: 0, partition: null, members: [], ...group },
  })
}

describe('spread', () => {
  test.each(policies)('by %s, never two on one node', (policy) => {
    const nodes = ['a', 'b', 'c'].map((id) => node(id))
    expect(plan({}, nodes, { max: 5, policy }).nodeIds.toSorted()).toEqual(['a', 'b', 'c'])
    expect(plan({ members: [on('a'), on('c')] }, nodes, { max: 5, policy }).nodeIds).toEqual(['b'])
  })
  test('a full group places none and says that it is the group', () => {
    const full = plan({ members: [on('a'), on('b')] }, [node('a'), node('b')])
    expect(full.nodeIds).toEqual([])
    expect(full.decision.refusals).toEqual({ 'placement-group': 2 })
    expect(full.decision.best[0]!.refusals).toEqual(['placement-group'])
    expect(decisionSentence(full.decision)).toContain('2 by placement-group')
  })
  test('seven of it in a zone, and seven more in the next', () => {
    const nodes = Array.from({ length: 20 }, (_none, index) =>
      node(`n${String(index).padStart(2, '0')}`, index < 10 ? 'us-east-1a' : 'us-east-1b'),
    )
    const first = plan({}, nodes, { max: 20 })
    expect(first.nodeIds.length).toBe(7)
    const members = first.nodeIds.map((id) => on(id, null, first.availabilityZone!))
    expect(plan({ members }, nodes, { zone: first.availabilityZone }).nodeIds).toEqual([])
    const second = plan({ members }, nodes, { max: 20 })
    expect(second.nodeIds.length).toBe(7)
    expect(second.availabilityZone).not.toBe(first.availabilityZone)
  })
  test('fewer than the minimum places none', () => {
    expect(plan({}, [node('a'), node('b')], { min: 3 }).nodeIds).toEqual([])
  })
})

describe('cluster', () => {
  test.each(policies)('by %s, all on one node where they fit', (policy) => {
    const nodes = [node('a', 'us-east-1a', 2), node('b', 'us-east-1b', 4), node('c', 'us-east-1a', 3)]
    const placed = plan({ strategy: 'cluster' }, nodes, { min: 4, policy })
    expect(placed.nodeIds).toEqual(['b', 'b', 'b', 'b'])
  })
  test('it goes on where the group is, then on the fewest nodes of that zone', () => {
    const nodes = [
      node('a', 'us-east-1a', 2),
      node('b', 'us-east-1b', 64),
      node('c', 'us-east-1a', 1),
      node('d', 'us-east-1a', 3),
    ]
    const group = { strategy: 'cluster' as const, members: [on('a')] }
    expect(plan(group, nodes, { min: 5 }).nodeIds).toEqual(['a', 'a', 'd', 'd', 'd'])
    expect(plan(group, nodes, { min: 7 }).nodeIds).toEqual([])
  })
})

describe('partition', () => {
  const three = { strategy: 'partition' as const, partitionCount: 3 }
  test.each(policies)('by %s, no node serves two partitions', (policy) => {
    const nodes = ['a', 'b', 'c', 'd'].map((id) => node(id))
    const placed = plan(three, nodes, { max: 12, policy })
    const owners = new Map<string, Set<number | null>>()
    for (const [index, id] of placed.nodeIds.entries())
      owners.set(id, (owners.get(id) ?? new Set()).add(placed.partitions[index]!))
    expect([...owners.values()].map((numbers) => numbers.size)).toEqual([...owners].map(() => 1))
    const counts = [1, 2, 3].map((number) => placed.partitions.filter((one) => one === number).length)
    expect(counts).toEqual([4, 4, 4])
  })
  test('a number keeps to its nodes, then takes a free one, and never another’s', () => {
    const nodes = [node('a', 'us-east-1a', 1), node('b', 'us-east-1a', 2), node('c', 'us-east-1a', 8)]
    const group = { ...three, partition: 2, members: [on('a', 2), on('c', 1)] }
    expect(plan(group, nodes, { max: 9 }).nodeIds).toEqual(['a', 'b', 'b'])
    expect(plan(group, nodes, { max: 9 }).partitions).toEqual([2, 2, 2])
    const none = plan({ ...group, members: nodes.map((one) => on(one.nodeId, 1)) }, nodes)
    expect(none.nodeIds).toEqual([])
    expect(none.decision.refusals).toEqual({ 'placement-group': 3 })
  })
  test('the smallest partition is next; with too few nodes the others go on without it', () => {
    const nodes = [node('a'), node('b')]
    const members = [on('a', 1), on('b', 3)]
    expect(plan({ ...three, members }, nodes, { min: 3 }).partitions).toEqual([1, 3, 1])
  })
})
