import { blockContains, blockSize, formatCidr, formatIpv4, parseCidr, parseIpv4 } from '@mallee/base'
import type { Ipv4Block } from '@mallee/base'
import type { FirewallRule, VpcItem } from '@mallee/agent-contract'
import { fatal } from '../../../node-error.ts'
import { bridgeName, gatewayLink, gatewayMac, gatewayPort, routerPort, tapName } from './names.ts'
import { identityAddress, transitAddress, type Numbers } from './numbers.ts'

/**
 * The desired network with every name and number that the kernel will know it by. Pure: what is rendered from it
 * (rules, links, routes, DHCP files) and what is measured against it (flows) agree because they read one plan.
 * Everything here was checked, so renderers may put it into texts as it is.
 */
export interface NetworkPlan {
  readonly routers: readonly RouterPlan[]
  readonly subnets: readonly SubnetPlan[]
  readonly ports: readonly PortPlan[]
  readonly groups: readonly GroupPlan[]
}

export interface RouterPlan {
  readonly vpcId: string
  readonly tag: number
  readonly namespace: string
  /** Its link in the node's namespace. */
  readonly port: string
  readonly address: string
  readonly subnets: readonly SubnetPlan[]
  readonly ports: readonly PortPlan[]
}

export interface SubnetPlan {
  readonly subnetId: string
  readonly tag: number
  readonly cidr: string
  readonly prefixLength: number
  readonly gateway: string
  readonly bridge: string
  readonly gatewayPort: string
  readonly gatewayLink: string
  readonly gatewayMac: string
  /** Conntrack zone of everything that crosses this bridge. */
  readonly zone: number
}

/** A guest's interface. */
export interface PortPlan {
  readonly interfaceId: string
  readonly tap: string
  readonly mac: string
  readonly subnet: SubnetPlan
  readonly privateIp: string
  readonly publicIp: string | null
  /** What the metadata server sees it as. */
  readonly identity: string
  readonly hostname: string
  readonly hopLimit: number
  /** Whether only its own address may come from it and go to it. */
  readonly checked: boolean
  readonly groups: readonly GroupPlan[]
}

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
  readonly remote: { readonly cidr: string } | PeerSet | null
}

/** The members of a group that rules name; its set in the kernel is shared by all rules that do. */
export interface PeerSet {
  readonly peerGroupId: string
  readonly peers: readonly string[]
}

export function planNetwork(
  items: readonly VpcItem[],
  options: { numbers: Numbers; routerPrefix: string },
): NetworkPlan {
  const routers: RouterPlan[] = []
  const groups: GroupPlan[] = []
  for (const item of items) {
    const ofVpc = new Map(item.securityGroups.map((group) => [group.groupId, planGroup(item, group)]))
    groups.push(...ofVpc.values())
    const subnets = item.subnets.map((subnet) => planSubnet(subnet, options.numbers))
    routers.push({
      vpcId: item.vpcId,
      tag: item.tag,
      namespace: `${options.routerPrefix}${item.tag}`,
      port: routerPort(item.tag),
      address: transitAddress(options.numbers.vpc.of[item.vpcId]!),
      subnets,
      ports: item.interfaces.map((entry) => planPort(entry, subnets, ofVpc, options.numbers)),
    })
  }
  const plan = {
    routers,
    groups,
    subnets: routers.flatMap((router) => router.subnets),
    ports: routers.flatMap((router) => router.ports),
  }
  refuseDuplicates(plan)
  return plan
}

function planSubnet(subnet: VpcItem['subnets'][number], numbers: Numbers): SubnetPlan {
  const block = parseCidr(subnet.cidr)
  if (!block || block.prefixLength > 29) throw bad(`subnet ${subnet.subnetId} has no usable block`)
  return {
    subnetId: word(subnet.subnetId),
    tag: subnet.tag,
    cidr: formatCidr(block),
    prefixLength: block.prefixLength,
    gateway: formatIpv4(block.base + 1),
    bridge: bridgeName(subnet.tag),
    gatewayPort: gatewayPort(subnet.tag),
    gatewayLink: gatewayLink(subnet.tag),
    gatewayMac: gatewayMac(subnet.tag),
    zone: numbers.subnet.of[subnet.subnetId]!,
  }
}

