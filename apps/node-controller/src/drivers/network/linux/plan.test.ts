import { worldItems } from '@mallee/testkit'
import type { VpcItem } from '@mallee/agent-contract'
import { describe, expect, it } from 'vitest'
import { assignNumbers, noNumbers } from './numbers.ts'
import { planNetwork } from './plan.ts'

const planOf = (items: readonly VpcItem[]) =>
  planNetwork(items, {
    routerPrefix: 'n-r',
    numbers: assignNumbers(noNumbers, {
      vpc: items.map((item) => item.vpcId),
      subnet: items.flatMap((item) => item.subnets.map((subnet) => subnet.subnetId)),
      interface: items.flatMap((item) => item.interfaces.map((entry) => entry.interfaceId)),
    }),
  })

describe('the plan of the network', () => {
  it('gives two VPCs of one address range bridges, zones, routers and identities of their own', () => {
    const { routers, subnets, ports } = planOf(worldItems())
    expect(routers.map((router) => [router.namespace, router.port, router.address])).toEqual([
      ['n-r5', 'ru5', '169.254.0.2'],
      ['n-r6', 'ru6', '169.254.0.3'],
    ])
    expect(subnets.map((subnet) => [subnet.bridge, subnet.gateway, subnet.zone])).toEqual([
      ['br1f', '172.31.0.1', 1],
      ['br1g', '172.31.16.1', 2],
      ['br1p', '172.31.0.1', 3],
    ])
    expect(new Set(ports.map((port) => port.identity)).size).toBe(5)
  })

  const changed = (change: (item: VpcItem) => void) => {
    const items = structuredClone(worldItems())
    change(items[0]!)
    return () => planOf(items)
  }

  it('shuts a subnet whose route table or ACL is named and not described', () => {
    const subnets = changed((item) => {
      const [first] = item.subnets
      Object.assign(first!, { routeTableId: 'rtb-1', networkAclId: 'acl-1' })
    })().subnets
    expect(subnets.map(({ routes }) => routes)).toEqual([[], null, null])
    expect(subnets.map(({ acl }) => acl)).toEqual([
      { networkAclId: 'acl-1', ingress: [], egress: [] },
      null,
      null,
    ])
  })

  it('refuses what cannot be, or would be read as something else by a program', () => {
    const first = (item: VpcItem) => item.interfaces[0]!
    expect(changed((item) => (first(item).privateIp = '172.31.0.1'))).toThrow(/no address of its subnet/)
    expect(changed((item) => (first(item).privateIp = '172.31.15.255'))).toThrow(/no address of its subnet/)
    expect(changed((item) => (first(item).publicIp = '1.2.3'))).toThrow(/no address/)
    expect(changed((item) => (first(item).mac = '02:00'))).toThrow(/MAC/)
    expect(changed((item) => (first(item).hostname = 'a\nb'))).toThrow(/host name/)
    expect(changed((item) => (first(item).interfaceId = 'eni-1; drop'))).toThrow(/no id/)
    expect(changed((item) => (first(item).subnetId = 'subnet-9'))).toThrow(/does not have/)
    expect(changed((item) => (item.interfaces[1]!.privateIp = first(item).privateIp))).toThrow(/twice/)
    expect(changed((item) => (item.tag = 6))).toThrow(/twice/)
    expect(changed((item) => (item.securityGroups[0]!.egress[0]!.cidr = 'any'))).toThrow(/block/)
    expect(changed((item) => (item.securityGroups[0]!.egress[0]!.protocol = 'tcp'))).toThrow(/protocol/)
  })

  it('leaves out rules that can match nothing here: IPv6, and remotes that are not built', () => {
    const plan = changed((item) => {
      const rule = { protocol: '-1', fromPort: -1, toPort: -1, cidr: null, peerGroupId: null }
      item.securityGroups[0]!.egress = [
        { ...rule, cidr: '::/0' },
        rule,
        { ...rule, protocol: '58', cidr: '0.0.0.0/0' },
      ]
    })()
    expect(plan.groups[0]!.egress).toEqual([])
  })
})

describe('numbers', () => {
  const of = (...ids: string[]) => ({ vpc: [], subnet: [], interface: ids })
  it('stay while their thing does, and come back last when it has gone', () => {
    const first = assignNumbers(noNumbers, of('a', 'b'))
    const second = assignNumbers(first, of('b'))
    const third = assignNumbers(second, of('c', 'b', 'a'))
    expect(third.interface.of).toEqual({ b: 2, c: 3, a: 4 })
  })

  it('begin again at the start of the range, where it is free', () => {
    const late = { ...noNumbers, interface: { of: { z: 1 }, next: 65_534 } }
    expect(assignNumbers(late, of('z', 'y', 'x')).interface.of).toEqual({ z: 1, y: 65_534, x: 2 })
  })
})
