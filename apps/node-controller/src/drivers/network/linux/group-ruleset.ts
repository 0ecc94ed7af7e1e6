import { refuse } from './flow-ruleset.ts'
import { block, chain, collection } from './nft-text.ts'
import type { GroupPlan, RulePlan } from './plan-groups.ts'
import type { NetworkPlan, PortPlan } from './plan.ts'

/**
 * Security groups as chains: two for each group, which its members share, and two for each interface, which try its
 * groups and then drop. What may leave goes on to the receiver's own chain, so that a packet between two guests of one
 * bridge passes both.
 */
const underscored = (id: string) => id.replaceAll('-', '_')
const groupChain = (group: GroupPlan, direction: 'in' | 'out') => `${underscored(group.groupId)}_${direction}`
const peerSet = (peerGroupId: string) => `peers_${underscored(peerGroupId)}`

export const interfaceChains = {
  name: (port: PortPlan, direction: 'in' | 'out') => `${underscored(port.interfaceId)}_${direction}`,
  verdicts: (plan: NetworkPlan, direction: 'in' | 'out') =>
    plan.ports
      .filter((port) => port.checked)
      .flatMap((port) =>
        port.addresses.map(
          ({ privateIp }) =>
            `"${port.subnet.bridge}" . ${privateIp} : goto ${interfaceChains.name(port, direction)}`,
        ),
      ),
}

export function peerSets(plan: NetworkPlan): string[] {
  const rules = plan.groups.flatMap((group) => [...group.ingress, ...group.egress])
  const sets = new Map<string, readonly string[]>()
  for (const { remote } of rules) if (remote && 'peers' in remote) sets.set(remote.peerGroupId, remote.peers)
  return [...sets].flatMap(([id, peers]) =>
    collection('set', peerSet(id), 'type ipv4_addr', [...new Set(peers)]),
  )
}

/** nft wants a chain to stand before what goes to it. */
export function groupChains(plan: NetworkPlan): string[] {
  return [
    ...block('chain to_interface', []),
    ...plan.groups.flatMap((group) => [
      ...chain(
        groupChain(group, 'in'),
        group.ingress.map((rule) => ruleText(rule, 'ip saddr', 'accept')),
      ),
      ...chain(
        groupChain(group, 'out'),
        group.egress.map((rule) => ruleText(rule, 'ip daddr', 'goto to_interface')),
      ),
    ]),
    ...plan.ports.flatMap((port) =>
      (['in', 'out'] as const).flatMap((direction) =>
        chain(interfaceChains.name(port, direction), [
          ...port.groups.map((group) => `jump ${groupChain(group, direction)}`),
          refusal(plan, direction),
        ]),
      ),
    ),
  ]
}

/** Where flows are counted, what is refused is counted too: it is marked, and dropped after that. */
const refusal = (plan: NetworkPlan, direction: 'in' | 'out') =>
  plan.captured.length === 0 ? 'drop' : refuse(direction)

function ruleText(rule: RulePlan, remote: 'ip saddr' | 'ip daddr', verdict: string): string {
  return [...remoteText(rule, remote), ...protocolText(rule), verdict].join(' ')
}

function remoteText({ remote }: RulePlan, field: string): string[] {
  if (remote === null) return []
  if ('peers' in remote) return [field, `@${peerSet(remote.peerGroupId)}`]
  const [only, ...more] = remote.cidrs
  return [field, more.length === 0 ? only! : `{ ${remote.cidrs.join(', ')} }`]
}

function protocolText(rule: RulePlan): string[] {
  if (rule.protocol === null) return []
  if (rule.first === null || (rule.last === null && rule.protocol !== 1))
    return [`meta l4proto ${rule.protocol}`]
  if (rule.protocol === 1)
    return [`icmp type ${rule.first}`, ...(rule.last === null ? [] : [`icmp code ${rule.last}`])]
  return [`${rule.protocol === 6 ? 'tcp' : 'udp'} dport ${rule.first}-${rule.last}`]
}
