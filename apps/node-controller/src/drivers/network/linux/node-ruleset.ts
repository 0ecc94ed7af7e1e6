import { refusedChain } from './flow-ruleset.ts'
import { groupChains, interfaceChains, peerSets } from './group-ruleset.ts'
import {
  identityRange,
  metadataAddress,
  metadataHost,
  metadataPort,
  resolverPort,
  tableName,
  transitRange,
  tunnelPort,
} from './names.ts'
import { block, chain, collection, replacedTable } from './nft-text.ts'
import { natGatewaysOf } from './nat-gateway.ts'
import type { NetworkPlan, PortPlan, RouterPlan, SubnetPlan } from './plan.ts'

/**
 * The rules of the node's own namespace, as one transaction of nft. Three tables:
 * - bridge: who may say what at a tap. A frame that carries another's MAC, address or ARP claim dies here, before the
 *   bridge learns from it; so every later rule may trust (bridge, address).
 * - inet: security groups on what crosses a bridge, which br_netfilter shows to the forward hook with the bridge as
 *   both interfaces, and a wall around what is routed between routers, uplink and the node itself.
 * - ip: routers' own addresses leave as the node's.
 * Everything is matched by the exact names of what we made; other traffic of the machine is not looked at.
 */
export function nodeRuleset(plan: NetworkPlan, options: { uplink: string; nodeAddress: string }): string {
  return [
    ...replacedTable('bridge', tableName, bridgeTable(plan)),
    ...replacedTable('inet', tableName, inetTable(plan, options)),
    ...replacedTable('ip', tableName, natTable(plan, options)),
    '',
  ].join('\n')
}

export const emptyRuleset = ['bridge', 'inet', 'ip']
  .flatMap((family) => [`table ${family} ${tableName}`, `delete table ${family} ${tableName}`])
  .join('\n')

const quoted = (name: string) => `"${name}"`

/** Marks tell an unchecked interface, whose packets bear any address: the sender below, the receiver above. */
const markOf = (index: number, where: 'from' | 'to') =>
  `0x${((index + 1) * (where === 'from' ? 1 : 0x10000)).toString(16).padStart(8, '0')}`

/** Not seen by conntrack: neither its beginning nor its answers need pass here. */
const passing = '0x80000000'

const uncheckedPorts = (plan: NetworkPlan) => plan.ports.filter((port) => !port.checked)

function bridgeTable(plan: NetworkPlan): string[] {
  return [...whoIsWho(plan), ...bridgeChains(uncheckedPorts(plan)), ...refusedChain()]
}

function whoIsWho(plan: NetworkPlan): string[] {
  const { ports } = plan
  const checked = ports.filter((port) => port.checked)
  const taps = ports.map((port) => quoted(port.tap))
  const gateports = plan.subnets.map((subnet) => quoted(subnet.gatewayPort))
  // What is ours altogether, and speaks for others: NAT gateways, and the tunnels, into which only nodes are let.
  const trusted = [
    ...natGatewaysOf(plan).map(({ tap }) => quoted(tap)),
    ...plan.subnets.flatMap(({ tunnel }) => (tunnel === null ? [] : [quoted(tunnel)])),
  ]
  const identity = (port: PortPlan) => `${quoted(port.tap)} . ${port.mac}`
  return [
    ...collection('set', 'taps', 'type ifname', taps),
    ...collection('set', 'gateports', 'type ifname', gateports),
    ...collection('set', 'members', 'type ifname', [...taps, ...gateports, ...trusted]),
    ...collection('set', 'senders', 'typeof iifname . ether saddr', ports.map(identity)),
    ...collection(
      'set',
      'sources',
      'typeof iifname . ether saddr . ip saddr',
      ports.flatMap((port) => port.addresses.map(({ privateIp }) => `${identity(port)} . ${privateIp}`)),
    ),
    ...collection(
      'set',
      'arp_sources',
      'typeof iifname . ether saddr . arp saddr ether . arp saddr ip',
      ports.flatMap((port) => [
        ...port.addresses.map(({ privateIp }) => `${identity(port)} . ${port.mac} . ${privateIp}`),
        // Who is asking whether an address is taken has none yet.
        `${identity(port)} . ${port.mac} . 0.0.0.0`,
      ]),
    ),
    // `chaddr`, behind UDP's 8 bytes and 28 of its own (RFC 2131, section 2).
    ...collection(
      'set',
      'dhcp_clients',
      'typeof iifname . @th,288,48',
      ports.map((port) => `${quoted(port.tap)} . 0x${port.mac.replaceAll(':', '')}`),
    ),
    ...collection(
      'set',
      'receivers',
      'typeof oifname . ip daddr',
      checked.flatMap((port) => port.addresses.map(({ privateIp }) => `${quoted(port.tap)} . ${privateIp}`)),
    ),
    ...collection(
      'set',
      'nats',
      'type ifname',
      natGatewaysOf(plan).map(({ tap }) => quoted(tap)),
    ),
    ...collection(
      'set',
      'nat_senders',
      'typeof oifname . ether saddr',
      natGatewaysOf(plan).map(({ tap, subnet }) => `${quoted(tap)} . ${subnet.gatewayMac}`),
    ),
    ...collection('set', 'elsewhere', 'typeof iifname . ether daddr', elsewhere(plan)),
  ]
}

