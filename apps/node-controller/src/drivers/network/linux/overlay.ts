import { refuseForeignTunnel } from './foreign-links.ts'
import { linkAlias, tunnelPort } from './names.ts'
import type { ObservedLink } from './parse.ts'
import type { NetworkPlan } from './plan.ts'

/**
 * What joins the bridges that several nodes have of one subnet: a VXLAN tunnel (RFC 7348) whose every destination is said
 * by the cloud. Nothing is learned and nothing flooded: frames go to the one node that has the receiver, and the bridge
 * itself answers who has an address elsewhere (neighbour suppression). Pure.
 */
export interface ObservedOverlay {
  /** Receivers in the tunnels: `LINK MAC NODE`, and in the bridges: `LINK MAC`. */
  readonly forwards: readonly string[]
  readonly receivers: readonly string[]
  /** What bridges answer: `BRIDGE ADDRESS MAC`. */
  readonly neighbours: readonly string[]
}

export const noOverlay: ObservedOverlay = { forwards: [], receivers: [], neighbours: [] }

/** A tunnel keeps the address that it began at, though the node may have another since. */
const isWhole = (link: ObservedLink | undefined, nodeAddress: string): link is ObservedLink =>
  link !== undefined && link.local === nodeAddress

/** Those that are lacking, or begin where the node is no more. */
export function freshTunnels(
  plan: NetworkPlan,
  present: ReadonlyMap<string, ObservedLink>,
  nodeAddress: string,
): Set<string> {
  const tunnels = plan.subnets.flatMap(({ tunnel }) => tunnel ?? [])
  return new Set(tunnels.filter((tunnel) => !isWhole(present.get(tunnel), nodeAddress)))
}

/** Lines for `ip -batch`: the tunnels that are lacking. */
export function tunnelLinks(
  plan: NetworkPlan,
  present: ReadonlyMap<string, ObservedLink>,
  nodeAddress: string,
): string[] {
  return plan.subnets.flatMap(({ tunnel, bridge, tag }) => {
    if (tunnel === null) return []
    const link = present.get(tunnel)
    refuseForeignTunnel(link, nodeAddress)
    const join = `link set dev ${tunnel} master ${bridge}`
    const start = `link set dev ${tunnel} up`
    if (isWhole(link, nodeAddress))
      return [...(link.master === bridge && present.has(bridge) ? [] : [join]), ...(link.up ? [] : [start])]
    return [
      ...(link ? [`link del ${tunnel}`] : []),
      `link add ${tunnel} mtu ${plan.mtu} type vxlan id ${tag} local ${nodeAddress} dstport ${tunnelPort} nolearning`,
      `link set dev ${tunnel} alias ${linkAlias}`,
      `link set dev ${tunnel} addrgenmode none`,
      join,
      start,
    ]
  })
}

export interface OverlayChanges {
  /** For `bridge -batch`. */
  readonly bridge: readonly string[]
  /** For `ip -batch`. */
  readonly ip: readonly string[]
}

/** `fresh` are tunnels that were just made, or perhaps not whole. */
export function overlayChanges(
  plan: NetworkPlan,
  observed: ObservedOverlay,
  fresh: ReadonlySet<string>,
): OverlayChanges {
  const remotes = plan.routers.flatMap((router) => router.remotes)
  const forwards = remotes.map(({ subnet, mac, node }) => `${subnet.tunnel} ${mac} ${node}`)
  const receivers = remotes.map(({ subnet, mac }) => `${subnet.tunnel} ${mac}`)
  const neighbours = remotes.flatMap(({ subnet, mac, addresses }) =>
    addresses.map((address) => `${subnet.bridge} ${address} ${mac}`),
  )
  const lacking = (wanted: readonly string[], there: readonly string[]) => {
    const set = new Set(there)
    return wanted.filter((entry) => !set.has(entry)).map((entry) => entry.split(' '))
  }
  // What is only to be changed is replaced above; what is spare is what has no successor of its name.
  const spare = (wanted: readonly string[], there: readonly string[]) => {
    const names = new Set(wanted.map((entry) => entry.split(' ').slice(0, 2).join(' ')))
    return there.map((entry) => entry.split(' ')).filter(([link, name]) => !names.has(`${link} ${name}`))
  }
  return {
    bridge: [
      ...[...fresh].map(
        (tunnel) =>
          `link set dev ${tunnel} neigh_suppress on learning off flood off mcast_flood off bcast_flood off`,
      ),
      ...lacking(forwards, observed.forwards).map(
        ([link, mac, node]) => `fdb replace ${mac} dev ${link} dst ${node} self static`,
      ),
      ...lacking(receivers, observed.receivers).map(
        // Sticky: static ones, too, follow whoever sends by that name, such as a guest that was told to let go of it.
        ([link, mac]) => `fdb replace ${mac} dev ${link} master static sticky`,
      ),
      ...spare(forwards, observed.forwards).map(
        ([link, mac, node]) => `fdb del ${mac} dev ${link} dst ${node} self`,
      ),
      ...spare(receivers, observed.receivers).map(([link, mac]) => `fdb del ${mac} dev ${link} master`),
    ],
    ip: [
      ...lacking(neighbours, observed.neighbours).map(
        ([bridge, address, mac]) => `neigh replace ${address} lladdr ${mac} dev ${bridge} nud permanent`,
      ),
      ...spare(neighbours, observed.neighbours).map(
        ([bridge, address]) => `neigh del ${address} dev ${bridge}`,
      ),
    ],
  }
}

type Json = Readonly<Record<string, unknown>>
const members = (answer: unknown) => (Array.isArray(answer) ? (answer as Json[]) : [])

/** `bridge -json fdb show` and `ip -json neigh show nud permanent`; of links that are not ours nothing is taken. */
export function parseOverlay(
  fdb: unknown,
  neighbours: unknown,
  links: readonly ObservedLink[],
): ObservedOverlay {
  const ours = new Set(links.filter((link) => link.alias === linkAlias).map((link) => link.name))
  const entries = members(fdb).filter(
    (entry) =>
      ours.has(String(entry['ifname'])) &&
      String(entry['ifname']).startsWith('vx') &&
      entry['state'] === 'static',
  )
  const name = (entry: Json) => `${String(entry['ifname'])} ${String(entry['mac'])}`
  return {
    forwards: entries.flatMap((entry) =>
      entry['dst'] === undefined ? [] : [`${name(entry)} ${String(entry['dst'])}`],
    ),
    receivers: entries.flatMap((entry) => (entry['master'] === undefined ? [] : [name(entry)])),
    neighbours: members(neighbours).flatMap((entry) =>
      ours.has(String(entry['dev']))
        ? [`${String(entry['dev'])} ${String(entry['dst'])} ${String(entry['lladdr'])}`]
        : [],
    ),
  }
}
