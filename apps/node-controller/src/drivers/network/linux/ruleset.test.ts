import { worldItems } from '@mallee/testkit'
import type { VpcItem } from '@mallee/agent-contract'
import { describe, expect, it } from 'vitest'
import { nodeRuleset } from './node-ruleset.ts'
import { assignNumbers, noNumbers } from './numbers.ts'
import { planNetwork } from './plan.ts'
import { routerRuleset } from './router-ruleset.ts'

const planOf = (items: readonly VpcItem[]) =>
  planNetwork(items, {
    routerPrefix: 'n-r',
    numbers: assignNumbers(noNumbers, {
      vpc: items.map((item) => item.vpcId),
      subnet: items.flatMap((item) => item.subnets.map((subnet) => subnet.subnetId)),
      interface: items.flatMap((item) => item.interfaces.map((entry) => entry.interfaceId)),
    }),
  })
const rulesOf = (items: readonly VpcItem[]) =>
  nodeRuleset(planOf(items), { uplink: 'uplink', nodeAddress: '198.19.77.2' })

/** The lines of a chain or set, without their indentation. */
function part(text: string, head: string): string[] {
  const lines = text.split('\n').map((line) => line.trim())
  const start = lines.lastIndexOf(`${head} {`)
  return lines.slice(start + 1, lines.indexOf('}', start))
}

describe('the rules of the node', () => {
  it('replace each table whole, in one transaction', () => {
    const lines = rulesOf(worldItems()).split('\n')
    for (const family of ['bridge', 'inet', 'ip'])
      for (const line of [`table ${family} mallee`, `delete table ${family} mallee`])
        expect(lines.filter((candidate) => candidate === line)).toHaveLength(1)
  })

  it('render each kind of rule', () => {
    const items = worldItems({
      a: {
        ingress: [
          { protocol: '6', fromPort: 22, toPort: 25, cidr: '10.1.2.3/8', peerGroupId: null },
          { protocol: '17', fromPort: 53, toPort: 53, cidr: null, peerGroupId: 'sg-c' },
          { protocol: '1', fromPort: 8, toPort: 0, cidr: '0.0.0.0/0', peerGroupId: null },
          { protocol: '1', fromPort: 3, toPort: -1, cidr: '0.0.0.0/0', peerGroupId: null },
          { protocol: '1', fromPort: -1, toPort: -1, cidr: '0.0.0.0/0', peerGroupId: null },
          { protocol: '47', fromPort: -1, toPort: -1, cidr: '1.2.3.4/32', peerGroupId: null },
          { protocol: '6', fromPort: -1, toPort: -1, cidr: '0.0.0.0/0', peerGroupId: null },
        ],
      },
    })
    const text = rulesOf(items)
    expect(part(text, 'chain sg_a_in')).toEqual([
      'ip saddr 10.0.0.0/8 tcp dport 22-25 accept',
      'ip saddr @peers_sg_c udp dport 53-53 accept',
      'icmp type 8 icmp code 0 accept',
      'icmp type 3 accept',
      'meta l4proto 1 accept',
      'ip saddr 1.2.3.4/32 meta l4proto 47 accept',
      'meta l4proto 6 accept',
    ])
    expect(part(text, 'chain sg_a_out')).toEqual(['goto to_interface'])
    expect(part(text, 'set peers_sg_c')).toContain('elements = { 172.31.16.4')
    expect(part(text, 'chain eni_0000000000000000a_in')).toEqual(['jump sg_a_in', 'drop'])
  })

  it('shut an interface whose groups nobody said', () => {
    const items = structuredClone(worldItems())
    items[0]!.interfaces[0]!.securityGroupIds = ['sg-unknown']
    expect(part(rulesOf(items), 'chain eni_0000000000000000a_in')).toEqual(['drop'])
  })

  it('key addresses by their bridge, so that equal ones of two VPCs differ', () => {
    const verdicts = part(rulesOf(worldItems()), 'map ingress').join(' ')
    expect(verdicts).toContain('"br1f" . 172.31.0.4 : goto eni_0000000000000000a_in')
    expect(verdicts).toContain('"br1p" . 172.31.0.4 : goto eni_0000000000000000e_in')
  })

  it('stand without any VPC', () => {
    expect(rulesOf([])).not.toContain('elements')
  })
})

describe('the rules of a router', () => {
  it('translate the public addresses of their own VPC only', () => {
    const [five, six] = planOf(worldItems()).routers.map((router) => routerRuleset(router, '198.19.77.2'))
    expect(part(five!, 'map private_of').join(' ')).toContain(
      '198.19.77.10 : 172.31.0.4, 198.19.77.11 : 172.31.16.4',
    )
    expect(part(six!, 'map private_of').join(' ')).toContain('198.19.77.20 : 172.31.0.4')
    expect(five).not.toContain('198.19.77.20')
  })

  it('set the hop limits, one rule for all interfaces of one limit', () => {
    const [router] = planOf(worldItems({ a: { metadataHopLimit: 1 } })).routers
    expect(
      part(routerRuleset(router!, '198.19.77.2'), 'chain forward').filter((line) => line.includes('ttl')),
    ).toEqual([
      'iifname "up" ip saddr 169.254.0.1 ip daddr { 172.31.0.4 } ip ttl set 1',
      'iifname "up" ip saddr 169.254.0.1 ip daddr { 172.31.0.5, 172.31.16.4 } ip ttl set 2',
    ])
  })
})