/** What a router hands to the tunnel: it only passes, and its answers come another way. */
const elsewhere = (plan: NetworkPlan) =>
  plan.routers.flatMap((router) =>
    router.remotes.map(({ subnet, mac }) => `${quoted(subnet.gatewayPort)} . ${mac}`),
  )

function bridgeChains(unchecked: readonly PortPlan[]): string[] {
  return [
    ...chain('prerouting', [
      'type filter hook prerouting priority -300; policy accept;',
      'iifname @taps goto from_guest',
      `iifname . ether daddr @elsewhere meta mark set ${passing}`,
    ]),
    // What is too short to tell whose question it is, as the first of two pieces, is dropped too.
    ...chain('dhcp_question', ['iifname . @th,288,48 @dhcp_clients return', 'drop']),
    ...chain('from_guest', [
      // Also what hides in a VLAN tag, which would pass by the security groups; and IPv6.
      'ether type != { ip, arp } drop',
      'iifname . ether saddr . arp saddr ether . arp saddr ip @arp_sources accept',
      'udp sport 67 drop',
      // Or one guest could decline the other's address, which DHCP then gives to nobody for ten minutes.
      'udp sport 68 udp dport 67 jump dhcp_question',
      'ip saddr 0.0.0.0 ip daddr 255.255.255.255 udp sport 68 udp dport 67 iifname . ether saddr @senders accept',
      ...unchecked.map(
        (port) => `iifname ${quoted(port.tap)} meta mark set ${markOf(unchecked.indexOf(port), 'from')}`,
      ),
      'iifname . ether saddr . ip saddr @sources accept',
      ...unchecked.map(
        (port) =>
          `iifname ${quoted(port.tap)} ether saddr ${port.mac} ip saddr != 0.0.0.0 ip daddr != ${metadataAddress} accept`,
      ),
      'drop',
    ]),
    ...chain('forward', [
      'type filter hook forward priority -200; policy accept;',
      // What is plugged into our bridges without being said is cut off.
      'oifname @members iifname != @members drop',
      'iifname @members oifname != @members drop',
      'oifname @taps goto to_guest',
      // Routes lead to a NAT gateway, and so routers; a neighbour that sends to it of its own goes by no route.
      'oifname @nats ether type ip oifname . ether saddr != @nat_senders drop',
    ]),
    ...chain('to_guest', [
      'ether type arp accept',
      'iifname @gateports udp sport 67 udp dport 68 accept',
      'oifname . ip daddr @receivers accept',
      ...unchecked.map(
        (port) =>
          `oifname ${quoted(port.tap)} ether daddr ${port.mac} meta mark set meta mark or ${markOf(unchecked.indexOf(port), 'to')} accept`,
      ),
      'drop',
    ]),
    // The node itself is no neighbour of guests, neither by IP nor by ARP.
    ...chain('input', ['type filter hook input priority -200; policy accept;', 'iifname @members drop']),
  ]
}

