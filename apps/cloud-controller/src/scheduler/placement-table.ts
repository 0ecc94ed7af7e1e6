import {
  groupRule,
  seatGroup,
  type GroupRule,
  type NextNode,
  type PlacementGroupUse,
  type Seat,
} from './group-placement.ts'
import type {
  DecisionRecord,
  Judgement,
  NodeSnapshot,
  Placement,
  PlacementPolicy,
  PlacementRequest,
  RefusalReason,
} from './judge-node.ts'
import { judge } from './judge-node.ts'

const bestKept = 10
/** Requests differ in few ways (instance type, architecture); judgements of this many are kept. */
const maxShapes = 64

export interface PlanOptions {
  readonly request: PlacementRequest
  readonly policy: PlacementPolicy
  readonly cursor: string | null
  /** The placement group that the instances are for. */
  readonly group?: PlacementGroupUse | null
}

/** How every node is judged by requests of one shape, whatever zone they name; positions are those of the table. */
interface Shape {
  readonly request: PlacementRequest
  readonly fits: Float64Array
  readonly refusals: (readonly RefusalReason[])[]
  readonly roomByZone: Map<string, number>
  readonly reasons: Map<RefusalReason, number>
}

/**
 * Placement: a snapshot of the nodes and a request give the nodes taken, or none, and the record of why. It runs inside
 * the transaction that claims the capacity, so what it saw free is free. The record keeps counts per reason and the ten
 * best nodes; `explain` recomputes the rest (DECISIONS 28).
 *
 * The table holds all nodes, ready for placement: a change of one node costs one judgement for each shape of request that
 * is in use, and a placement reads arrays of numbers. Pure but for its own memory.
 */
export class PlacementTable {
  private readonly nodes = new Map<string, NodeSnapshot>()
  private order: NodeSnapshot[] = []
  private positions = new Map<string, number>()
  private isSorted = true
  private readonly shapes = new Map<string, Shape>()
  private readonly nodesByZone = new Map<string, number>()

  get(nodeId: string): NodeSnapshot | undefined {
    return this.nodes.get(nodeId)
  }

  set(node: NodeSnapshot): void {
    const before = this.nodes.get(node.nodeId)
    this.nodes.set(node.nodeId, node)
    if (!before || before.availabilityZone !== node.availabilityZone) return this.unsort()
    const position = this.positions.get(node.nodeId)
    if (!this.isSorted || position === undefined) return
    this.order[position] = node
    for (const shape of this.shapes.values()) rejudge(shape, position, before, node)
  }

  delete(nodeId: string): void {
    if (this.nodes.delete(nodeId)) this.unsort()
  }

  clear(): void {
    this.nodes.clear()
    this.unsort()
  }

  plan(options: PlanOptions): Placement {
    this.sort()
    const { request, policy, cursor } = options
    const shape = this.shapeFor(request)
    if (options.group) return this.planInGroup(shape, options, options.group)
    const zone = request.availabilityZone ?? roomiest(shape)
    const room = zone === null ? 0 : (shape.roomByZone.get(zone) ?? 0)
    const count = Math.min(request.maxCount, room)
    const enough = zone !== null && count > 0 && count >= request.minCount
    const nodeIds = enough ? this.choose(shape, { zone, count, policy, cursor }) : []
    return {
      nodeIds,
      partitions: nodeIds.map(() => null),
      availabilityZone: enough ? zone : null,
      decision: this.decisionOf(shape, options, nodeIds.length),
    }
  }

  /** Among the zones that will do, the one that takes most of the instances, a cluster on the fewest nodes. */
  private planInGroup(shape: Shape, options: PlanOptions, group: PlacementGroupUse): Placement {
    const { request, policy, cursor } = options
    let best: { zone: string; seats: Seat[] } | null = null
    for (const zone of zonesByRoom(shape)) {
      if (request.availabilityZone !== null && zone !== request.availabilityZone) continue
      const next = this.nextNode(policy, cursor)
      const seats = seatGroup(group, this.candidatesIn(shape, zone), { count: request.maxCount, next })
      const more = seats.length - (best?.seats.length ?? 0)
      const nearer =
        group.strategy === 'cluster' && best !== null && spreadOver(seats) < spreadOver(best.seats)
      if (more > 0 || (more === 0 && nearer)) best = { zone, seats }
    }
    const seats = best && best.seats.length >= request.minCount ? best.seats : []
    return {
      nodeIds: seats.map((seat) => this.order[seat.position]!.nodeId),
      partitions: seats.map((seat) => seat.partition),
      availabilityZone: seats.length > 0 ? best!.zone : null,
      decision: this.decisionOf(shape, options, seats.length),
    }
  }

