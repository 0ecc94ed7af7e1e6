import { blockContains, parseCidr, parseIpv4 } from '@mallee/base'
import { refuseForeignBridge, refuseForeignPort } from './foreign-links.ts'
import { bridgeMac, linkAlias, metadataHost, routeProtocol, routerUplink } from './names.ts'
import { natGatewaysOf, natLinks } from './nat-gateway.ts'
import { freshTunnels, tunnelLinks } from './overlay.ts'
import type { ObservedLink } from './parse.ts'
import type { NetworkPlan, RouterPlan, SubnetPlan } from './plan.ts'

/**
 * Bridges, routers' namespaces, the links between and the routes to them: what is lacking and what is too much, in
 * lines for `ip -batch`. Pure. Nothing that stands as it should is touched. Links without our word in their alias are
 * never removed.
 */
export interface ObservedNode {
  readonly links: readonly ObservedLink[]
  readonly routers: readonly string[]
  /** Namespaces of NAT gateways. */
  readonly natGateways: readonly string[]
  readonly routes: readonly string[]
}

export interface LinkChanges {
  /** In the node's namespace, first. */
  readonly add: readonly string[]
  /** In the node's namespace, last. */
  readonly remove: readonly string[]
  /** Namespaces that no VPC has any more; what runs in them must be ended before. */
  readonly deadRouters: readonly string[]
  /** Namespaces of routers and NAT gateways that are new or got a new link. */
  readonly touched: ReadonlySet<string>
  /** Tunnels that are new. */
  readonly freshTunnels: ReadonlySet<string>
}

export function linkChanges(
  plan: NetworkPlan,
  observed: ObservedNode,
  options: { publicPool: string | null; nodeAddress: string },
): LinkChanges {
  const { publicPool } = options
  const present = new Map(observed.links.map((link) => [link.name, link]))
  const routersThere = new Set(observed.routers)
  const add: string[] = []
  const touched = new Set<string>()
  for (const router of plan.routers) {
    const isNew = !routersThere.has(router.namespace)
    refuseForeignPort(present.get(router.port))
    const links = [router.port, ...router.subnets.map((subnet) => subnet.gatewayPort)]
    if (isNew || links.some((link) => !present.has(link))) touched.add(router.namespace)
    if (isNew) add.push(`netns add ${router.namespace}`)
    if (!present.get(router.port) || isNew) {
      const pair = `link add ${router.port} type veth peer name ${routerUplink} netns ${router.namespace}`
      add.push(pair, ...dressed(router.port))
    } else if (!present.get(router.port)!.up) add.push(`link set dev ${router.port} up`)
    for (const subnet of router.subnets) add.push(...subnetLinks(subnet, router, present, isNew, plan.mtu))
  }
  const natThere = new Set(observed.natGateways)
  for (const gateway of natGatewaysOf(plan))
    if (!natThere.has(gateway.namespace) || !present.has(gateway.tap)) touched.add(gateway.namespace)
  add.push(...natLinks(plan, present, natThere), ...tunnelLinks(plan, present, options.nodeAddress))
  const wanted = new Set(plannedRoutes(plan, publicPool))
  const there = new Set(observed.routes)
  // Replaced, not added: an address may have moved to another router.
  const lacking = [...wanted].filter((route) => !there.has(route))
  add.push(...lacking.map((route) => `route replace ${route} proto ${routeProtocol}`))
  const replaced = new Set(lacking.map(destinationOf))
  const spare = [...there].filter((route) => !wanted.has(route) && !replaced.has(destinationOf(route)))
  const names = new Set([
    ...plan.routers.map((router) => router.port),
    ...plan.subnets.flatMap((subnet) => [subnet.bridge, subnet.gatewayPort, subnet.tunnel ?? []].flat()),
    ...natGatewaysOf(plan).map(({ tap }) => tap),
  ])
  const dead = observed.links.filter((link) => link.alias === linkAlias && !names.has(link.name))
  const namespaces = new Set(plan.routers.map((router) => router.namespace))
  for (const { namespace } of natGatewaysOf(plan)) namespaces.add(namespace)
  const deadRouters = [...observed.routers, ...observed.natGateways].filter(
    (namespace) => !namespaces.has(namespace),
  )
  return {
    add,
    remove: [
      ...spare.map((route) => `route del ${route} proto ${routeProtocol}`),
      ...dead.map((link) => `link del ${link.name}`),
      ...deadRouters.map((router) => `netns del ${router}`),
    ],
    deadRouters,
    touched,
    freshTunnels: freshTunnels(plan, present, options.nodeAddress),
  }
}