function inetTable(plan: NetworkPlan, options: { uplink: string; nodeAddress: string }): string[] {
  return [
    ...collection(
      'set',
      'bridges',
      'type ifname',
      plan.subnets.map((subnet) => quoted(subnet.bridge)),
    ),
    ...collection(
      'set',
      'routers',
      'type ifname',
      plan.routers.map((router) => quoted(router.port)),
    ),
    ...collection('set', 'gateways', 'typeof iifname . ip daddr', plan.subnets.map(gatewayOf)),
    ...collection('set', 'name_servers', 'typeof iifname . ip daddr', plan.routers.flatMap(nameServersOf)),
    ...collection('set', 'router_sources', 'typeof iifname . ip saddr', routerSources(plan)),
    ...collection('set', 'publics', 'typeof oifname . ip daddr', publicAddresses(plan)),
    ...collection('set', 'identities', 'typeof iifname . ip saddr', identities(plan)),
    ...collection('set', 'nodes', 'type ipv4_addr', nodesOf(plan)),
    ...block('set askers', ['type ipv4_addr', 'size 65535', 'flags dynamic']),
    ...peerSets(plan),
    ...groupChains(plan),
    ...collection(
      'map',
      'ingress',
      'typeof oifname . ip daddr : verdict',
      interfaceChains.verdicts(plan, 'in'),
    ),
    ...collection(
      'map',
      'egress',
      'typeof iifname . ip saddr : verdict',
      interfaceChains.verdicts(plan, 'out'),
    ),
    ...trackingChains(plan, options.uplink),
    ...bridgedChains(plan),
    ...routedChains(options),
  ]
}

function bridgedChains(plan: NetworkPlan): string[] {
  const unchecked = uncheckedPorts(plan)
  const byMark = (where: 'from' | 'to', direction: 'out' | 'in') =>
    unchecked.map((port, index) => `${markOf(index, where)} : goto ${interfaceChains.name(port, direction)}`)
  const marked = (mask: string, entries: string[]) =>
    entries.length === 0 ? [] : [`meta mark and ${mask} vmap { ${entries.join(', ')} }`]
  return [
    ...chain('bridged', [
      'oifname != @bridges drop',
      'meta nfproto ipv6 drop',
      'ct state { established, related, untracked } accept',
      'ct state invalid drop',
      'iifname . ip saddr @gateways udp sport 67 udp dport 68 accept',
      'ip daddr 255.255.255.255 udp sport 68 udp dport 67 accept',
      'iifname . ip daddr @gateways udp dport 67 accept',
      'iifname . ip daddr @name_servers udp dport 53 accept',
      'iifname . ip daddr @name_servers tcp dport 53 accept',
      `ip daddr ${metadataAddress} tcp dport 80 accept`,
      ...marked('0x0000ffff', byMark('from', 'out')),
      'iifname . ip saddr vmap @egress',
      'goto to_interface',
    ]),
    ...chain('to_interface', [
      ...marked('0xffff0000', byMark('to', 'in')),
      'oifname . ip daddr vmap @ingress',
      'accept',
    ]),
  ]
}

/** What conntrack knows, and in which zone. */
function trackingChains(plan: NetworkPlan, uplink: string): string[] {
  return [
    // Before defragmentation (-400): fragments of two VPCs with one address must not be put together.
    ...chain('zones', [
      'type filter hook prerouting priority -450; policy accept;',
      // Before a zone is given, which would make it tracked after all.
      `iifname @bridges meta mark ${passing} notrack accept`,
      `iifname ${quoted(uplink)} udp dport ${tunnelPort} ip saddr @nodes ip frag-off & 0x3fff == 0 notrack accept`,
      ...zoneRules(plan),
    ]),
    // Tunnels have another source port for every flow in them, and each would be a flow to the node, too.
    ...chain('tunnelled', [
      'type filter hook output priority -450; policy accept;',
      `oifname ${quoted(uplink)} udp dport ${tunnelPort} ip daddr @nodes notrack`,
    ]),
  ]
}

const zoneRules = (plan: NetworkPlan) =>
  plan.subnets.length === 0
    ? []
    : [
        `ct zone set iifname map { ${plan.subnets.map((subnet) => `${quoted(subnet.bridge)} : ${subnet.zone}`).join(', ')} }`,
      ]

