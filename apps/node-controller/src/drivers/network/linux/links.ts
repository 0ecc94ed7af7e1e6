import { linkAlias, metadataHost, routeProtocol, routerUplink } from './names.ts'
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
  readonly routes: readonly string[]
}

export interface LinkChanges {
  /** In the node's namespace, first. */
  readonly add: readonly string[]
  /** In the node's namespace, last. */
  readonly remove: readonly string[]
  /** Namespaces that no VPC has any more; what runs in them must be ended before. */
  readonly deadRouters: readonly string[]
  /** Namespaces of routers that are new or got a new link. */
  readonly touched: ReadonlySet<string>
}

export function linkChanges(
  plan: NetworkPlan,
  observed: ObservedNode,
  publicPool: string | null,
): LinkChanges {
  const present = new Map(observed.links.map((link) => [link.name, link]))
  const routersThere = new Set(observed.routers)
  const add: string[] = []
  const touched = new Set<string>()
  for (const router of plan.routers) {
    const isNew = !routersThere.has(router.namespace)
    const links = [router.port, ...router.subnets.map((subnet) => subnet.gatewayPort)]
    if (isNew || links.some((link) => !present.has(link))) touched.add(router.namespace)
    if (isNew) add.push(`netns add ${router.namespace}`)
    if (!present.get(router.port) || isNew) {
      const pair = `link add ${router.port} type veth peer name ${routerUplink} netns ${router.namespace}`
      add.push(pair, ...dressed(router.port))
    } else if (!present.get(router.port)!.up) add.push(`link set dev ${router.port} up`)
    for (const subnet of router.subnets) add.push(...subnetLinks(subnet, router, present, isNew))
  }
  const wanted = new Set(plannedRoutes(plan, publicPool))
  const there = new Set(observed.routes)
  // Replaced, not added: an address may have moved to another router.
  const lacking = [...wanted].filter((route) => !there.has(route))
  add.push(...lacking.map((route) => `route replace ${route} proto ${routeProtocol}`))
  const replaced = new Set(lacking.map(destinationOf))
  const spare = [...there].filter((route) => !wanted.has(route) && !replaced.has(destinationOf(route)))
  const names = new Set([
    ...plan.routers.map((router) => router.port),
    ...plan.subnets.flatMap((subnet) => [subnet.bridge, subnet.gatewayPort]),
  ])
  const dead = observed.links.filter((link) => link.alias === linkAlias && !names.has(link.name))
  const namespaces = new Set(plan.routers.map((router) => router.namespace))
  const deadRouters = observed.routers.filter((router) => !namespaces.has(router))
  return {
    add,
    remove: [
      ...spare.map((route) => `route del ${route} proto ${routeProtocol}`),
      ...dead.map((link) => `link del ${link.name}`),
      ...deadRouters.map((router) => `netns del ${router}`),
    ],
    deadRouters,
    touched,
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
): string[] {
  const { bridge, gatewayPort, gatewayLink, gatewayMac } = subnet
  const lines: string[] = []
  if (!present.get(bridge)) {
    lines.push(`link add ${bridge} mtu 1500 type bridge forward_delay 0 stp_state 0 mcast_snooping 0`)
    lines.push(...dressed(bridge))
  } else if (!present.get(bridge)!.up) lines.push(`link set dev ${bridge} up`)
  const port = present.get(gatewayPort)
  if (!port || routerIsNew) {
    lines.push(
      `link add ${gatewayPort} type veth peer name ${gatewayLink} address ${gatewayMac} netns ${router.namespace}`,
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
      ...router.ports.flatMap((port) =>
        [port.identity, ...(port.publicIp === null ? [] : [port.publicIp])].map(
          (address) => `${address} via ${router.address} dev ${router.port} onlink`,
        ),
      ),
    ]),
  ]
}

/** Lines for inside a router, to be said however often; `present` are its addresses by link. */
export function routerLinks(router: RouterPlan, present: ReadonlyMap<string, readonly string[]>): string[] {
  const lines = ['link set dev lo up']
  const give = (link: string, address: string) => {
    for (const other of present.get(link) ?? [])
      if (other !== address) lines.push(`address del ${other} dev ${link}`)
    lines.push(`address replace ${address} dev ${link}`, `link set dev ${link} up`)
  }
  give(routerUplink, `${router.address}/32`)
  for (const subnet of router.subnets) give(subnet.gatewayLink, `${subnet.gateway}/${subnet.prefixLength}`)
  lines.push(`route replace default via ${metadataHost} dev ${routerUplink} onlink`)
  return lines
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
