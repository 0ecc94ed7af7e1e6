import type { AclEntry, VpcItem, VpcRoute } from '@mallee/agent-contract'
import { bad, planAddress, planBlock, word } from './plan-words.ts'

/** Where a router's packets of one subnet go, besides to its VPC's own subnets. */
export interface RoutePlan {
  readonly destination: string
  /** `up`: to the outside by this node. `hop`: to an interface of the VPC. `peer`: into the router of another VPC. */
  readonly target:
    | { readonly kind: 'up' | 'blackhole' }
    | { readonly kind: 'hop'; readonly address: string; readonly subnetId: string }
    | { readonly kind: 'peer'; readonly peeringId: string }
}

export interface AclPlan {
  readonly networkAclId: string
  readonly ingress: readonly AclEntryPlan[]
  readonly egress: readonly AclEntryPlan[]
}

/** A null matches all; `first` and `last` are ports, or ICMP's type and code. */
export interface AclEntryPlan {
  readonly allow: boolean
  readonly protocol: number | null
  readonly first: number | null
  readonly last: number | null
  readonly cidr: string
}

export interface PeeringPlan {
  readonly peeringId: string
  readonly peerVpcId: string
  /** The blocks at the other end. */
  readonly cidrs: readonly string[]
}

/** The routes of each table; a route whose target this node knows nothing of leads nowhere, and is not left out. */
export function planRoutes(item: VpcItem): ReadonlyMap<string, readonly RoutePlan[]> {
  const subnets = new Set(item.subnets.map((subnet) => subnet.subnetId))
  const peerings = new Set((item.peerings ?? []).map((peering) => peering.peeringId))
  const plan = (route: VpcRoute): RoutePlan => {
    const destination = planBlock(route.destination)
    const nowhere = { destination, target: { kind: 'blackhole' as const } }
    switch (route.target) {
      case 'internet-gateway':
        return { destination, target: { kind: 'up' } }
      case 'nat-gateway':
      case 'network-interface':
        if (route.via === undefined || !subnets.has(route.viaSubnetId ?? '')) return nowhere
        return {
          destination,
          target: { kind: 'hop', address: planAddress(route.via), subnetId: route.viaSubnetId! },
        }
      case 'vpc-peering-connection':
        if (!peerings.has(route.peeringId ?? '')) return nowhere
        return { destination, target: { kind: 'peer', peeringId: route.peeringId! } }
      case 'blackhole':
        return nowhere
    }
  }
  return new Map((item.routeTables ?? []).map((table) => [table.routeTableId, table.routes.map(plan)]))
}

export function planAcls(item: VpcItem): ReadonlyMap<string, AclPlan> {
  return new Map(
    (item.networkAcls ?? []).map((acl) => [
      acl.networkAclId,
      {
        networkAclId: word(acl.networkAclId),
        ingress: acl.ingress.flatMap(planEntry),
        egress: acl.egress.flatMap(planEntry),
      },
    ]),
  )
}

/** None where the entry speaks of IPv6, which nothing carries. */
function planEntry(entry: AclEntry): AclEntryPlan[] {
  if (entry.cidr.includes(':')) return []
  const protocol = entry.protocol === '-1' ? null : Number(entry.protocol)
  if (protocol !== null && !(Number.isInteger(protocol) && protocol >= 0 && protocol <= 255))
    throw bad(`an entry of a network ACL names the protocol ${JSON.stringify(entry.protocol)}`)
  const orAll = (value: number) => (value === -1 ? null : value)
  const counted = protocol === 1 || protocol === 6 || protocol === 17
  return [
    {
      allow: entry.allow,
      protocol,
      first: counted ? orAll(entry.fromPort) : null,
      last: counted ? orAll(entry.toPort) : null,
      cidr: planBlock(entry.cidr),
    },
  ]
}

export function planPeerings(item: VpcItem): PeeringPlan[] {
  return (item.peerings ?? []).map((peering) => ({
    peeringId: word(peering.peeringId),
    peerVpcId: word(peering.vpcId),
    cidrs: peering.cidrs.map(planBlock),
  }))
}
