import type { Commands } from './commands.ts'
import { refuseForeignPort } from './foreign-links.ts'
import { identityRange, linkAlias, natLink, tableName } from './names.ts'
import { chain, replacedTable } from './nft-text.ts'
import type { ObservedLink } from './parse.ts'
import type { NatGatewayPlan, NetworkPlan } from './plan.ts'

/**
 * A NAT gateway is what AWS's predecessor of it was, a machine in a public subnet that sends on in its own name: here a
 * namespace with one link into the subnet's bridge. Its public address is translated by the router, as any interface's.
 */
export function natLinks(
  plan: NetworkPlan,
  present: ReadonlyMap<string, ObservedLink>,
  namespaces: ReadonlySet<string>,
): string[] {
  return natGatewaysOf(plan).flatMap(({ namespace, tap, mac, subnet }) => {
    const isNew = !namespaces.has(namespace)
    const link = present.get(tap)
    refuseForeignPort(link)
    const plug = `link set dev ${tap} master ${subnet.bridge}`
    if (link && !isNew) return link.master === subnet.bridge && present.has(subnet.bridge) ? [] : [plug]
    return [
      ...(isNew ? [`netns add ${namespace}`] : []),
      `link add ${tap} mtu ${plan.mtu} type veth peer name ${natLink} address ${mac} mtu ${plan.mtu} netns ${namespace}`,
      `link set dev ${tap} alias ${linkAlias}`,
      `link set dev ${tap} addrgenmode none`,
      plug,
      `link set dev ${tap} up`,
    ]
  })
}

export const natGatewaysOf = (plan: NetworkPlan): NatGatewayPlan[] =>
  plan.routers.flatMap((router) => router.natGateways)

const settings = {
  'ipv6/conf/all/disable_ipv6': 1,
  'ipv6/conf/default/disable_ipv6': 1,
  'ipv4/conf/all/rp_filter': 0,
  'ipv4/conf/default/rp_filter': 0,
  'ipv4/conf/all/send_redirects': 0,
  'ipv4/conf/default/send_redirects': 0,
  'ipv4/conf/all/accept_redirects': 0,
  'ipv4/ip_forward': 1,
} as const

/** Makes the namespace what it is, however often; flows go on. */
export async function establishNatGateway(commands: Commands, gateway: NatGatewayPlan): Promise<void> {
  const { namespace, subnet, privateIp } = gateway
  await commands.nft(natRuleset(gateway), namespace)
  await commands.sysctl(settings, namespace)
  await commands.ip(
    [
      'link set dev lo up',
      `address replace ${privateIp}/${subnet.prefixLength} dev ${natLink}`,
      `link set dev ${natLink} up`,
      `route replace default via ${subnet.gateway} dev ${natLink}`,
    ],
    namespace,
  )
}

/** Nothing comes in but answers; what goes out bears its address. */
export function natRuleset({ privateIp }: NatGatewayPlan): string {
  return [
    ...replacedTable('ip', tableName, [
      ...chain('postrouting', [
        'type nat hook postrouting priority srcnat; policy accept;',
        `ip saddr != ${privateIp} snat to ${privateIp}`,
      ]),
      ...chain('input', [
        'type filter hook input priority filter; policy drop;',
        'iifname "lo" accept',
        // Of its own there is only what it says when a packet is too large.
        'ct state related accept',
      ]),
      ...chain('forward', [
        'type filter hook forward priority filter; policy drop;',
        'ct state invalid drop',
        // Answers go to whatever addresses the VPC has.
        `ct direction original ip daddr { 169.254.0.0/16, ${identityRange} } drop`,
        'ip protocol { tcp, udp, icmp } accept',
      ]),
    ]),
    '',
  ].join('\n')
}