  private candidatesIn(shape: Shape, zone: string) {
    return this.order.flatMap((node, position) =>
      node.availabilityZone === zone && shape.fits[position]! > 0
        ? [{ position, nodeId: node.nodeId, availabilityZone: zone, fits: shape.fits[position]! }]
        : [],
    )
  }

  /** The policy as a choice after the other, each of which counts for the next. */
  private nextNode(policy: PlacementPolicy, begin: string | null): NextNode {
    const taken = new Map<number, number>()
    let cursor = begin
    return (open) => {
      const position =
        policy === 'round-robin'
          ? this.nextAfter(cursor, open)
          : this.byLoad(policy, open, (at) => taken.get(at) ?? 0)
      if (position === null) return null
      taken.set(position, (taken.get(position) ?? 0) + 1)
      cursor = this.order[position]!.nodeId
      return position
    }
  }

  private unsort(): void {
    this.isSorted = false
    this.shapes.clear()
  }

  private sort(): void {
    if (this.isSorted) return
    this.order = [...this.nodes.values()].toSorted((a, b) => (a.nodeId < b.nodeId ? -1 : 1))
    this.positions = new Map(this.order.map((node, position) => [node.nodeId, position]))
    this.nodesByZone.clear()
    for (const { availabilityZone } of this.order)
      this.nodesByZone.set(availabilityZone, (this.nodesByZone.get(availabilityZone) ?? 0) + 1)
    this.isSorted = true
  }

  private shapeFor(request: PlacementRequest): Shape {
    const key = JSON.stringify([request.architecture, request.vcpus, request.memoryMiB, request.diskGiB])
    let shape = this.shapes.get(key)
    this.shapes.delete(key)
    if (!shape) {
      shape = {
        request: { ...request, minCount: 1, maxCount: 1, availabilityZone: null },
        fits: new Float64Array(this.order.length),
        refusals: Array.from({ length: this.order.length }, () => []),
        roomByZone: new Map(),
        reasons: new Map(),
      }
      for (const [position, node] of this.order.entries()) rejudge(shape, position, null, node)
    }
    this.shapes.set(key, shape) // last used, last in order
    if (this.shapes.size > maxShapes) this.shapes.delete(this.shapes.keys().next().value!)
    return shape
  }

  /** One node after the other as the policy says; what this plan takes counts, and nothing of it is kept. */
  private choose(
    shape: Shape,
    options: { zone: string; count: number; policy: PlacementPolicy; cursor: string | null },
  ): string[] {
    const { zone, count, policy } = options
    const taken = new Map<number, number>()
    const open = (position: number) =>
      this.order[position]!.availabilityZone === zone &&
      shape.fits[position]! - (taken.get(position) ?? 0) > 0
    const chosen: string[] = []
    let cursor = options.cursor
    while (chosen.length < count) {
      const position =
        policy === 'round-robin'
          ? this.nextAfter(cursor, open)
          : this.byLoad(policy, open, (at) => taken.get(at) ?? 0)
      if (position === null) throw new RangeError('no node is open')
      taken.set(position, (taken.get(position) ?? 0) + 1)
      cursor = this.order[position]!.nodeId
      chosen.push(cursor)
    }
    return chosen
  }

  private nextAfter(cursor: string | null, open: (position: number) => boolean): number | null {
    const length = this.order.length
    const start = cursor === null ? 0 : firstAfter(this.order, cursor)
    for (let step = 0; step < length; step += 1) {
      const position = (start + step) % length
      if (open(position)) return position
    }
    return null
  }

  /** The fullest node for pack, the emptiest for spread; each instance that this plan gave a node weighs more. */
  private byLoad(
    policy: 'pack' | 'spread',
    open: (position: number) => boolean,
    taken: (position: number) => number,
  ): number | null {
    let best = -1
    let bestLoad = 0
    for (let position = 0; position < this.order.length; position += 1) {
      if (!open(position)) continue
      const { used, capacity } = this.order[position]!
      const load = used.memoryMiB / Math.max(1, capacity.memoryMiB) + taken(position)
      if (best === -1 || (policy === 'pack' ? load > bestLoad : load < bestLoad)) {
        best = position
        bestLoad = load
      }
    }
    return best === -1 ? null : best
  }

