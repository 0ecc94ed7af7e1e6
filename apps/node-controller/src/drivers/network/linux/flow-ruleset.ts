import { flowSets, tcpFlags, type CaptureFamily, type FlowSet } from './flow-sets.ts'
import { block, chain } from './nft-text.ts'
import type { CapturePlan } from './plan-flow-logs.ts'

/**
 * Counting what crosses captured interfaces, in a table of its own: the node's other tables are replaced whole whenever
 * something changes, and what was counted must outlast that. Its chains change no packet's way.
 *
 * At the bridge's forward hook the taps are seen on both sides. There br_netfilter asks the security groups at priority 0;
 * what they refuse they mark, where anything is captured at all, and the node's own chain drops it after it was counted
 * here. So sender and receiver of one packet each get their own verdict.
 *
 * Network ACLs are asked by the router, in whose namespace such a table counts what they refuse, in the same way.
 */
export const captureTableName = 'mallee_flows'

/** On what the sender's groups do not let out, and on what the receiver's do not let in. */
const refusedMarks = { out: 0x4000_0000, in: 0x2000_0000 } as const
const refusedMask = refusedMarks.out | refusedMarks.in
const hex = (mark: number) => `0x${mark.toString(16).padStart(8, '0')}`

/** Priorities at the forward hooks: counted after groups or ACLs were asked, then dropped. */
const countPriority = 100
export const dropPriority = 200

/** For the tables that mark: what was marked goes no further. */
export const refusedChain = (): string[] =>
  chain('refused', [
    `type filter hook forward priority ${dropPriority}; policy accept;`,
    `meta mark and ${hex(refusedMask)} != 0 drop`,
  ])

/** Instead of `drop`, where refused packets are counted. */
export const refuse = (direction: 'out' | 'in') =>
  `meta mark set meta mark or ${hex(refusedMarks[direction])} accept`

/** Flows of a kind at most, in a window; what comes beyond is known to be missed. */
const mostFlows = 65_535

const ends = 'ip saddr . ip daddr'
const keys = {
  tcp: `${ends} . tcp sport . tcp dport`,
  udp: `${ends} . udp sport . udp dport`,
  other: `${ends} . meta l4proto`,
} as const
const tapOf = { out: 'iifname', in: 'oifname' } as const

const keyOf = (family: CaptureFamily, { direction, kind }: FlowSet): string => {
  // By who missed it alone: there are never more of these than the set has room for.
  if (kind === null)
    return family === 'bridge'
      ? tapOf[direction]
      : `${tapOf[direction]} . ip ${direction === 'out' ? 'saddr' : 'daddr'}`
  return `${tapOf[direction]} . ${keys[kind === 'udp' || kind === 'other' ? kind : 'tcp']}`
}

const matches = {
  tcp: 'meta l4proto tcp',
  udp: 'meta l4proto udp',
  other: 'meta l4proto != { tcp, udp }',
  syn: 'tcp flags & (syn | ack) == syn',
  synack: 'tcp flags & (syn | ack) == syn | ack',
  fin: 'tcp flags & fin == fin',
  rst: 'tcp flags & rst == rst',
} as const

type Member = Pick<CapturePlan, 'tap' | 'ignored' | 'link' | 'addresses'>

/** The whole table, and its first window. */
export function captureTable(family: CaptureFamily, captured: readonly Member[], startMs: number): string {
  const head = [
    ...block('set captured', [family === 'bridge' ? 'type ifname' : 'type ifname . ipv4_addr']),
    ...countingChains(family).flatMap((name) => chain(name, [])),
  ]
  return [
    ...[`table ${family} ${captureTableName}`, `delete table ${family} ${captureTableName}`],
    ...block(`table ${family} ${captureTableName}`, [
      ...head,
      ...(family === 'bridge' ? bridgeChains() : routerChain()),
    ]),
    captureMembers(family, captured),
    nextWindow(family, startMs),
  ].join('\n')
}

