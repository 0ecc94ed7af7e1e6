import { aclChains, aclJumps } from './acl-ruleset.ts'
import { refusedChain } from './flow-ruleset.ts'
import {
  identityRange,
  metadataAddress,
  metadataHost,
  metadataPort,
  routerUplink,
  tableName,
} from './names.ts'
import { chain, collection, replacedTable } from './nft-text.ts'
import type { RouterPlan } from './plan.ts'

/**
 * The rules inside one VPC's router: public addresses 1:1, the other ways out, network ACLs, and questions to the
 * metadata service, which leave with the asking interface's identity. Between a guest's address and what others see of
 * it there is one translation only, here; security groups see the private address of their own guest and, of the other
 * side, what AWS shows: the private address inside the VPC, the public one for whatever came by a public one.
 *
 * Every node of a VPC has such a router, and a packet passes the one of its sender: answers from another node pass that
 * node's. So nothing between subnets may depend on having seen a flow's beginning.
 */
export function routerRuleset(router: RouterPlan, nodeAddress: string): string {
  return [
    ...replacedTable('ip', tableName, [
      ...whatIsWhere(router),
      ...translation(router, nodeAddress),
      ...chain('input', [
        'type filter hook input priority filter; policy drop;',
        'iifname "lo" accept',
        'ct state established,related accept',
        'iifname @links udp sport 68 udp dport 67 accept',
        ...(router.dhcp.ownNames
          ? [
              'iifname . ip daddr @gateways udp dport 53 accept',
              'iifname . ip daddr @gateways tcp dport 53 accept',
            ]
          : []),
        'iifname . ip daddr @gateways icmp type echo-request accept',
      ]),
      ...aclChains(router),
      ...forwarding(router),
      // Always where it could be marked: while marking ends, what is marked still comes.
      ...(router.subnets.some(({ acl }) => acl !== null) ? refusedChain() : []),
    ]),
    '',
  ].join('\n')
}

function whatIsWhere(router: RouterPlan): string[] {
  const links = router.subnets.map((subnet) => `"${subnet.gatewayLink}"`)
  const gateways = router.subnets.map((subnet) => `"${subnet.gatewayLink}" . ${subnet.gateway}`)
  return [
    ...collection(
      'set',
      'subnets',
      'type ipv4_addr; flags interval;',
      router.subnets.map((subnet) => subnet.cidr),
    ),
    ...collection('set', 'blocks', 'type ipv4_addr; flags interval;', router.cidrs),
    ...collection('set', 'links', 'type ifname', links),
    ...collection(
      'set',
      'peers',
      'type ifname',
      router.peers.map(({ link }) => `"${link}"`),
    ),
    ...collection('set', 'outward', 'type ifname', outwardLinks(router)),
    ...collection('set', 'gateways', 'typeof iifname . ip daddr', gateways),
    ...collection(
      'map',
      'private_of',
      'type ipv4_addr : ipv4_addr',
      router.published.map(({ publicIp, privateIp }) => `${publicIp} : ${privateIp}`),
    ),
    ...collection(
      'map',
      'public_of',
      'type ipv4_addr : ipv4_addr',
      router.published.map(({ publicIp, privateIp }) => `${privateIp} : ${publicIp}`),
    ),
    ...collection(
      'set',
      'published',
      'type ipv4_addr',
      router.published.map(({ privateIp }) => privateIp),
    ),
    ...collection(
      'map',
      'identity_of',
      'type ipv4_addr : ipv4_addr',
      router.ports.flatMap((port) =>
        port.addresses.map(({ privateIp }) => `${privateIp} : ${port.identity}`),
      ),
    ),
  ]
}

/** Links of subnets that have a way to the outside: only from there a public address of this VPC is reached. */
function outwardLinks(router: RouterPlan): string[] {
  return router.subnets
    .filter(({ routes }) => routes === null || routes.some(({ target }) => target.kind === 'up'))
    .map((subnet) => `"${subnet.gatewayLink}"`)
}

