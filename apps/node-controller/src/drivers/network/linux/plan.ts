import { blockContains, blockSize, formatCidr, formatIpv4, parseCidr, parseIpv4 } from '@mallee/base'
import type { Ipv4Block } from '@mallee/base'
import type { VpcItem } from '@mallee/agent-contract'
import {
  bridgeName,
  gatewayLink,
  gatewayMac,
  gatewayPort,
  linkLocalNameServer,
  natNamespace,
  peerEnds,
  peerLink,
  routerPort,
  tapName,
  tunnelName,
} from './names.ts'
import { identityAddress, transitAddress, type Numbers } from './numbers.ts'
import { planGroup, type GroupPlan } from './plan-groups.ts'
import { planCapture, type CapturePlan } from './plan-flow-logs.ts'
import {
  planAcls,
  planPeerings,
  planRoutes,
  type AclPlan,
  type PeeringPlan,
  type RoutePlan,
} from './plan-routing.ts'
import { bad, isDomainName, planAddress, planBlock, planMac, planName, word } from './plan-words.ts'

/**
 * The desired network with every name and number that the kernel will know it by. Pure: what is rendered from it
 * (rules, links, routes, DHCP files) and what is measured against it (flows) agree because they read one plan.
 * Everything here was checked, so renderers may put it into texts as it is.
 */
export interface NetworkPlan {
  /** Bytes. */
  readonly mtu: number
  readonly routers: readonly RouterPlan[]
  readonly subnets: readonly SubnetPlan[]
  readonly ports: readonly PortPlan[]
  readonly groups: readonly GroupPlan[]
  readonly captured: readonly CapturePlan[]
}

export interface RouterPlan {
  readonly vpcId: string
  readonly tag: number
  readonly namespace: string
  /** Its link in the node's namespace. */
  readonly port: string
  readonly address: string
  /** Every block of the VPC. */
  readonly cidrs: readonly string[]
  readonly subnets: readonly SubnetPlan[]
  readonly ports: readonly PortPlan[]
  readonly natGateways: readonly NatGatewayPlan[]
  /** Other nodes that send into this VPC. */
  readonly nodes: readonly string[]
  readonly remotes: readonly RemotePlan[]
  /** What this router translates 1:1. */
  readonly published: readonly { readonly privateIp: string; readonly publicIp: string }[]
  readonly peers: readonly PeerPlan[]
  /** Whether who has no public address leaves by the node's. */
  readonly masquerade: boolean
  /** Where guests may ask for names besides their gateway: at the VPC's base plus two, and at a link-local address. */
  readonly nameServers: readonly [string, string]
  readonly dhcp: DhcpPlan
  /** Interfaces of this VPC whose flows are counted. */
  readonly captured: readonly CapturePlan[]
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
  /** The tunnel to other nodes' bridges of this subnet, where there are others: routers there send into it. */
  readonly tunnel: string | null
  /** Where its packets go that leave the VPC; null where all of them leave by the node. */
  readonly routes: readonly RoutePlan[] | null
  /** Null where everything passes. */
  readonly acl: AclPlan | null
}

/** A guest's interface. */
export interface PortPlan {
  readonly interfaceId: string
  readonly tap: string
  readonly mac: string
  readonly subnet: SubnetPlan
  /** Its primary address. */
  readonly privateIp: string
  /** All of its addresses, the primary one first. */
  readonly addresses: readonly AddressPlan[]
  /** What the metadata server sees it as. */
  readonly identity: string
  readonly hostname: string
  readonly publicName: string | null
  readonly hopLimit: number
  /** Whether only its own addresses may come from it and go to it. */
  readonly checked: boolean
  readonly groups: readonly GroupPlan[]
}

export interface AddressPlan {
  readonly privateIp: string
  readonly publicIp: string | null
}

/** An interface that another node has. */
export interface RemotePlan {
  readonly interfaceId: string
  readonly subnet: SubnetPlan
  readonly mac: string
  readonly addresses: readonly string[]
  /** Of the other node, on its uplink. */
  readonly node: string
  readonly hostname: string | null
  readonly publicName: string | null
}

/** A NAT gateway that this node carries: a namespace, plugged into its subnet's bridge as a guest would be. */
export interface NatGatewayPlan {
  readonly natGatewayId: string
  readonly namespace: string
  readonly tap: string
  readonly mac: string
  readonly subnet: SubnetPlan
  readonly privateIp: string
  readonly publicIp: string | null
}

/** The way into another VPC's router on this node. */
export interface PeerPlan {
  readonly peeringId: string
  readonly peerVpcId: string
  readonly peerNamespace: string
  /** The link's end in here, and the one over there. */
  readonly link: string
  readonly peerLink: string
  /** Of both ends; the one of the lower tag has the first. */
  readonly address: string
  readonly peerAddress: string
  readonly cidrs: readonly string[]
}

