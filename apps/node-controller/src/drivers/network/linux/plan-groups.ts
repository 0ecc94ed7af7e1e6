import { blockContains, parseCidr, parseIpv4, type Ipv4Block } from '@mallee/base'
import type { FirewallRule, VpcItem } from '@mallee/agent-contract'
import { bad, planBlock, word } from './plan-words.ts'

export interface GroupPlan {
  readonly groupId: string
  readonly ingress: readonly RulePlan[]
  readonly egress: readonly RulePlan[]
}

/** What a rule lets pass; a null matches all. `first`, `last`: ports, or ICMP's type and code. */
export interface RulePlan {
  readonly protocol: number | null
  readonly first: number | null
  readonly last: number | null
  readonly remote: { readonly cidrs: readonly string[] } | PeerSet | null
}

/** The members of a group that rules name; its set in the kernel is shared by all rules that do. */
export interface PeerSet {
  readonly peerGroupId: string
  readonly peers: readonly string[]
}

export function planGroup(item: VpcItem, group: VpcItem['securityGroups'][number]): GroupPlan {
  const plan = (rules: readonly FirewallRule[]) => rules.flatMap((rule) => planRule(item, rule) ?? [])
  return { groupId: word(group.groupId), ingress: plan(group.ingress), egress: plan(group.egress) }
}

/** Null where the rule can match nothing that we carry: IPv6, or a remote of a kind that is not built. */
function planRule(item: VpcItem, rule: FirewallRule): RulePlan | null {
  const protocol = rule.protocol === '-1' ? null : Number(rule.protocol)
  if (protocol !== null && !(Number.isInteger(protocol) && protocol >= 0 && protocol <= 255))
    throw bad(`a rule names the protocol ${JSON.stringify(rule.protocol)}`)
  if (protocol === 58) return null
  const remote = planRemote(item, rule)
  if (remote === undefined) return null
  const orAll = (value: number) => (value === -1 ? null : value)
  if (protocol === 1) return { protocol, first: orAll(rule.fromPort), last: orAll(rule.toPort), remote }
  const ported = (protocol === 6 || protocol === 17) && rule.fromPort !== -1
  return { protocol, first: ported ? rule.fromPort : null, last: ported ? rule.toPort : null, remote }
}

function planRemote(item: VpcItem, rule: FirewallRule): RulePlan['remote'] | undefined {
  if (rule.peerGroupId !== null) {
    const peers = (item.peerAddresses[rule.peerGroupId] ?? []).toSorted()
    if (peers.some((peer) => parseIpv4(peer) === null)) throw bad(`${rule.peerGroupId} has a bad member`)
    return { peerGroupId: word(rule.peerGroupId), peers }
  }
  const cidrs = (rule.cidrs ?? [rule.cidr ?? ':']).filter((cidr) => !cidr.includes(':')).map(planBlock)
  if (cidrs.length === 0) return undefined
  return cidrs.some((cidr) => cidr.endsWith('/0')) ? null : { cidrs: disjoint(cidrs) }
}

/** Without those that another contains, which nft refuses to have in one set. */
function disjoint(cidrs: readonly string[]): string[] {
  const blocks = [...new Set(cidrs)].map((cidr) => ({ cidr, block: parseCidr(cidr)! }))
  const within = (inner: Ipv4Block, outer: Ipv4Block) =>
    inner.prefixLength > outer.prefixLength && blockContains(outer, inner.base)
  return blocks
    .filter(({ block }) => !blocks.some((other) => within(block, other.block)))
    .map(({ cidr }) => cidr)
}
