import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { whyNoTestNetwork, worldItems } from '@mallee/testkit'
import type { VpcItem } from '@mallee/agent-contract'
import { describe, expect, it } from 'vitest'
import { nodeRuleset } from './node-ruleset.ts'
import { noNumbers, numbersFor } from './numbers.ts'
import { planNetwork } from './plan.ts'
import { rulesetChanges } from './ruleset-changes.ts'

/** Numbers go on from world to world, as on a node. */
let numbers = noNumbers
const rulesOf = (items: readonly VpcItem[]) => {
  numbers = numbersFor(items, numbers)
  const plan = planNetwork(items, { routerPrefix: 'n-r', numbers })
  return nodeRuleset(plan, { uplink: 'uplink', nodeAddress: '198.19.77.2' })
}
const rule = (port: number, peer: string | null = null) => ({
  ...{ protocol: '6', fromPort: port, toPort: port, peerGroupId: peer },
  cidr: peer === null ? '0.0.0.0/0' : null,
})
/** One after the other: rules, peers, interfaces, groups and VPCs come and go. */
const steps = [
  rulesOf(worldItems()),
  rulesOf(worldItems({ a: { ingress: [rule(22)] } })),
  rulesOf(worldItems({ a: { ingress: [rule(22), rule(80, 'sg-c')] }, c: { egress: [] } })),
  rulesOf(worldItems({ a: { ingress: [rule(80, 'sg-b')] }, b: { sourceDestCheck: false } })),
  rulesOf(worldItems({ b: { absent: true }, y: { mac: '02:00:5e:00:00:55' } })),
  rulesOf(worldItems({ b: { absent: true } }).slice(0, 1)),
  rulesOf([]),
  rulesOf(worldItems({ x: { ingress: [rule(443, 'sg-y')], sourceDestCheck: false } })),
]

it('changes nothing where nothing differs, and one chain where one rule does', () => {
  expect(rulesetChanges(steps[0]!, steps[0]!)).toBe('')
  expect(rulesetChanges(steps[0]!, steps[1]!).split('\n')).toEqual([
    'flush chain inet mallee sg_a_in',
    'table inet mallee {',
    '  chain sg_a_in {',
    '    tcp dport 22-22 accept',
    '  }',
    '}',
    '',
  ])
})

describe.skipIf(whyNoTestNetwork() !== null)('in a kernel', () => {
  it('leads where the whole would, from any of these to any other', () => {
    const within = (namespace: string, args: readonly string[], input?: string) =>
      execFileSync('nsenter', [`--net=/run/netns/${namespace}`, 'nft', ...args], { input, encoding: 'utf8' })
    /** Without the order in which things were made. */
    const standing = (namespace: string) =>
      [...within(namespace, ['-s', 'list', 'ruleset']).matchAll(/^table (.*) \{$([^]*?)^\}$/gm)].flatMap(
        ([, table, blocks]) =>
          [...blocks!.matchAll(/^\t\w+ \w+ \{$[^]*?^\t\}$/gm)]
            .map(([text]) => `${table}: ${text}`)
            .toSorted(),
      )
    const names = ['whole', 'changed'].map((name) => `mlc-${randomBytes(3).toString('hex')}-${name}`)
    for (const name of names) execFileSync('ip', ['netns', 'add', name])
    try {
      const [whole, changed] = names as [string, string]
      for (const from of steps)
        for (const to of steps.filter((step) => step !== from)) {
          within(whole, ['-f', '-'], to)
          within(changed, ['-f', '-'], from)
          within(changed, ['-f', '-'], rulesetChanges(from, to))
          expect(standing(changed)).toEqual(standing(whole))
          expect(standing(whole).length).toBeGreaterThan(20)
        }
    } finally {
      for (const name of names) execFileSync('ip', ['netns', 'del', name])
    }
  })
})
