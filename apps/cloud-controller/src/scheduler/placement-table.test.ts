import { expect, test } from 'vitest'
import { seededRandom } from '@mallee/base'
import { judge, type NodeSnapshot, type PlacementPolicy } from './judge-node.ts'
import { planAnew } from '../../test/plan-anew.ts'
import { PlacementTable } from './placement-table.ts'

const zones = ['us-east-1a', 'us-east-1b', 'us-east-1c']
const policies: PlacementPolicy[] = ['round-robin', 'pack', 'spread']
const requests = [
  { vcpus: 1, memoryMiB: 512, diskGiB: 8 },
  { vcpus: 4, memoryMiB: 4096, diskGiB: 20 },
].map((shape) => ({ minCount: 1, maxCount: 3, availabilityZone: null, architecture: 'x86_64', ...shape }))

function randomNode(nodeId: string, pick: (below: number) => number): NodeSnapshot {
  return {
    nodeId,
    name: nodeId,
    availabilityZone: zones[pick(3)]!,
    enabled: pick(8) > 0,
    draining: false,
    silent: pick(8) === 0,
    healthy: pick(8) > 0,
    architecture: pick(6) > 0 ? 'x86_64' : 'arm64',
    capacity: { vcpus: 8, memoryMiB: 8192, diskGiB: 100 },
    used: { vcpus: pick(9), memoryMiB: pick(9) * 1024, diskGiB: pick(101) },
  }
}

test('a table that saw every change decides as one that was made of the last state', () => {
  const random = seededRandom(7)
  const pick = (below: number) => random.bytes(2).reduce((sum, byte) => sum * 256 + byte, 0) % below
  const table = new PlacementTable()
  const nodes = new Map<string, NodeSnapshot>()
  for (let step = 0; step < 1500; step += 1) {
    const nodeId = `node-${pick(20)}`
    if (pick(12) === 0) {
      nodes.delete(nodeId)
      table.delete(nodeId)
    } else {
      const zone = nodes.get(nodeId)?.availabilityZone
      const node = { ...randomNode(nodeId, pick), ...(zone && pick(4) > 0 ? { availabilityZone: zone } : {}) }
      nodes.set(nodeId, node)
      table.set(node)
    }
    const request = {
      ...requests[pick(2)]!,
      availabilityZone: pick(2) === 0 ? null : zones[pick(3)]!,
    }
    const asked = { request, policy: policies[pick(3)]!, cursor: `node-${pick(20)}` }
    const planned = table.plan(asked)
    const anew = planAnew({ ...asked, nodes: [...nodes.values()] })
    expect({ ...planned, decision: { ...planned.decision, refusals: {} } }).toEqual({
      ...anew,
      decision: { ...anew.decision, refusals: {} },
    })
    expect(planned.decision.refusals).toEqual(anew.decision.refusals)
  }
})

test('what is taken fits, and the counts of the record are those of the nodes', () => {
  const random = seededRandom(11)
  const pick = (below: number) => random.bytes(1)[0]! % below
  const nodes = Array.from({ length: 30 }, (_none, index) => randomNode(`node-${index}`, pick))
  for (const request of requests) {
    for (const policy of policies) {
      const plan = planAnew({ request: { ...request, maxCount: 12 }, nodes, policy, cursor: null })
      const judged = new Map(nodes.map((node) => [node.nodeId, judge(node, request)]))
      for (const nodeId of new Set(plan.nodeIds)) {
        const times = plan.nodeIds.filter((id) => id === nodeId).length
        expect(times).toBeLessThanOrEqual(judged.get(nodeId)!.fits)
      }
      const counts: Record<string, number> = {}
      for (const { refusals } of judged.values())
        for (const reason of refusals) counts[reason] = (counts[reason] ?? 0) + 1
      expect(plan.decision.refusals).toEqual(counts)
    }
  }
})