/** The type of a route that is refused is part of its destination's text. */
const destinationOf = (route: string) => /^(?:unreachable )?\S+/.exec(route)![0]

const dressed = (link: string) => [
  `link set dev ${link} alias ${linkAlias}`,
  `link set dev ${link} addrgenmode none`,
  `link set dev ${link} up`,
]

function subnetLinks(
  subnet: SubnetPlan,
  router: RouterPlan,
  present: ReadonlyMap<string, ObservedLink>,
  routerIsNew: boolean,
  mtu: number,
): string[] {
  const { bridge, gatewayPort, gatewayLink, gatewayMac } = subnet
  const lines: string[] = []
  refuseForeignBridge(present.get(bridge), subnet.tag)
  refuseForeignPort(present.get(gatewayPort))
  if (!present.get(bridge)) {
    lines.push(
      `link add ${bridge} mtu ${mtu} address ${bridgeMac(subnet.tag)} type bridge forward_delay 0 stp_state 0 mcast_snooping 0`,
      ...dressed(bridge),
    )
  } else {
    // A former release left it to the kernel.
    if (present.get(bridge)!.mac !== bridgeMac(subnet.tag))
      lines.push(`link set dev ${bridge} address ${bridgeMac(subnet.tag)}`)
    if (!present.get(bridge)!.up) lines.push(`link set dev ${bridge} up`)
  }
  const port = present.get(gatewayPort)
  if (!port || routerIsNew) {
    lines.push(
      `link add ${gatewayPort} mtu ${mtu} type veth peer name ${gatewayLink} address ${gatewayMac} mtu ${mtu} netns ${router.namespace}`,
      `link set dev ${gatewayPort} master ${bridge}`,
      ...dressed(gatewayPort),
    )
  } else if (port.master !== bridge || !present.get(bridge)) {
    lines.push(`link set dev ${gatewayPort} master ${bridge}`)
  } else if (!port.up) lines.push(`link set dev ${gatewayPort} up`)
  return lines
}

/** Every address that a router answers for; and nothing else of the pool, which would go round and round. */
function plannedRoutes(plan: NetworkPlan, publicPool: string | null): string[] {
  return [
    ...(publicPool === null ? [] : [`unreachable ${publicPool} metric 4000`]),
    ...plan.routers.flatMap((router) => [
      `${router.address} dev ${router.port}`,
      ...[
        ...router.ports.map(({ identity }) => identity),
        ...router.published.map(({ publicIp }) => publicIp),
      ].map((address) => `${address} via ${router.address} dev ${router.port} onlink`),
    ]),
  ]
}

/** Lines for inside a router, to be said however often; `present` are its addresses by link. */
export function routerLinks(router: RouterPlan, present: ReadonlyMap<string, readonly string[]>): string[] {
  const lines = ['link set dev lo up']
  const give = (link: string, ...addresses: string[]) => {
    for (const other of present.get(link) ?? [])
      if (!addresses.includes(other)) lines.push(`address del ${other} dev ${link}`)
    for (const address of addresses) lines.push(`address replace ${address} dev ${link}`)
    lines.push(`link set dev ${link} up`)
  }
  give(routerUplink, `${router.address}/32`)
  for (const subnet of router.subnets)
    give(subnet.gatewayLink, `${subnet.gateway}/${subnet.prefixLength}`, ...nameServerIn(subnet, router))
  for (const peer of router.peers) give(peer.link, `${peer.address}/32`)
  lines.push(`route replace default via ${metadataHost} dev ${routerUplink} onlink`)
  return lines
}

/** The VPC's name server is a neighbour of the guests in whose subnet its address lies. */
function nameServerIn(subnet: SubnetPlan, router: RouterPlan): string[] {
  const [address] = router.nameServers
  const within = blockContains(parseCidr(subnet.cidr)!, parseIpv4(address)!)
  return within && address !== subnet.gateway ? [`${address}/32`] : []
}

/** Settings inside a router, before its links are up. */
export const routerSettings = {
  'ipv6/conf/all/disable_ipv6': 1,
  'ipv6/conf/default/disable_ipv6': 1,
  'ipv4/conf/all/rp_filter': 0,
  'ipv4/conf/default/rp_filter': 0,
  'ipv4/conf/all/send_redirects': 0,
  'ipv4/conf/default/send_redirects': 0,
  'ipv4/conf/all/accept_redirects': 0,
  'ipv4/conf/default/accept_redirects': 0,
  // A neighbour is answered for the addresses of the link it asks on, no others.
  'ipv4/conf/all/arp_ignore': 1,
  'ipv4/ip_forward': 1,
} as const