function routedChains({ uplink, nodeAddress }: { uplink: string; nodeAddress: string }): string[] {
  return [
    ...chain('from_router', [
      // A router translates every source; what it did not is nobody's.
      'iifname . ip saddr != @router_sources drop',
      // Nobody but a node speaks to a node's tunnel, least of all by this node's own address.
      `udp dport ${tunnelPort} ip daddr @nodes drop`,
      `oifname ${quoted(uplink)} accept`,
      'oifname @routers goto to_router',
      'drop',
    ]),
    ...chain('to_router', [
      'ct state established,related accept',
      'oifname . ip daddr @publics accept',
      'drop',
    ]),
    ...chain('forward', [
      'type filter hook forward priority filter; policy accept;',
      'iifname @bridges goto bridged',
      'iifname @routers goto from_router',
      'oifname @routers goto to_router',
      'oifname @bridges drop',
    ]),
    ...chain('metadata', [
      'iifname "lo" accept',
      // Routers themselves and nobody behind them: they pass on nothing else to this address.
      `iifname . ip saddr @router_sources udp dport ${resolverPort} accept`,
      `iifname . ip saddr @router_sources tcp dport ${resolverPort} accept`,
      'iifname . ip saddr != @identities drop',
      // One guest alone must not use up the server's connections.
      `tcp dport ${metadataPort} ct state new add @askers { ip saddr ct count over 32 } drop`,
      `tcp dport ${metadataPort} accept`,
      'drop',
    ]),
    ...chain('input', [
      'type filter hook input priority filter; policy accept;',
      'iifname @bridges drop',
      // The kernel takes tunnels' packets at whatever address the node has; nodes send to this one.
      `meta nfproto ipv6 udp dport ${tunnelPort} drop`,
      `udp dport ${tunnelPort} ip daddr != ${nodeAddress} drop`,
      `udp dport ${tunnelPort} ip saddr != @nodes drop`,
      `udp dport ${tunnelPort} iifname != ${quoted(uplink)} drop`,
      `ip daddr ${metadataHost} goto metadata`,
      'iifname @routers ct state established,related accept',
      'iifname @routers drop',
    ]),
  ]
}

function natTable(plan: NetworkPlan, options: { uplink: string; nodeAddress: string }): string[] {
  return [
    ...collection(
      'set',
      'routers',
      'type ifname',
      plan.routers.map((router) => quoted(router.port)),
    ),
    ...chain('postrouting', [
      'type nat hook postrouting priority srcnat; policy accept;',
      `ip saddr ${transitRange} oifname ${quoted(options.uplink)} snat to ${options.nodeAddress}`,
      `ip saddr ${transitRange} oifname @routers snat to ${options.nodeAddress}`,
    ]),
    // Neither range is known outside of this node.
    ...chain('leaving', [
      'type filter hook postrouting priority 300; policy accept;',
      `oifname ${quoted(options.uplink)} ip saddr { ${transitRange}, ${identityRange} } drop`,
    ]),
  ]
}

const nameServersOf = (router: RouterPlan) =>
  router.subnets.flatMap((subnet) =>
    [...new Set([subnet.gateway, ...router.nameServers])].map(
      (address) => `${quoted(subnet.bridge)} . ${address}`,
    ),
  )

const gatewayOf = (subnet: SubnetPlan) => `${quoted(subnet.bridge)} . ${subnet.gateway}`

const nodesOf = (plan: NetworkPlan) => [...new Set(plan.routers.flatMap((router) => router.nodes))]

const routerSources = (plan: NetworkPlan) =>
  plan.routers.flatMap((router) =>
    [router.address, ...router.published.map(({ publicIp }) => publicIp)].map(
      (address) => `${quoted(router.port)} . ${address}`,
    ),
  )

const publicAddresses = (plan: NetworkPlan) =>
  plan.routers.flatMap((router) =>
    router.published.map(({ publicIp }) => `${quoted(router.port)} . ${publicIp}`),
  )

const identities = (plan: NetworkPlan) =>
  plan.routers.flatMap((router) => router.ports.map((port) => `${quoted(router.port)} . ${port.identity}`))