function bridgeChains(): string[] {
  return [
    // Of a captured interface, what AWS takes no records of: its router, and the cloud's name servers.
    ...block('set ignored', ['type ifname . ipv4_addr']),
    ...chain('leaving', [
      `meta mark and ${hex(refusedMarks.out)} != 0 goto out_refused`,
      'goto out_accepted',
    ]),
    ...chain('arriving', [
      // Its sender's groups have refused it: it never came as far.
      `meta mark and ${hex(refusedMarks.out)} != 0 return`,
      `meta mark and ${hex(refusedMarks.in)} != 0 goto in_refused`,
      'goto in_accepted',
    ]),
    ...chain('forward', [
      `type filter hook forward priority ${countPriority}; policy accept;`,
      'ether type != ip accept',
      'ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00 accept',
      'ip daddr 169.254.0.0/16 accept',
      'ip saddr 169.254.0.0/16 accept',
      'udp sport 67-68 udp dport 67-68 accept',
      'iifname . ip daddr @ignored accept',
      'oifname . ip saddr @ignored accept',
      'iifname @captured jump leaving',
      'oifname @captured jump arriving',
    ]),
  ]
}

const routerChain = () =>
  chain('forward', [
    `type filter hook forward priority ${countPriority}; policy accept;`,
    `meta mark and ${hex(refusedMarks.out)} != 0 iifname . ip saddr @captured goto out_refused`,
    `meta mark and ${hex(refusedMarks.in)} != 0 oifname . ip daddr @captured goto in_refused`,
  ])

const chainOf = ({ direction, accepted }: FlowSet) => `${direction}_${accepted ? 'accepted' : 'refused'}`
const countingChains = (family: CaptureFamily) => [...new Set(flowSets[family].map(chainOf))]

/** Whose packets are counted. */
export function captureMembers(family: CaptureFamily, captured: readonly Member[]): string {
  const set = (name: string, elements: readonly string[]) => [
    `flush set ${family} ${captureTableName} ${name}`,
    ...(elements.length === 0
      ? []
      : [`add element ${family} ${captureTableName} ${name} { ${elements.join(', ')} }`]),
  ]
  if (family === 'ip') {
    const own = captured.flatMap(({ link, addresses }) =>
      addresses.map((address) => `"${link}" . ${address}`),
    )
    return [...set('captured', own), ''].join('\n')
  }
  const ignored = captured.flatMap((each) => each.ignored.map((address) => `"${each.tap}" . ${address}`))
  const taps = captured.map(({ tap }) => `"${tap}"`)
  return [...set('captured', taps), ...set('ignored', ignored), ''].join('\n')
}

/** Packets are counted in new sets from here on, and in no others. */
export function nextWindow(family: CaptureFamily, startMs: number): string {
  const rules = countingChains(family).flatMap((name) => [
    `flush chain ${family} ${captureTableName} ${name}`,
    ...countingRules(family, name, startMs).map(
      (rule) => `add rule ${family} ${captureTableName} ${name} ${rule}`,
    ),
  ])
  const sets = flowSets[family].flatMap((set) =>
    block(`add set ${family} ${captureTableName} ${set.name}_${startMs}`, [
      `typeof ${keyOf(family, set)};`,
      `size ${mostFlows};`,
      'flags dynamic;',
    ]),
  )
  return [...sets, ...rules, ''].join('\n')
}

/** What a full set does not take makes its rule not match: then it is known whose packets were missed. */
function countingRules(family: CaptureFamily, name: string, startMs: number): string[] {
  const own = flowSets[family].filter((set) => chainOf(set) === name && set.kind !== null)
  const missed = flowSets[family].find((set) => name.startsWith(set.direction) && set.kind === null)!
  const rule = (set: FlowSet) => {
    const key = `@${set.name}_${startMs} { ${keyOf(family, set)}`
    if (set.kind === null) return `update ${key} counter }`
    const match = matches[set.kind]
    return set.kind in tcpFlags ? `${match} update ${key} }` : `${match} update ${key} counter } return`
  }
  const isFlag = ({ kind }: FlowSet) => kind !== null && kind in tcpFlags
  return [...own.filter(isFlag), ...own.filter((set) => !isFlag(set)), missed].map(rule)
}

export function removeWindow(family: CaptureFamily, startMs: number): string {
  return flowSets[family]
    .map(({ name }) => `delete set ${family} ${captureTableName} ${name}_${startMs}\n`)
    .join('')
}
