/**
 * What a placement group asks of the nodes, counted from where its instances are. "Hardware" is a node here: the cloud
 * knows of no racks.
 *
 * - spread: no two instances of the group on one node, and seven of them at most in a zone, as on AWS.
 * - cluster: one zone. AWS promises nearness in the network and no node; the nearest is one node, so the nodes that hold
 *   most of the group are filled first, then one that takes all the rest, and only then several. Whatever the zone has
 *   room for is placed: a launch is not refused because it is spread over two nodes.
 * - partition: no node serves two partitions. A partition keeps to the nodes that it has until they are full, so that one
 *   partition does not take the nodes that the others will need; where no number is asked for, each instance goes to
 *   the partition that has fewest.
 */
export type GroupStrategy = 'cluster' | 'spread' | 'partition'

export interface GroupMember {
  readonly nodeId: string
  readonly availabilityZone: string
  readonly partition: number | null
}

/** A group as the launching transaction finds it. */
export interface PlacementGroupUse {
  readonly id: string
  readonly strategy: GroupStrategy
  /** Of a partition group, how many it has, and which is asked for; null where any will do. */
  readonly partitionCount: number
  readonly partition: number | null
  /** Instances that are not terminated. */
  readonly members: readonly GroupMember[]
}

/** AWS's limit for a spread group: running instances of it in one zone. */
export const spreadMembersPerZone = 7

export interface Candidate {
  readonly position: number
  readonly nodeId: string
  readonly availabilityZone: string
  /** How many instances of the request fit, the group left aside. */
  readonly fits: number
}

/** One instance placed. */
export interface Seat {
  readonly position: number
  readonly partition: number | null
}

/** The policy's choice among the open nodes; null where none is. */
export type NextNode = (open: (position: number) => boolean) => number | null

/** Whether the group, as it stands, lets one more instance onto a node. */
export type GroupRule = (nodeId: string, availabilityZone: string) => boolean

export function groupRule(group: Pick<PlacementGroupUse, 'strategy' | 'partition' | 'members'>): GroupRule {
  const { members, strategy, partition } = group
  if (strategy === 'cluster') {
    const zones = new Set(members.map((member) => member.availabilityZone))
    return (_nodeId, zone) => zones.size === 0 || zones.has(zone)
  }
  if (strategy === 'spread') {
    const nodes = new Set(members.map((member) => member.nodeId))
    const inZone = Map.groupBy(members, (member) => member.availabilityZone)
    return (nodeId, zone) => !nodes.has(nodeId) && (inZone.get(zone)?.length ?? 0) < spreadMembersPerZone
  }
  const owners = new Map(members.map((member) => [member.nodeId, member.partition]))
  return (nodeId) => partition === null || (owners.get(nodeId) ?? partition) === partition
}

/** Up to `count` seats on the candidates, all of one zone. */
export function seatGroup(
  group: PlacementGroupUse,
  candidates: readonly Candidate[],
  options: { count: number; next: NextNode },
): Seat[] {
  const allows = groupRule(group)
  const open = candidates.filter((node) => node.fits > 0 && allows(node.nodeId, node.availabilityZone))
  if (open.length === 0) return []
  if (group.strategy === 'spread') return seatSpread(group, open, options)
  if (group.strategy === 'cluster') return seatCluster(group, open, options.count)
  return seatPartitions(group, open, options)
}

function seatSpread(
  group: PlacementGroupUse,
  open: readonly Candidate[],
  { count, next }: { count: number; next: NextNode },
): Seat[] {
  const zone = open[0]!.availabilityZone
  const present = group.members.filter((member) => member.availabilityZone === zone).length
  const free = new Set(open.map((node) => node.position))
  const seats: Seat[] = []
  while (seats.length < Math.min(count, spreadMembersPerZone - present)) {
    const position = next((at) => free.has(at))
    if (position === null) break
    free.delete(position)
    seats.push({ position, partition: null })
  }
  return seats
}

function seatCluster(group: PlacementGroupUse, open: readonly Candidate[], count: number): Seat[] {
  const members = Map.groupBy(group.members, (member) => member.nodeId)
  const held = (node: Candidate) => members.get(node.nodeId)?.length ?? 0
  const seats: Seat[] = []
  const rest = new Set(open)
  while (seats.length < count && rest.size > 0) {
    const wanted = count - seats.length
    // by what they hold of the group, then by how much of the rest they take, then by their order
    const [node] = [...rest].toSorted(
      (a, b) => held(b) - held(a) || Math.min(b.fits, wanted) - Math.min(a.fits, wanted),
    )
    rest.delete(node!)
    const taken = Math.min(node!.fits, wanted)
    for (let seat = 0; seat < taken; seat += 1) seats.push({ position: node!.position, partition: null })
  }
  return seats
}

function seatPartitions(
  group: PlacementGroupUse,
  open: readonly Candidate[],
  { count, next }: { count: number; next: NextNode },
): Seat[] {
  const numbers =
    group.partition === null
      ? Array.from({ length: group.partitionCount }, (_none, index) => index + 1)
      : [group.partition]
  const sizes = new Map(numbers.map((number) => [number, 0]))
  const owners = new Map<string, number>()
  for (const { nodeId, partition } of group.members) {
    if (partition === null) continue
    owners.set(nodeId, partition)
    sizes.set(partition, (sizes.get(partition) ?? 0) + 1)
  }
  const left = new Map(open.map((node) => [node.position, node.fits]))
  const byPosition = new Map(open.map((node) => [node.position, node]))
  const ownerOf = (position: number) => owners.get(byPosition.get(position)!.nodeId)
  const nodeFor = (owner: number | undefined) =>
    next((at) => (left.get(at) ?? 0) > 0 && ownerOf(at) === owner)
  const seatIn = (partition: number): Seat | null => {
    const position = nodeFor(partition) ?? nodeFor(undefined)
    return position === null ? null : { position, partition }
  }
  const seats: Seat[] = []
  while (seats.length < count) {
    const smallestFirst = numbers.toSorted((a, b) => sizes.get(a)! - sizes.get(b)! || a - b)
    const seat = firstOf(smallestFirst, seatIn)
    if (!seat) break
    const partition = seat.partition!
    owners.set(byPosition.get(seat.position)!.nodeId, partition)
    sizes.set(partition, sizes.get(partition)! + 1)
    left.set(seat.position, left.get(seat.position)! - 1)
    seats.push(seat)
  }
  return seats
}

function firstOf<T, R>(things: readonly T[], find: (thing: T) => R | null): R | null {
  for (const thing of things) {
    const found = find(thing)
    if (found !== null) return found
  }
  return null
}
