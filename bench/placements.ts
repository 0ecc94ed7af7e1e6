import { judgeNode, PlacementTable, type NodeSnapshot } from '@mallee/cloud-controller'

const nodes = 10_000
const placements = 30_000
const baselinePlacements = 300

/**
 * Placements a second among 10,000 nodes, each with its decision record and its claim counted (aim 10,000), against
 * judging every node anew for each of them.
 */
export function placementsBench(): Promise<void> {
  const shapes = [
    { vcpus: 1, memoryMiB: 512, diskGiB: 8 },
    { vcpus: 2, memoryMiB: 4096, diskGiB: 20 },
    { vcpus: 4, memoryMiB: 8192, diskGiB: 40 },
  ]
  const all = Array.from({ length: nodes }, (_none, index) => nodeOf(index))
  const table = new PlacementTable()
  for (const node of all) table.set(node)
  let cursor: string | null = null
  let bytes = 0
  const place = (index: number) => {
    const shape = shapes[index % shapes.length]!
    const request = { minCount: 1, maxCount: 1, availabilityZone: null, architecture: 'x86_64', ...shape }
    const plan = table.plan({ request, policy: 'round-robin', cursor })
    const taken = plan.nodeIds[0]!
    bytes += JSON.stringify({ ...plan.decision, taken }).length
    const node = table.get(taken)!
    const { used } = node
    table.set({
      ...node,
      used: {
        vcpus: used.vcpus + shape.vcpus,
        memoryMiB: used.memoryMiB + shape.memoryMiB,
        diskGiB: used.diskGiB + shape.diskGiB,
      },
    })
    cursor = taken
  }
  for (let index = 0; index < 500; index += 1) place(index) // warms
  const ours = rate(placements, place)
  const baseline = rate(baselinePlacements, (index) => {
    const request = {
      minCount: 1,
      maxCount: 1,
      availabilityZone: null,
      architecture: 'x86_64',
      ...shapes[index % 3]!,
    }
    const judged = all.map((node) => judgeNode(node, request))
    bytes += JSON.stringify(judged.toSorted((a, b) => b.fits - a.fits).slice(0, 10)).length
  })
  process.stdout.write(
    `placements among ${nodes} nodes, with record   ${ours.toFixed(0)} a second (aim 10000)\n`,
  )
  process.stdout.write(`judging every node for each of them      ${baseline.toFixed(0)} a second\n`)
  process.stdout.write(
    `ratio: ${(ours / baseline).toFixed(1)}; records of ${(bytes / (placements + 500) / 1024).toFixed(1)} KiB\n`,
  )
  return Promise.resolve()
}

function rate(count: number, work: (index: number) => void): number {
  const beganMs = performance.now()
  for (let index = 0; index < count; index += 1) work(index)
  return count / ((performance.now() - beganMs) / 1000)
}

function nodeOf(index: number): NodeSnapshot {
  return {
    nodeId: `agent-${index.toString(16).padStart(17, '0')}`,
    name: `node-${index}`,
    availabilityZone: `us-east-1${'abc'[index % 3]}`,
    enabled: true,
    silent: index % 97 === 0,
    healthy: true,
    architecture: 'x86_64',
    capacity: { vcpus: 256, memoryMiB: 1_048_576, diskGiB: 10_000 },
    used: { vcpus: 0, memoryMiB: 0, diskGiB: 0 },
  }
}
