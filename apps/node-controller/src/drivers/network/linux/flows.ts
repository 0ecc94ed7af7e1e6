import { blockContains, parseCidr, parseIpv4 } from '@mallee/base'
import type { Flow } from './parse.ts'
import type { RulePlan } from './plan-groups.ts'
import type { NetworkPlan, PortPlan } from './plan.ts'

/**
 * Which running flows the present rules would not let begin. Established flows pass without being looked at, so a
 * revoked rule takes effect on them only by their removal from conntrack. We remove exactly those: flushing an
 * interface's flows would also cut allowed ones that happen to go on with a packet of the side that may not begin.
 */
export function forbiddenFlows(
  plan: NetworkPlan,
  flows: readonly Flow[],
  formerSubnets: NetworkPlan['subnets'] = [],
): Flow[] {
  const zones = new Set([...plan.subnets, ...formerSubnets].map((subnet) => subnet.zone))
  const owner = new Map(
    plan.ports.flatMap((port) =>
      port.addresses.map(({ privateIp }) => [`${port.subnet.zone} ${privateIp}`, port]),
    ),
  )
  const nameServers = new Set(
    plan.routers.flatMap((router) =>
      router.subnets.flatMap(({ zone, gateway }) =>
        [gateway, ...router.nameServers].map((server) => `${zone} ${server}`),
      ),
    ),
  )
  return flows.filter((flow) => {
    if (!zones.has(flow.zone)) return false
    const from = owner.get(`${flow.zone} ${flow.source}`)
    const to = owner.get(`${flow.zone} ${flow.destination}`)
    // Neither end is known any more; whoever gets the address next must not inherit its flows.
    if (!from && !to) return !isDhcp(flow)
    if (from && isOwnService(flow, from, nameServers)) return false
    const leaves = !from || allows(from, 'egress', flow, flow.destination)
    const enters = !to || isDhcp(flow) || allows(to, 'ingress', flow, flow.source)
    return !(leaves && enters)
  })
}

const isDhcp = (flow: Flow) =>
  flow.protocol === 17 &&
  [67, 68].includes(flow.sourcePort ?? 0) &&
  [67, 68].includes(flow.destinationPort ?? 0)

/** DHCP, DNS and metadata, which no group forbids. */
function isOwnService(flow: Flow, port: PortPlan, nameServers: ReadonlySet<string>): boolean {
  const { protocol, destination, destinationPort } = flow
  if (destination === '169.254.169.254') return protocol === 6 && destinationPort === 80
  if (isDhcp(flow) && destination === port.subnet.gateway) return true
  if (nameServers.has(`${flow.zone} ${destination}`))
    return (protocol === 17 || protocol === 6) && destinationPort === 53
  return isDhcp(flow)
}

function allows(port: PortPlan, direction: 'ingress' | 'egress', flow: Flow, remote: string): boolean {
  return port.groups.some((group) => group[direction].some((rule) => matches(rule, flow, remote)))
}

export function matches(rule: RulePlan, flow: Flow, remote: string): boolean {
  if (rule.protocol !== null && rule.protocol !== flow.protocol) return false
  if (rule.protocol === 1) {
    if (rule.first !== null && rule.first !== flow.icmp?.type) return false
    if (rule.first !== null && rule.last !== null && rule.last !== flow.icmp?.code) return false
  } else if (rule.first !== null && rule.last !== null) {
    const port = flow.destinationPort ?? -1
    if (port < rule.first || port > rule.last) return false
  }
  if (rule.remote === null) return true
  if ('peers' in rule.remote) return rule.remote.peers.includes(remote)
  const address = parseIpv4(remote)!
  return rule.remote.cidrs.some((cidr) => blockContains(parseCidr(cidr)!, address))
}

/** A line for `conntrack --load-file` that ends this flow and no other. */
export function deletion(flow: Flow): string {
  const { icmp } = flow
  return [
    `-D -w ${flow.zone} -p ${flow.protocol} -s ${flow.source} -d ${flow.destination}`,
    icmp ? `--icmp-type ${icmp.type} --icmp-code ${icmp.code} --icmp-id ${icmp.id}` : '',
    !icmp && flow.sourcePort !== null ? `--sport ${flow.sourcePort} --dport ${flow.destinationPort}` : '',
  ]
    .filter((part) => part !== '')
    .join(' ')
}

/**
 * Whether flows that were allowed before may be forbidden now: some interface is gone, is another at its address, or
 * lost a rule or a peer. What only adds (a launch, a new rule) needs no look at the flows.
 */
export function isNarrower(before: NetworkPlan, now: NetworkPlan): boolean {
  const present = new Map(now.ports.map((port) => [port.interfaceId, port]))
  return before.ports.some((old) => {
    const port = present.get(old.interfaceId)
    if (!port || port.subnet.zone !== old.subnet.zone) return true
    if (old.addresses.some(({ privateIp }) => !port.addresses.some((own) => own.privateIp === privateIp)))
      return true
    return (['ingress', 'egress'] as const).some((direction) => {
      const kept = new Set(permissions(port, direction))
      return permissions(old, direction).some((permission) => !kept.has(permission))
    })
  })
}

function permissions(port: PortPlan, direction: 'ingress' | 'egress'): string[] {
  return port.groups.flatMap((group) =>
    group[direction].flatMap(({ protocol, first, last, remote }) => {
      const what = `${protocol} ${first} ${last}`
      if (remote === null) return [what]
      return ('peers' in remote ? remote.peers : remote.cidrs).map((other) => `${what} ${other}`)
    }),
  )
}