export interface DhcpPlan {
  /** None: what instances are called by default. Guests are of the first and search in all. */
  readonly domainNames: readonly string[]
  /** Null stands for the subnet's own. */
  readonly nameServers: readonly (string | null)[]
  readonly ntpServers: readonly string[]
  readonly netbiosNameServers: readonly string[]
  readonly netbiosNodeType: number | null
  /** Whether the subnet's own name server answers. */
  readonly ownNames: boolean
}

export interface PlanOptions {
  readonly numbers: Numbers
  /** `NODE-r`: routers bear their VPC's tag behind it. */
  readonly routerPrefix: string
  /** Bytes, of guests' links and everything between. */
  readonly mtu?: number
}

export function planNetwork(items: readonly VpcItem[], options: PlanOptions): NetworkPlan {
  const tags = new Map(items.map((item) => [item.vpcId, item.tag]))
  const planned = items.map((item) => planRouter(item, tags, options))
  const routers = planned.map(({ router }) => router)
  const plan = {
    mtu: options.mtu ?? 1500,
    routers,
    groups: planned.flatMap(({ groups }) => groups),
    subnets: routers.flatMap((router) => router.subnets),
    ports: routers.flatMap((router) => router.ports),
    captured: routers.flatMap((router) => router.captured),
  }
  refuseDuplicates(plan)
  return plan
}

function planRouter(
  item: VpcItem,
  tags: ReadonlyMap<string, number>,
  options: PlanOptions,
): { router: RouterPlan; groups: GroupPlan[] } {
  const groups = new Map(item.securityGroups.map((group) => [group.groupId, planGroup(item, group)]))
  const routes = planRoutes(item)
  const acls = planAcls(item)
  const nodes = [...new Set([...(item.nodes ?? []), ...(item.remotes ?? []).map(({ node }) => node)])]
  const subnets = item.subnets.map((subnet) =>
    planSubnet(subnet, options.numbers, {
      tunnel: nodes.length > 0 ? tunnelName(subnet.tag) : null,
      // One that is named and not described lets nothing out, and nothing through.
      routes: subnet.routeTableId === undefined ? null : (routes.get(subnet.routeTableId) ?? []),
      acl:
        subnet.networkAclId === undefined
          ? null
          : (acls.get(subnet.networkAclId) ?? shut(subnet.networkAclId)),
    }),
  )
  const ports = item.interfaces.map((entry) => planPort(entry, subnets, groups, options.numbers))
  const natGateways = (item.natGateways ?? []).map((entry) => planNatGateway(entry, subnets, options))
  const nameServers = [formatIpv4(parseCidr(planBlock(item.cidr))!.base + 2), linkLocalNameServer] as const
  const router: RouterPlan = {
    vpcId: item.vpcId,
    tag: item.tag,
    namespace: `${options.routerPrefix}${item.tag}`,
    port: routerPort(item.tag),
    address: transitAddress(options.numbers.vpc.of[item.vpcId]!),
    cidrs: (item.cidrs ?? [item.cidr]).map(planBlock),
    subnets,
    ports,
    natGateways,
    nodes: nodes.map(planAddress),
    remotes: (item.remotes ?? []).map((remote) => planRemote(remote, subnets)),
    published: [...ports.flatMap((port) => port.addresses), ...natGateways].flatMap(
      ({ privateIp, publicIp }) => (publicIp === null ? [] : [{ privateIp, publicIp }]),
    ),
    peers: planPeerings(item).flatMap((peering) => {
      const tag = tags.get(peering.peerVpcId)
      return tag === undefined ? [] : [planPeer(peering, item.tag, tag, options.routerPrefix)]
    }),
    masquerade: item.masquerade ?? true,
    nameServers,
    dhcp: planDhcp(item),
    captured: planCapture(item, { ports, natGateways, nameServers }),
  }
  return { router, groups: [...groups.values()] }
}

const shut = (networkAclId: string): AclPlan => ({
  networkAclId: word(networkAclId),
  ingress: [],
  egress: [],
})

function planSubnet(
  subnet: VpcItem['subnets'][number],
  numbers: Numbers,
  ways: Pick<SubnetPlan, 'tunnel' | 'routes' | 'acl'>,
): SubnetPlan {
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
    ...ways,
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
  const subnet = subnetOf(entry, subnets)
  const addresses = [
    { privateIp: entry.privateIp, publicIp: entry.publicIp },
    ...(entry.secondary ?? []),
  ].map(({ privateIp, publicIp }) => ({
    privateIp: hostAddress(id, privateIp, subnet),
    publicIp: publicIp === null ? null : planAddress(publicIp),
  }))
  return {
    interfaceId: id,
    tap: tapName(id),
    mac: planMac(entry.mac),
    subnet,
    privateIp: entry.privateIp,
    addresses,
    identity: identityAddress(numbers.interface.of[id]!),
    hostname: planName(entry.hostname),
    publicName: entry.publicName === undefined ? null : planName(entry.publicName),
    hopLimit: entry.metadataHopLimit,
    checked: entry.sourceDestCheck,
    // A group that is not said has no rules, and lets nothing pass.
    groups: entry.securityGroupIds.flatMap((groupId) => groups.get(groupId) ?? []),
  }
}