  private decisionOf(shape: Shape, options: PlanOptions, placed: number): DecisionRecord {
    const { request, policy, cursor, group } = options
    const zone = request.availabilityZone
    const elsewhere = zone === null ? 0 : this.order.length - (this.nodesByZone.get(zone) ?? 0)
    const refusals: Partial<Record<RefusalReason, number>> = {}
    for (const [reason, count] of shape.reasons) if (count > 0) refusals[reason] = count
    if (elsewhere > 0) refusals['other-zone'] = elsewhere
    const allows = group ? groupRule(group) : null
    const kept = allows ? this.order.filter((node) => !allows(node.nodeId, node.availabilityZone)).length : 0
    if (kept > 0) refusals['placement-group'] = kept
    return {
      policy,
      request,
      considered: this.order.length,
      placed,
      refusals,
      best: this.best(shape, zone, allows),
      cursor,
      ...(group
        ? {
            group: {
              id: group.id,
              strategy: group.strategy,
              partition: group.partition,
              members: group.members.length,
            },
          }
        : {}),
    }
  }

  private best(shape: Shape, zone: string | null, allows: GroupRule | null): Judgement[] {
    const isElsewhere = (node: NodeSnapshot) => zone !== null && node.availabilityZone !== zone
    const isKept = (node: NodeSnapshot) => allows !== null && !allows(node.nodeId, node.availabilityZone)
    const isRestricted = zone !== null || allows !== null // most requests are not, and 10,000 nodes are many
    const top: { position: number; fits: number }[] = []
    for (let position = 0; position < this.order.length; position += 1) {
      const isOut = isRestricted && (isElsewhere(this.order[position]!) || isKept(this.order[position]!))
      const fits = isOut ? 0 : shape.fits[position]!
      if (top.length === bestKept && fits <= top[bestKept - 1]!.fits) continue
      let at = top.length
      while (at > 0 && top[at - 1]!.fits < fits) at -= 1
      top.splice(at, 0, { position, fits })
      if (top.length > bestKept) top.pop()
    }
    return top.map(({ position, fits }) => {
      const node = this.order[position]!
      const refusals = [
        ...shape.refusals[position]!,
        ...(isElsewhere(node) ? (['other-zone'] as const) : []),
        ...(isKept(node) ? (['placement-group'] as const) : []),
      ]
      return { nodeId: node.nodeId, name: node.name, refusals, fits }
    })
  }
}

function rejudge(shape: Shape, position: number, before: NodeSnapshot | null, node: NodeSnapshot): void {
  const zone = node.availabilityZone
  const add = (reason: RefusalReason, by: number) =>
    shape.reasons.set(reason, (shape.reasons.get(reason) ?? 0) + by)
  if (before) for (const reason of shape.refusals[position]!) add(reason, -1)
  const { fits, refusals } = judge(node, shape.request)
  for (const reason of refusals) add(reason, 1)
  shape.roomByZone.set(zone, (shape.roomByZone.get(zone) ?? 0) + fits - shape.fits[position]!)
  shape.fits[position] = fits
  shape.refusals[position] = refusals
}

/** The zone with most room, the first by name of several; null where there is room in none. */
function roomiest(shape: Shape): string | null {
  let best: string | null = null
  let most = 0
  for (const [zone, room] of shape.roomByZone) {
    if (room > most || (room === most && room > 0 && best !== null && zone < best)) {
      best = zone
      most = room
    }
  }
  return best
}

/** The zones with room, the one with most first. */
function zonesByRoom(shape: Shape): string[] {
  return [...shape.roomByZone]
    .filter(([, room]) => room > 0)
    .toSorted(([zoneA, a], [zoneB, b]) => b - a || (zoneA < zoneB ? -1 : 1))
    .map(([zone]) => zone)
}

function spreadOver(seats: readonly Seat[]): number {
  return new Set(seats.map((seat) => seat.position)).size
}

/** The position of the first node whose id is greater, by halving. */
function firstAfter(order: readonly NodeSnapshot[], nodeId: string): number {
  let low = 0
  let high = order.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (order[middle]!.nodeId > nodeId) high = middle
    else low = middle + 1
  }
  return low
}
