import { flowSets, type FlowSet } from './flow-sets.ts'
import { block, chain } from './nft-text.ts'
import type { CapturePlan } from './plan-flow-logs.ts'

/**
 * Counting what crosses captured interfaces, in a table of its own: the node's other tables are replaced whole whenever
 * something changes, and what was counted must outlast that. Its chains change no packet's way.
 *
 * At the bridge's forward hook the taps are seen on both sides. There br_netfilter asks the security groups at priority 0;
 * what they refuse they mark, where anything is captured at all, and the node's own chain drops it after it was counted
 * here. So sender and receiver of one packet each get their own verdict.
 */
export const captureTableName = 'mallee_flows'

/** On what the sender's groups do not let out, and on what the receiver's do not let in. */
export const refusedMarks = { out: 0x4000_0000, in: 0x2000_0000 } as const
export const refusedMask = refusedMarks.out | refusedMarks.in
export const hex = (mark: number) => `0x${mark.toString(16).padStart(8, '0')}`

/** Priorities at the bridge's forward hook: counted after the groups were asked, then dropped. */
const countPriority = 100
export const dropPriority = 200

/** Flows of a kind at most, in a window; what comes beyond is known to be missed. */
const mostFlows = 65_535

const ends = 'ip saddr . ip daddr'
const keys = {
  tcp: `${ends} . tcp sport . tcp dport`,
  udp: `${ends} . udp sport . udp dport`,
  other: `${ends} . meta l4proto`,
} as const
const tapOf = { out: 'iifname', in: 'oifname' } as const

const keyOf = ({ direction, kind }: FlowSet): string => {
  if (kind === null) return tapOf[direction]
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

/** The whole table, and its first window. */
export function captureTable(captured: readonly CapturePlan[], startMs: number): string {
  const table = [
    ...block('set captured', ['type ifname']),
    // Of a captured interface, what AWS takes no records of: its router, and the cloud's name servers.
    ...block('set ignored', ['type ifname . ipv4_addr']),
    ...countingChains.flatMap((name) => chain(name, [])),
    ...chain('leaving', [
      `meta mark and ${hex(refusedMarks.out)} != 0 goto leaving_refused`,
      'goto leaving_accepted',
    ]),
    ...chain('arriving', [
      // Its sender's groups have refused it: it never came as far.
      `meta mark and ${hex(refusedMarks.out)} != 0 return`,
      `meta mark and ${hex(refusedMarks.in)} != 0 goto arriving_refused`,
      'goto arriving_accepted',
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
  return [
    ...[`table bridge ${captureTableName}`, `delete table bridge ${captureTableName}`],
    ...block(`table bridge ${captureTableName}`, table),
    captureMembers(captured),
    nextWindow(startMs),
  ].join('\n')
}

const countingChains = ['leaving_accepted', 'leaving_refused', 'arriving_accepted', 'arriving_refused']

/** Whose packets are counted. */
export function captureMembers(captured: readonly CapturePlan[]): string {
  const set = (name: string, elements: readonly string[]) => [
    `flush set bridge ${captureTableName} ${name}`,
    ...(elements.length === 0
      ? []
      : [`add element bridge ${captureTableName} ${name} { ${elements.join(', ')} }`]),
  ]
  return [
    ...set(
      'captured',
      captured.map(({ tap }) => `"${tap}"`),
    ),
    ...set(
      'ignored',
      captured.flatMap(({ tap, ignored }) => ignored.map((address) => `"${tap}" . ${address}`)),
    ),
    '',
  ].join('\n')
}

/** Packets are counted in new sets from here on, and in no others. */
export function nextWindow(startMs: number): string {
  const rules = countingChains.flatMap((name) => [
    `flush chain bridge ${captureTableName} ${name}`,
    ...countingRules(name, startMs).map((rule) => `add rule bridge ${captureTableName} ${name} ${rule}`),
  ])
  const sets = flowSets.flatMap((set) =>
    block(`add set bridge ${captureTableName} ${set.name}_${startMs}`, [
      `typeof ${keyOf(set)};`,
      `size ${mostFlows};`,
      'flags dynamic;',
    ]),
  )
  return [...sets, ...rules, ''].join('\n')
}

/** What a full set does not take makes its rule not match: then it is known whose packets were missed. */
function countingRules(name: string, startMs: number): string[] {
  const [direction, accepted] = [name.startsWith('leaving') ? 'out' : 'in', name.endsWith('accepted')]
  const own = flowSets.filter((set) => set.direction === direction && set.accepted === accepted)
  const update = (set: FlowSet) => {
    const counts = set.kind !== null && !(set.kind in flagMatches)
    const counter = counts || set.kind === null ? ' counter' : ''
    const match = set.kind === null ? '' : `${matches[set.kind]} `
    const end = counts ? ' return' : ''
    return `${match}update @${set.name}_${startMs} { ${keyOf(set)}${counter} }${end}`
  }
  const isFlag = (set: FlowSet) => set.kind !== null && set.kind in flagMatches
  const missed = flowSets.find((set) => set.direction === direction && set.kind === null)!
  const flows = own.filter((set) => set.kind !== null)
  return [...flows.filter(isFlag), ...flows.filter((set) => !isFlag(set)), missed].map(update)
}

const flagMatches = { syn: true, synack: true, fin: true, rst: true }

export function removeWindow(startMs: number): string {
  return flowSets.map(({ name }) => `delete set bridge ${captureTableName} ${name}_${startMs}\n`).join('')
}