function translation(router: RouterPlan, nodeAddress: string): string[] {
  return [
    ...chain('prerouting', [
      'type nat hook prerouting priority dstnat; policy accept;',
      `iifname @links ip daddr ${metadataAddress} tcp dport 80 dnat to ${metadataHost}:${metadataPort}`,
      ...(['udp', 'tcp'] as const).map(
        (protocol) =>
          `iifname @links ip daddr { ${router.nameServers.join(', ')} } ${protocol} dport 53 redirect`,
      ),
      `iifname "${routerUplink}" dnat to ip daddr map @private_of`,
      'iifname @outward dnat to ip daddr map @private_of',
    ]),
    ...chain('postrouting', [
      'type nat hook postrouting priority srcnat; policy accept;',
      `ct original ip daddr ${metadataAddress} snat to ip saddr map @identity_of`,
      `oifname "${routerUplink}" snat to ip saddr map @public_of`,
      `oifname "${routerUplink}" snat to ${router.address}`,
      // From a guest to a public address of this very VPC: it comes back in as if from outside (also
      // for who has no public address: as the node, which it would be to any other VPC), or answers would go astray.
      'ip saddr @subnets ct status dnat snat to ip saddr map @public_of',
      ...(router.masquerade ? [`ip saddr @subnets ct status dnat snat to ${nodeAddress}`] : []),
    ]),
  ]
}

function forwarding(router: RouterPlan): string[] {
  const up = `iifname "${routerUplink}"`
  return [
    ...chain('among_subnets', [
      // By a public address, out and in again: who has none would leave as itself.
      ...(router.masquerade ? [] : ['ct status dnat ct direction original ip saddr != @published drop']),
      'accept',
    ]),
    ...chain('outward', [
      'iifname != @links drop',
      // What conntrack does not know is not translated, and would leave as it is.
      'ct state invalid drop',
      'ct state established,related accept',
      ...(router.masquerade ? [] : ['ip saddr != @published drop']),
      'accept',
    ]),
    ...chain('through', [
      ...aclJumps(router),
      'iifname @links oifname @links goto among_subnets',
      'iifname @peers oifname @links accept',
      'iifname @links oifname @peers ip saddr @blocks accept',
      `oifname "${routerUplink}" goto outward`,
      `${up} ct status dnat accept`,
      `${up} ct state established,related accept`,
      'drop',
    ]),
    ...chain('forward', [
      'type filter hook forward priority filter; policy drop;',
      `${up} ct state invalid drop`,
      // Nobody outside has addresses of this VPC or of those it is peered with.
      ...[router.cidrs, ...router.peers.map(({ cidrs }) => cidrs)]
        .filter((cidrs) => cidrs.length > 0)
        .map((cidrs) => `${up} ip saddr { ${cidrs.join(', ')} } drop`),
      ...hopLimits(router).map(
        ([limit, addresses]) =>
          `${up} ip saddr ${metadataHost} ip daddr { ${addresses.join(', ')} } ip ttl set ${limit}`,
      ),
      `${up} ip saddr ${metadataHost} ct state established,related accept`,
      `iifname @links ip daddr ${metadataHost} ct original ip daddr ${metadataAddress} accept`,
      'ip daddr 169.254.0.0/16 drop',
      // Only towards the node: a VPC may have these very addresses for its own.
      `oifname "${routerUplink}" ip daddr ${identityRange} drop`,
      'goto through',
    ]),
  ]
}

/** Forwarding has already taken its one: what is set here is what arrives at the guest. */
function hopLimits(router: RouterPlan): [number, string[]][] {
  const limits = new Map<number, string[]>()
  for (const port of router.ports)
    for (const { privateIp } of port.addresses)
      limits.set(port.hopLimit, [...(limits.get(port.hopLimit) ?? []), privateIp])
  return [...limits].toSorted(([a], [b]) => a - b)
}
