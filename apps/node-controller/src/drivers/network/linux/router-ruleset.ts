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
 * The rules inside one VPC's router: public addresses 1:1, other ways out by the router's own address, and questions to
 * the metadata service, which leave with the asking interface's identity. Between a guest's address and what others
 * see of it there is one translation only, here; security groups see the private address of their own guest and, of
 * the other side, what AWS shows: the private address inside the VPC, the public one for whatever came by a public one.
 */
export function routerRuleset(router: RouterPlan, nodeAddress: string): string {
  const published = router.ports.filter((port) => port.publicIp !== null)
  const links = router.subnets.map((subnet) => `"${subnet.gatewayLink}"`)
  return [
    ...replacedTable('ip', tableName, [
      ...collection(
        'set',
        'subnets',
        'type ipv4_addr; flags interval;',
        router.subnets.map((subnet) => subnet.cidr),
      ),
      ...collection('set', 'links', 'type ifname', links),
      ...collection(
        'set',
        'gateways',
        'typeof iifname . ip daddr',
        router.subnets.map((subnet) => `"${subnet.gatewayLink}" . ${subnet.gateway}`),
      ),
      ...collection(
        'map',
        'private_of',
        'type ipv4_addr : ipv4_addr',
        published.map((port) => `${port.publicIp} : ${port.privateIp}`),
      ),
      ...collection(
        'map',
        'public_of',
        'type ipv4_addr : ipv4_addr',
        published.map((port) => `${port.privateIp} : ${port.publicIp}`),
      ),
      ...collection(
        'map',
        'identity_of',
        'type ipv4_addr : ipv4_addr',
        router.ports.map((port) => `${port.privateIp} : ${port.identity}`),
      ),
      ...translation(router, nodeAddress),
      ...chain('input', [
        'type filter hook input priority filter; policy drop;',
        'iifname "lo" accept',
        'ct state established,related accept',
        'iifname @links udp sport 68 udp dport 67 accept',
        'iifname . ip daddr @gateways udp dport 53 accept',
        'iifname . ip daddr @gateways tcp dport 53 accept',
        'iifname . ip daddr @gateways icmp type echo-request accept',
      ]),
      ...forwarding(router),
    ]),
    '',
  ].join('\n')
}

function translation(router: RouterPlan, nodeAddress: string): string[] {
  return [
    ...chain('prerouting', [
      'type nat hook prerouting priority dstnat; policy accept;',
      `iifname @links ip daddr ${metadataAddress} tcp dport 80 dnat to ${metadataHost}:${metadataPort}`,
      'dnat to ip daddr map @private_of',
    ]),
    ...chain('postrouting', [
      'type nat hook postrouting priority srcnat; policy accept;',
      `ct original ip daddr ${metadataAddress} snat to ip saddr map @identity_of`,
      `oifname "${routerUplink}" snat to ip saddr map @public_of`,
      `oifname "${routerUplink}" snat to ${router.address}`,
      // From a guest to a public address of this very VPC: it comes back in as if from outside (also
      // for who has no public address: as the node, which it would be to any other VPC), or answers would go astray.
      'ip saddr @subnets ct status dnat snat to ip saddr map @public_of',
      `ip saddr @subnets ct status dnat snat to ${nodeAddress}`,
    ]),
  ]
}

function forwarding(router: RouterPlan): string[] {
  const up = `iifname "${routerUplink}"`
  return chain('forward', [
    'type filter hook forward priority filter; policy drop;',
    // What conntrack does not know is not translated, and would leave as it is.
    'ct state invalid drop',
    `${up} ip saddr @subnets drop`,
    ...hopLimits(router).map(
      ([limit, addresses]) =>
        `${up} ip saddr ${metadataHost} ip daddr { ${addresses.join(', ')} } ip ttl set ${limit}`,
    ),
    'ct state established,related accept',
    `${up} ct status dnat accept`,
    `${up} drop`,
    `ip daddr ${metadataHost} ct original ip daddr ${metadataAddress} accept`,
    `ip daddr { 169.254.0.0/16, ${identityRange} } drop`,
    'accept',
  ])
}

/** Forwarding has already taken its one: what is set here is what arrives at the guest. */
function hopLimits(router: RouterPlan): [number, string[]][] {
  const limits = new Map<number, string[]>()
  for (const port of router.ports)
    limits.set(port.hopLimit, [...(limits.get(port.hopLimit) ?? []), port.privateIp])
  return [...limits].toSorted(([a], [b]) => a - b)
}