type Interface = VpcItem['interfaces'][number]

function planPort(
  entry: Interface,
  subnets: readonly SubnetPlan[],
  groups: ReadonlyMap<string, GroupPlan>,
  numbers: Numbers,
): PortPlan {
  const id = word(entry.interfaceId)
  const subnet = subnets.find((candidate) => candidate.subnetId === entry.subnetId)
  if (!subnet) throw bad(`interface ${id} is in a subnet that its VPC does not have`)
  const address = parseIpv4(entry.privateIp)
  if (address === null || !isHostAddress(parseCidr(subnet.cidr)!, address))
    throw bad(`interface ${id} has no address of its subnet`)
  if (entry.publicIp !== null && parseIpv4(entry.publicIp) === null)
    throw bad(`interface ${id} has a public address that is none`)
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(entry.mac)) throw bad(`interface ${id} has no MAC address`)
  if (!/^[a-z0-9.-]{1,253}$/.test(entry.hostname)) throw bad(`interface ${id} has an unusable host name`)
  return {
    interfaceId: id,
    tap: tapName(id),
    mac: entry.mac,
    subnet,
    privateIp: entry.privateIp,
    publicIp: entry.publicIp,
    identity: identityAddress(numbers.interface.of[id]!),
    hostname: entry.hostname,
    hopLimit: entry.metadataHopLimit,
    checked: entry.sourceDestCheck,
    // A group that is not said has no rules, and lets nothing pass.
    groups: entry.securityGroupIds.flatMap((groupId) => groups.get(groupId) ?? []),
  }
}

/** The first address is the gateway's; network and broadcast address are nobody's. */
function isHostAddress(block: Ipv4Block, address: number): boolean {
  const last = block.base + blockSize(block) - 1
  return blockContains(block, address) && address > block.base + 1 && address < last
}

function planGroup(item: VpcItem, group: VpcItem['securityGroups'][number]): GroupPlan {
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
  if (rule.cidr === null || rule.cidr.includes(':')) return undefined
  const block = parseCidr(rule.cidr)
  if (!block) throw bad(`a rule names the block ${JSON.stringify(rule.cidr)}`)
  return block.prefixLength === 0 ? null : { cidr: formatCidr(block) }
}

function refuseDuplicates(plan: NetworkPlan): void {
  const once = (what: string, values: readonly (string | number)[]) => {
    const seen = new Set<string | number>()
    for (const value of values) {
      if (seen.has(value)) throw bad(`${what} ${value} is given twice`)
      seen.add(value)
    }
  }
  once(
    'VPC tag',
    plan.routers.map((router) => router.tag),
  )
  once(
    'subnet tag',
    plan.subnets.map((subnet) => subnet.tag),
  )
  once(
    'subnet',
    plan.subnets.map((subnet) => subnet.subnetId),
  )
  once(
    'group',
    plan.groups.map((group) => group.groupId),
  )
  once(
    'tap',
    plan.ports.map((port) => port.tap),
  )
  once(
    'public address',
    plan.ports.flatMap((port) => port.publicIp ?? []),
  )
  for (const router of plan.routers)
    once(
      'address',
      router.ports.map((port) => port.privateIp),
    )
}

/** Ids become parts of names in rule sets and paths. */
function word(id: string): string {
  if (!/^[a-z][a-z0-9-]{1,63}$/.test(id)) throw bad(`${JSON.stringify(id)} is no id`)
  return id
}

function bad(reason: string) {
  return fatal('BadNetwork', `The network cannot be made: ${reason}.`)
}
