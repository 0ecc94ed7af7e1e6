/**
 * Placement, pure: a snapshot of the nodes and a request give the nodes taken, or none, and the record of why. It runs
 * inside the transaction that claims the capacity, so what it saw free is free. The record keeps counts per reason and
 * the ten best nodes; `explain` recomputes the rest (DECISIONS 28).
 */
export type PlacementPolicy = 'round-robin' | 'pack' | 'spread'

export interface Resources {
  readonly vcpus: number
  readonly memoryMiB: number
  readonly diskGiB: number
}

export interface NodeSnapshot {
  readonly nodeId: string
  readonly name: string
  readonly availabilityZone: string
  readonly enabled: boolean
  /** Disabled because it is to become empty. */
  readonly draining?: boolean
  readonly silent: boolean
  readonly healthy: boolean
  readonly architecture: string
  readonly capacity: Resources
  readonly used: Resources
}

export interface PlacementRequest extends Resources {
  readonly minCount: number
  readonly maxCount: number
  /** Null where any zone will do; all instances of one request share a zone. */
  readonly availabilityZone: string | null
  readonly architecture: string
}

export type RefusalReason =
  | 'disabled'
  | 'draining'
  | 'silent'
  | 'unhealthy'
  | 'other-zone'
  | 'other-architecture'
  | 'vcpus'
  | 'memory'
  | 'disk'

export interface Judgement {
  readonly nodeId: string
  readonly name: string
  readonly refusals: readonly RefusalReason[]
  /** How many more instances of this request fit. */
  readonly fits: number
}

export interface DecisionRecord {
  readonly policy: PlacementPolicy
  readonly request: PlacementRequest
  readonly considered: number
  readonly placed: number
  readonly refusals: Readonly<Partial<Record<RefusalReason, number>>>
  readonly best: readonly Judgement[]
  /** The node that round-robin began after. */
  readonly cursor: string | null
}

export interface Placement {
  /** One node per instance; empty where fewer than `minCount` fit. */
  readonly nodeIds: readonly string[]
  readonly availabilityZone: string | null
  readonly decision: DecisionRecord
}

const bestKept = 10

export function planPlacement(options: {
  request: PlacementRequest
  nodes: readonly NodeSnapshot[]
  policy: PlacementPolicy
  cursor: string | null
}): Placement {
  const { request, policy, cursor } = options
  const nodes = options.nodes.toSorted((a, b) => (a.nodeId < b.nodeId ? -1 : 1))
  const judgements = nodes.map((node) => judge(node, request))
  const byZone = Map.groupBy(
    judgements.filter((judgement) => judgement.fits > 0),
    (judgement) => nodes.find((node) => node.nodeId === judgement.nodeId)!.availabilityZone,
  )
  const room = (zone: readonly Judgement[]) => zone.reduce((sum, judgement) => sum + judgement.fits, 0)
  const zones = [...byZone].toSorted(
    ([aName, a], [bName, b]) => room(b) - room(a) || (aName < bName ? -1 : 1),
  )
  const [zoneName, candidates] = zones[0] ?? [null, []]
  const count = Math.min(request.maxCount, room(candidates))
  const enough = count >= request.minCount && zoneName !== null
  const nodeIds = enough ? choose(candidates, nodes, { count, policy, cursor }) : []
  return {
    nodeIds,
    availabilityZone: enough ? zoneName : null,
    decision: {
      policy,
      request,
      considered: nodes.length,
      placed: nodeIds.length,
      refusals: countReasons(judgements),
      best: judgements.toSorted((a, b) => b.fits - a.fits).slice(0, bestKept),
      cursor,
    },
  }
}

export function judge(node: NodeSnapshot, request: PlacementRequest): Judgement {
  const refusals: RefusalReason[] = []
  if (!node.enabled) refusals.push(node.draining ? 'draining' : 'disabled')
  if (node.silent) refusals.push('silent')
  if (!node.healthy) refusals.push('unhealthy')
  if (request.availabilityZone !== null && request.availabilityZone !== node.availabilityZone)
    refusals.push('other-zone')
  if (request.architecture !== node.architecture) refusals.push('other-architecture')
  const times = (free: number, wanted: number) =>
    wanted > 0 ? Math.floor(free / wanted) : Number.MAX_SAFE_INTEGER
  const byVcpus = times(node.capacity.vcpus - node.used.vcpus, request.vcpus)
  const byMemory = times(node.capacity.memoryMiB - node.used.memoryMiB, request.memoryMiB)
  const byDisk = times(node.capacity.diskGiB - node.used.diskGiB, request.diskGiB)
  if (byVcpus < 1) refusals.push('vcpus')
  if (byMemory < 1) refusals.push('memory')
  if (byDisk < 1) refusals.push('disk')
  const fits = refusals.length > 0 ? 0 : Math.min(byVcpus, byMemory, byDisk)
  return { nodeId: node.nodeId, name: node.name, refusals, fits }
}

function choose(
  candidates: readonly Judgement[],
  nodes: readonly NodeSnapshot[],
  options: { count: number; policy: PlacementPolicy; cursor: string | null },
): string[] {
  const left = new Map(candidates.map((judgement) => [judgement.nodeId, judgement.fits]))
  const use = new Map(
    nodes.map((node) => [node.nodeId, node.used.memoryMiB / Math.max(1, node.capacity.memoryMiB)]),
  )
  const taken: string[] = []
  let last = options.cursor
  while (taken.length < options.count) {
    const open = [...left].filter(([, fits]) => fits > 0).map(([nodeId]) => nodeId)
    const nodeId = pick(open, options.policy, last, (id) => (use.get(id) ?? 0) + occurrences(taken, id))
    taken.push(nodeId)
    left.set(nodeId, left.get(nodeId)! - 1)
    last = nodeId
  }
  return taken
}

function pick(
  open: readonly string[],
  policy: PlacementPolicy,
  last: string | null,
  load: (id: string) => number,
): string {
  switch (policy) {
    case 'round-robin':
      return open.find((id) => last !== null && id > last) ?? open[0]!
    case 'pack':
      return open.reduce((best, id) => (load(id) > load(best) ? id : best))
    case 'spread':
      return open.reduce((best, id) => (load(id) < load(best) ? id : best))
  }
}

function occurrences(list: readonly string[], id: string): number {
  return list.reduce((count, entry) => count + (entry === id ? 1 : 0), 0)
}

function countReasons(judgements: readonly Judgement[]): Partial<Record<RefusalReason, number>> {
  const counts: Partial<Record<RefusalReason, number>> = {}
  for (const judgement of judgements) {
    for (const reason of judgement.refusals) counts[reason] = (counts[reason] ?? 0) + 1
  }
  return counts
}

/** The decision in one sentence, for `InsufficientInstanceCapacity` and for `explain`. */
export function decisionSentence(decision: DecisionRecord): string {
  const reasons = Object.entries(decision.refusals).map(([reason, count]) => `${count} by ${reason}`)
  const refused = reasons.length > 0 ? `; refused: ${reasons.join(', ')}` : ''
  return `${decision.considered} node(s) considered, ${decision.placed} of ${decision.request.maxCount} instance(s) placed${refused}`
}