function subnetOf(
  entry: { readonly interfaceId: string; readonly subnetId: string },
  subnets: readonly SubnetPlan[],
): SubnetPlan {
  const subnet = subnets.find((candidate) => candidate.subnetId === entry.subnetId)
  if (!subnet) throw bad(`interface ${entry.interfaceId} is in a subnet that its VPC does not have`)
  return subnet
}

function hostAddress(id: string, text: string, subnet: SubnetPlan): string {
  const address = parseIpv4(text)
  if (address === null || !isHostAddress(parseCidr(subnet.cidr)!, address))
    throw bad(`interface ${id} has no address of its subnet`)
  return text
}

function planRemote(
  remote: NonNullable<VpcItem['remotes']>[number],
  subnets: readonly SubnetPlan[],
): RemotePlan {
  const subnet = subnetOf(remote, subnets)
  return {
    interfaceId: word(remote.interfaceId),
    subnet,
    mac: planMac(remote.mac),
    addresses: remote.addresses.map((address) => hostAddress(remote.interfaceId, address, subnet)),
    node: planAddress(remote.node),
    hostname: remote.hostname === undefined ? null : planName(remote.hostname),
    publicName: remote.publicName === undefined ? null : planName(remote.publicName),
  }
}

function planNatGateway(
  entry: NonNullable<VpcItem['natGateways']>[number],
  subnets: readonly SubnetPlan[],
  options: PlanOptions,
): NatGatewayPlan {
  const subnet = subnetOf(entry, subnets)
  return {
    natGatewayId: word(entry.natGatewayId),
    namespace: natNamespace(options.routerPrefix, entry.natGatewayId),
    tap: tapName(word(entry.interfaceId)),
    mac: planMac(entry.mac),
    subnet,
    privateIp: hostAddress(entry.interfaceId, entry.privateIp, subnet),
    publicIp: entry.publicIp === null ? null : planAddress(entry.publicIp),
  }
}

function planPeer(peering: PeeringPlan, tag: number, peerTag: number, routerPrefix: string): PeerPlan {
  const [low, high] = peerEnds
  return {
    ...peering,
    peerNamespace: `${routerPrefix}${peerTag}`,
    link: peerLink(peerTag),
    peerLink: peerLink(tag),
    address: tag < peerTag ? low : high,
    peerAddress: tag < peerTag ? high : low,
  }
}

function planDhcp(item: VpcItem): DhcpPlan {
  const { dhcp } = item
  const ownNames = item.dnsSupport ?? true
  const nodeType = dhcp?.netbiosNodeType ?? null
  return {
    domainNames: (dhcp?.domainName ?? '')
      .split(/\s+/)
      .map((name) => name.toLowerCase())
      // What dnsmasq does not take would keep it from starting, and the whole network from standing.
      .filter(isDomainName),
    nameServers: (dhcp?.domainNameServers ?? ['AmazonProvidedDNS']).flatMap((server) => {
      if (server !== 'AmazonProvidedDNS') return [planAddress(server)]
      return ownNames ? [null] : []
    }),
    ntpServers: (dhcp?.ntpServers ?? []).map(planAddress),
    netbiosNameServers: (dhcp?.netbiosNameServers ?? []).map(planAddress),
    netbiosNodeType: nodeType !== null && /^[1248]$/.test(nodeType) ? Number(nodeType) : null,
    ownNames,
  }
}

/** The first address is the gateway's; network and broadcast address are nobody's. */
function isHostAddress(block: Ipv4Block, address: number): boolean {
  const last = block.base + blockSize(block) - 1
  return blockContains(block, address) && address > block.base + 1 && address < last
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
    plan.routers.flatMap((router) => [...router.ports, ...router.natGateways].map(({ tap }) => tap)),
  )
  once(
    'public address',
    plan.routers.flatMap((router) => router.published.map(({ publicIp }) => publicIp)),
  )
  for (const router of plan.routers)
    once('address', [
      ...router.ports.flatMap((port) => port.addresses.map(({ privateIp }) => privateIp)),
      ...router.natGateways.map(({ privateIp }) => privateIp),
      ...router.remotes.flatMap(({ addresses }) => addresses),
    ])
}
