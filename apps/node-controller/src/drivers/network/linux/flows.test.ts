import { worldItems } from '@mallee/testkit'
import type { VpcItem } from '@mallee/agent-contract'
import { describe, expect, it } from 'vitest'
import { deletion, forbiddenFlows, isNarrower } from './flows.ts'
import { assignNumbers, noNumbers } from './numbers.ts'
import type { Flow } from './parse.ts'
import { planNetwork } from './plan.ts'

const rule = (protocol: number, from = -1, to = from, remote: object = { cidr: '0.0.0.0/0' }) => ({
  ...{ protocol: String(protocol), fromPort: from, toPort: to, cidr: null, peerGroupId: null },
  ...remote,
})
const planOf = (items: readonly VpcItem[]) =>
  planNetwork(items, {
    routerPrefix: 'n-r',
    numbers: assignNumbers(noNumbers, {
      vpc: ['vpc-5', 'vpc-6'],
      subnet: ['subnet-51', 'subnet-52', 'subnet-61'],
      interface: items.flatMap((item) => item.interfaces.map((entry) => entry.interfaceId)),
    }),
  })
/** b (172.31.0.5) asks a (172.31.0.4), both on the bridge of zone 1. */
const flow = (change: Partial<Flow> = {}): Flow => ({
  ...{ zone: 1, protocol: 6, source: '172.31.0.5', destination: '172.31.0.4' },
  ...{ sourcePort: 40_000, destinationPort: 22, icmp: null },
  ...change,
})
const isForbidden = (items: VpcItem[], change: Partial<Flow> = {}) =>
  forbiddenFlows(planOf(items), [flow(change)]).length === 1

describe('flows that no rule allows any more', () => {
  it('need the egress of the one and the ingress of the other', () => {
    const ingress = [rule(6, 20, 30)]
    expect(isForbidden(worldItems({ a: { ingress } }))).toBe(false)
    expect(isForbidden(worldItems({ a: { ingress } }), { destinationPort: 31 })).toBe(true)
    expect(isForbidden(worldItems({ a: { ingress }, b: { egress: [] } }))).toBe(true)
    expect(isForbidden(worldItems())).toBe(true)
  })

  it('are judged by block, peer, protocol and ICMP type', () => {
    const of = (one: ReturnType<typeof rule>) => worldItems({ a: { ingress: [one] } })
    expect(isForbidden(of(rule(-1, -1, -1, { cidr: '172.31.0.5/32' })))).toBe(false)
    expect(isForbidden(of(rule(-1, -1, -1, { cidr: '172.31.0.6/32' })))).toBe(true)
    expect(isForbidden(of(rule(6, 22, 22, { cidr: null, peerGroupId: 'sg-b' })))).toBe(false)
    expect(isForbidden(of(rule(6, 22, 22, { cidr: null, peerGroupId: 'sg-c' })))).toBe(true)
    const ping = { protocol: 1, sourcePort: null, destinationPort: null, icmp: { type: 8, code: 0, id: 1 } }
    expect(isForbidden(of(rule(1, 8, 0)), ping)).toBe(false)
    expect(isForbidden(of(rule(1, 8, -1)), ping)).toBe(false)
    expect(isForbidden(of(rule(1, 13, -1)), ping)).toBe(true)
    expect(isForbidden(of(rule(17, 22)))).toBe(true)
  })

  it('are not those of DHCP, DNS and metadata, nor those of other zones', () => {
    const shut = worldItems({ b: { egress: [] } })
    expect(isForbidden(shut, { destination: '169.254.169.254', destinationPort: 80 })).toBe(false)
    expect(isForbidden(shut, { destination: '172.31.0.1', protocol: 17, destinationPort: 53 })).toBe(false)
    expect(isForbidden(shut, { destination: '172.31.0.1', destinationPort: 22 })).toBe(true)
    expect(isForbidden(shut, { zone: 0 })).toBe(false)
    const dhcp = { source: '0.0.0.0', destination: '255.255.255.255', protocol: 17 }
    expect(isForbidden(shut, { ...dhcp, sourcePort: 68, destinationPort: 67 })).toBe(false)
  })

  it('are all of an address that nobody has, in zones of subnets that are gone too', () => {
    const stray = { source: '172.31.0.77', destination: '9.9.9.9' }
    expect(isForbidden(worldItems(), stray)).toBe(true)
    const former = planOf(worldItems()).subnets
    const now = planOf(worldItems().slice(0, 1))
    expect(forbiddenFlows(now, [flow({ zone: 3 })])).toEqual([])
    expect(forbiddenFlows(now, [flow({ zone: 3 })], former)).toHaveLength(1)
  })

  it('are named to conntrack so that no other is meant', () => {
    expect(deletion(flow())).toBe('-D -w 1 -p 6 -s 172.31.0.5 -d 172.31.0.4 --sport 40000 --dport 22')
    expect(deletion(flow({ protocol: 1, icmp: { type: 8, code: 0, id: 7 } }))).toBe(
      '-D -w 1 -p 1 -s 172.31.0.5 -d 172.31.0.4 --icmp-type 8 --icmp-code 0 --icmp-id 7',
    )
  })
})

describe('whether a network is narrower than before', () => {
  const before = worldItems({
    a: { ingress: [rule(6, 22), rule(6, 80, 80, { cidr: null, peerGroupId: 'sg-b' })] },
  })
  const narrower = (items: VpcItem[]) => isNarrower(planOf(before), planOf(items))
  it('a launch or a new rule is not; a lost rule, peer or interface is', () => {
    expect(narrower(before)).toBe(false)
    expect(isNarrower(planOf(worldItems({ b: { absent: true } })), planOf(worldItems()))).toBe(false)
    expect(narrower(worldItems({ a: { ingress: [rule(6, 22)] } }))).toBe(true)
    expect(narrower(worldItems({ b: { absent: true } }))).toBe(true)
    const [five, six] = structuredClone(before)
    expect(narrower([{ ...five!, peerAddresses: {} }, six!])).toBe(true)
  })
})
