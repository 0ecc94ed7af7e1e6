import type { InterfaceBytes } from '../driver.ts'
import { dropPriority } from './flow-ruleset.ts'
import { chain } from './nft-text.ts'
import type { NetworkPlan, PortPlan, RouterPlan } from './plan.ts'

/**
 * Bytes of each interface, sent and received, inside (its VPC, the VPCs that it is peered with, the services of the
 * cloud) and outside. Counted in a table of their own on what crosses a bridge, after the security groups have allowed
 * it: a new set of rules replaces the other tables and leaves this one, which is only ever changed. A counter goes when
 * its interface goes from this node, and begins again where the interface is next.
 */
const table = 'bridge mallee_bytes'
const tableName = table.split(' ')[1]!

/** After flow logs have dropped what they only marked as refused (`dropPriority`). */
const countPriority = dropPriority + 50

/** Those that are no way out: link-local services, and who does not know his address yet. */
const services = ['169.254.0.0/16', '255.255.255.255']

const kinds = ['sent_inside', 'sent_outside', 'received_inside', 'received_outside'] as const
type Kind = (typeof kinds)[number]

const counterOf = (port: PortPlan, kind: Kind) => `${port.tap}_${kind}`
const chainOf = (router: RouterPlan, way: 'sent' | 'received') => `vpc${router.tag}_${way}`

/** What of this table stands, of `nft -j list table`; nothing where there is none. */
export interface StandingCounters {
  readonly counters: readonly { readonly name: string; readonly bytes: number }[]
  readonly chains: readonly string[]
}

export const noCounters: StandingCounters = { counters: [], chains: [] }

/** For nft, as one transaction: the table as it should be, with every counter that stays at what it says. */
export function countingRuleset(plan: NetworkPlan, standing: StandingCounters): string {
  const { ports, routers } = plan
  const counters = ports.flatMap((port) => kinds.map((kind) => counterOf(port, kind)))
  const chains = routers.flatMap((router) => [chainOf(router, 'sent'), chainOf(router, 'received')])
  const [keptCounters, keptChains] = [new Set(counters), new Set(['forward', ...chains])]
  return [
    `table ${table} {`,
    ...kinds.flatMap((kind) => [`map ${kind} {`, 'type ifname : counter', '}']),
    ...counters.flatMap((name) => [`counter ${name} {`, '}']),
    ...chain('forward', [`type filter hook forward priority ${countPriority}; policy accept;`]),
    ...chains.flatMap((name) => chain(name, [])),
    '}',
    `flush chain ${table} forward`,
    ...standing.chains.map((name) => `flush chain ${table} ${name}`),
    ...kinds.map((kind) => `flush map ${table} ${kind}`),
    ...standing.chains.filter((name) => !keptChains.has(name)).map((name) => `delete chain ${table} ${name}`),
    ...standing.counters
      .filter(({ name }) => !keptCounters.has(name))
      .map(({ name }) => `delete counter ${table} ${name}`),
    `table ${table} {`,
    ...kinds.flatMap((kind) => elements(kind, ports)),
    ...routers.flatMap(countingChains),
    ...chain('forward', [
      'ether type != ip accept',
      ...verdicts('iifname', routers, 'sent'),
      ...verdicts('oifname', routers, 'received'),
    ]),
    '}',
    '',
  ].join('\n')
}

function elements(kind: Kind, ports: readonly PortPlan[]): string[] {
  if (ports.length === 0) return []
  const all = ports.map((port) => `"${port.tap}" : "${counterOf(port, kind)}"`)
  return [`map ${kind} {`, 'type ifname : counter', `elements = { ${all.join(', ')}`, '}', '}']
}

function countingChains(router: RouterPlan): string[] {
  const inside = [...new Set([...router.cidrs, ...router.peers.flatMap(({ cidrs }) => cidrs), ...services])]
  const counting = (way: 'sent' | 'received') => {
    const [link, other] = way === 'sent' ? ['iifname', 'ip daddr'] : ['oifname', 'ip saddr']
    return chain(chainOf(router, way), [
      `${other} { ${inside.join(', ')} } counter name ${link} map @${way}_inside return`,
      `counter name ${link} map @${way}_outside`,
    ])
  }
  return [...counting('sent'), ...counting('received')]
}

function verdicts(link: 'iifname' | 'oifname', routers: readonly RouterPlan[], way: 'sent' | 'received') {
  const all = routers.flatMap((router) =>
    router.ports.map((port) => `"${port.tap}" : jump ${chainOf(router, way)}`),
  )
  return all.length === 0 ? [] : [`${link} vmap { ${all.join(', ')} }`]
}

export const noCountingRuleset = `table ${table}\ndelete table ${table}`

/** Words for nft that list the table. */
export const listCounters = ['-j', 'list', 'table', 'bridge', tableName]

export function parseCounters(text: string): StandingCounters {
  const { nftables = [] } = JSON.parse(text) as {
    nftables?: { counter?: { name: string; bytes: number }; chain?: { name: string } }[]
  }
  return {
    counters: nftables.flatMap(({ counter }) =>
      counter ? [{ name: counter.name, bytes: counter.bytes }] : [],
    ),
    chains: nftables.flatMap((entry) => (entry.chain ? [entry.chain.name] : [])),
  }
}

export function bytesOf(plan: NetworkPlan, standing: StandingCounters): InterfaceBytes[] {
  const bytes = new Map(standing.counters.map((counter) => [counter.name, counter.bytes]))
  return plan.ports.map((port) => {
    const of = (kind: Kind) => bytes.get(counterOf(port, kind)) ?? 0
    return {
      interfaceId: port.interfaceId,
      sent: { inside: of('sent_inside'), outside: of('sent_outside') },
      received: { inside: of('received_inside'), outside: of('received_outside') },
    }
  })
}
