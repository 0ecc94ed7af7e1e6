/** What placement speaks of, and how one node is judged by one request. Pure. */
import type { GroupRule, GroupStrategy } from './group-placement.ts'

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
  | 'placement-group'

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
  /** The group that it was placed in, as it was then. */
  readonly group?: {
    readonly id: string
    readonly strategy: GroupStrategy
    readonly partition: number | null
    readonly members: number
  }
}

export interface Placement {
  /** One node per instance; empty where fewer than `minCount` fit. */
  readonly nodeIds: readonly string[]
  /** The partition of each; null outside partition groups. */
  readonly partitions: readonly (number | null)[]
  readonly availabilityZone: string | null
  readonly decision: DecisionRecord
}

/** `allows` is the rule of the placement group that the request is for. */
export function judge(
  node: NodeSnapshot,
  request: PlacementRequest,
  allows: GroupRule | null = null,
): Judgement {
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
  if (allows && !allows(node.nodeId, node.availabilityZone)) refusals.push('placement-group')
  const fits = refusals.length > 0 ? 0 : Math.min(byVcpus, byMemory, byDisk)
  return { nodeId: node.nodeId, name: node.name, refusals, fits }
}

/** The decision in one sentence, for `InsufficientInstanceCapacity` and for `explain`. */
export function decisionSentence(decision: DecisionRecord): string {
  const reasons = Object.entries(decision.refusals).map(([reason, count]) => `${count} by ${reason}`)
  const refused = reasons.length > 0 ? `; refused: ${reasons.join(', ')}` : ''
  return `${decision.considered} node(s) considered, ${decision.placed} of ${decision.request.maxCount} instance(s) placed${refused}`
}
