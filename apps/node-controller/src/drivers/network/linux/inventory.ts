import type { VpcItem } from '@mallee/agent-contract'
import type { NetworkPart } from '../driver.ts'
import { bridgeName, gatewayPort, linkAlias, natNamespace, routerPort, tapName, tunnelName } from './names.ts'
import type { ObservedLink } from './parse.ts'

/** What was found on the host, before it is known whose it is. */
export interface Standing {
  readonly links: readonly ObservedLink[]
  readonly routers: readonly string[]
  readonly natGateways: readonly string[]
  readonly dhcp: readonly string[]
  readonly firewallTaps: readonly string[]
}

const tapPattern = /^vn[0-9a-f]{12}$/

/**
 * Every part of ours with its owner. Pure. Ours is what bears our word in its alias, a namespace of our prefix, and a
 * tap that is named as we name them and plugged into a bridge of ours or into nothing; others' links are left out.
 */
export function networkParts(
  standing: Standing,
  network: readonly VpcItem[],
  routerPrefix: string,
): NetworkPart[] {
  const owners = ownersOf(network, routerPrefix)
  const part = (kind: NetworkPart['kind'], id: string) => ({ kind, id, owner: owners.get(id) ?? null })
  const ours = new Set(standing.links.filter((link) => link.alias === linkAlias).map((link) => link.name))
  const taps = standing.links.filter(
    (link) => tapPattern.test(link.name) && (link.master === null || ours.has(link.master)),
  )
  return [
    ...taps.map((link) => part('tap', link.name)),
    ...[...ours]
      .filter((name) => !tapPattern.test(name))
      .map((name) => part(name.startsWith('ru') ? 'router' : 'bridge', name)),
    ...[...standing.routers, ...standing.natGateways].map((name) => part('router', name)),
    ...standing.dhcp.map((id) => ({
      kind: 'dhcp' as const,
      id,
      owner: network.some((vpc) => vpc.subnets.some((subnet) => subnet.subnetId === id)) ? id : null,
    })),
    ...standing.firewallTaps.map((name) => part('firewall-port', name)),
  ]
}

function ownersOf(network: readonly VpcItem[], routerPrefix: string): Map<string, string> {
  return new Map(
    network.flatMap((vpc) => [
      [routerPort(vpc.tag), vpc.vpcId] as const,
      [`${routerPrefix}${vpc.tag}`, vpc.vpcId] as const,
      ...vpc.subnets.flatMap((subnet) => [
        [bridgeName(subnet.tag), subnet.subnetId] as const,
        [gatewayPort(subnet.tag), subnet.subnetId] as const,
        [tunnelName(subnet.tag), subnet.subnetId] as const,
      ]),
      ...[...vpc.interfaces, ...(vpc.natGateways ?? [])].map(
        (entry) => [tapName(entry.interfaceId), entry.interfaceId] as const,
      ),
      ...(vpc.natGateways ?? []).map(
        (entry) => [natNamespace(routerPrefix, entry.natGatewayId), entry.natGatewayId] as const,
      ),
    ]),
  )
}

/** `nft -j list set …`: the elements that are names. */
export function parseFirewallTaps(text: string): string[] {
  const answer = JSON.parse(text) as { nftables?: { set?: { elem?: unknown[] } }[] }
  const elements = answer.nftables?.flatMap((entry) => entry.set?.elem ?? []) ?? []
  return elements.filter((element) => typeof element === 'string')
}

/** `ip -json link show`: taps that no process holds open have no carrier. */
export function idleTaps(answer: unknown): Set<string> {
  const links = Array.isArray(answer) ? (answer as { ifname?: unknown; flags?: unknown }[]) : []
  return new Set(
    links.flatMap(({ ifname, flags }) =>
      typeof ifname === 'string' && tapPattern.test(ifname) && !(flags as string[]).includes('LOWER_UP')
        ? [ifname]
        : [],
    ),
  )
}
