import { expect, it } from 'vitest'
import { testHostAddress } from '../src/test-network.ts'
import { allowed, natAddress, natRoute, peerRoute } from './lan-items.ts'
import { connects, ip, open, quick, type Guest, type World } from './lan-world.ts'
import { connected, reachesAs } from './network-world.ts'

/** By which an interface forwards for an address that is nobody's in the VPC. */
const applianceAddress = '203.0.113.7'
const applianceRoute = {
  destination: '203.0.113.0/24',
  target: 'network-interface',
  via: ip('r'),
  viaSubnetId: 'subnet-71',
} as const

/** Internet gateway, NAT gateway, routes, public addresses. */
export function waysOut(world: World, guest: Guest): void {
  it('goes out by its own public address, by a NAT gateway on whatever node, or not at all', async () => {
    await world().wish()
    await reachesAs(guest('p'), testHostAddress, world().lan.host, '198.19.77.30', 8_080)
    for (const who of ['q', 's'] as const)
      await reachesAs(guest(who), testHostAddress, world().lan.host, natAddress, 8_080)
    // A public subnet without a public address, a VPC without a route.
    expect(await connects(guest('r'), testHostAddress, 8_080)).toBe(false)
    expect(await connects(guest('t'), testHostAddress, 8_080)).toBe(false)
  })

  it('lets nothing in by the NAT gateway', async () => {
    await world().wish({ ingress: open })
    expect(await connects(world().lan.host, natAddress)).toBe(false)
    expect(await world().lan.host.pings(natAddress)).toBe(false)
  })

  it('reaches a public address of its own VPC through the NAT gateway', async () => {
    await world().wish({ ingress: open })
    for (const who of ['q', 's'] as const) await reachesAs(guest(who), '198.19.77.30', guest('p'), natAddress)
    expect(await connects(guest('p'), '198.19.77.30')).toBe(true)
  })

  it('follows routes as they change: away, into nowhere, to one address, to a gateway that is gone', async () => {
    await world().wish({ routes: { 72: [] } })
    expect(await connects(guest('q'), testHostAddress, 8_080)).toBe(false)
    await world().wish({ routes: { 72: [{ destination: '0.0.0.0/0', target: 'blackhole' }] } })
    expect(await connects(guest('q'), testHostAddress, 8_080)).toBe(false)
    await world().wish({ routes: { 72: [{ ...natRoute, destination: `${testHostAddress}/32` }] } })
    expect(await connects(guest('q'), testHostAddress, 8_080)).toBe(true)
    await world().wish({ withoutNat: true })
    expect(await connects(guest('q'), testHostAddress, 8_080)).toBe(false)
    await world().wish()
    expect(await connects(guest('q'), testHostAddress, 8_080)).toBe(true)
  })

  it('leads by a route to an interface that may forward, and by no other', async () => {
    const routes = { 72: [applianceRoute] }
    await guest('r').ip(`addr add ${applianceAddress}/32 dev eth0`)
    await world().wish({ ingress: open, routes })
    expect(await connects(guest('q'), applianceAddress)).toBe(false)
    await world().wish({ ingress: open, routes, sourceDestCheck: { r: false } })
    await reachesAs(guest('q'), applianceAddress, guest('r'), ip('q'))
    await reachesAs(guest('s'), applianceAddress, guest('r'), ip('s'))
    await world().wish({ ingress: open, sourceDestCheck: { r: false } })
    expect(await connects(guest('q'), applianceAddress)).toBe(false)
    await guest('r').ip(`addr del ${applianceAddress}/32 dev eth0`)
  })

  it('keeps the route to a single address when rules are applied anew', async () => {
    const wishes = { routes: { 72: [{ ...natRoute, destination: `${testHostAddress}/32` }] } }
    await world().wish(wishes)
    await world().restart(0)
    await world().wish(wishes)
    expect(await connects(guest('q'), testHostAddress, 8_080)).toBe(true)
  })

  it('leads by a NAT gateway only what routes lead there, not whoever sends to it', async () => {
    await world().wish({ ingress: open })
    await guest('r').ip(
      `route add ${testHostAddress}/32 via 10.7.1.200`,
      `route add ${ip('q')}/32 via 10.7.1.200`,
    )
    expect(await connects(guest('r'), testHostAddress, 8_080)).toBe(false)
    // It would come as the gateway's, whom rules may trust more than r.
    expect(await connects(guest('r'), ip('q'))).toBe(false)
    await guest('r').ip(`route del ${testHostAddress}/32`, `route del ${ip('q')}/32`)
  })

  it('moves a public address between nodes, and neighbours follow at once', async () => {
    await world().wish({ ingress: open })
    const old = await connected(world().lan.host, '198.19.77.30')
    await world().wish({ ingress: open, publicIp: { p: null, r: '198.19.77.30' } })
    await reachesAs(world().lan.host, '198.19.77.30', guest('r'), testHostAddress)
    expect(await world().lan.host.echoes(old, quick)).toBe(false)
    await world().wish({ ingress: open })
    await reachesAs(world().lan.host, '198.19.77.30', guest('p'), testHostAddress)
  })

  it('answers for many public addresses at once, not one after the other', async () => {
    const many = Array.from({ length: 25 }, (_none, index) => ({
      privateIp: `10.7.1.${100 + index}`,
      publicIp: `198.19.77.${100 + index}`,
    }))
    await world().wish({ ingress: open, secondary: { p: many } })
    // Whether or not neighbours have been told of all of them by now.
    const answered = await world().lan.exec(world().lan.nodes[0]!.name, 'ip', ['neigh', 'show', 'proxy'])
    for (const { publicIp } of many) expect(answered).toContain(`${publicIp} dev uplink`)
    await guest('p').ip('addr add 10.7.1.124/32 dev eth0')
    expect(await connects(world().lan.host, '198.19.77.124')).toBe(true)
    await guest('p').ip('addr del 10.7.1.124/32 dev eth0')
    await world().wish({ ingress: open })
  })
}

/** Network ACLs. */
export function accessControl(world: World, guest: Guest): void {
  const deny = (cidr: string) => ({ ...allowed, allow: false, cidr })
  it('asks the network ACL of both subnets, in order, for every packet', async () => {
    const tcp22 = { ...allowed, protocol: '6', fromPort: 22, toPort: 22 }
    const high = { ...allowed, protocol: '6', fromPort: 1024, toPort: 65_535 }
    await world().wish({ ingress: open, acls: { 72: { ingress: [tcp22], egress: [high] } } })
    expect(await connects(guest('p'), ip('s'))).toBe(true)
    expect(await guest('p').pings(ip('s'))).toBe(false)
    // Answers are packets like others.
    await world().wish({ ingress: open, acls: { 72: { ingress: [tcp22], egress: [] } } })
    expect(await connects(guest('p'), ip('s'))).toBe(false)
    await world().wish({
      ingress: open,
      acls: { 72: { ingress: [deny(`${ip('p')}/32`), allowed], egress: [allowed] } },
    })
    expect(await connects(guest('p'), ip('s'))).toBe(false)
    expect(await connects(guest('r'), ip('s'))).toBe(true)
    await world().wish({
      ingress: open,
      acls: { 72: { ingress: [allowed, deny(`${ip('p')}/32`)], egress: [allowed] } },
    })
    expect(await connects(guest('p'), ip('s'))).toBe(true)
  })

  it('leaves what stays within a subnet, and the services of the cloud, alone', async () => {
    await world().wish({ ingress: open, acls: { 72: { ingress: [], egress: [] } } })
    expect(await connects(guest('q'), ip('s'))).toBe(true)
    const said = await guest('q').exec('busybox', ['nslookup', 'ip-10-7-1-5.ec2.internal', '10.7.2.1'])
    expect(said).toContain('10.7.1.5')
    expect(await connects(guest('q'), ip('p'))).toBe(false)
  })

  it('filters what comes from outside, and by ICMP type', async () => {
    const pingOnly = { ...allowed, protocol: '1', fromPort: 8, toPort: -1 }
    await world().wish({ ingress: open, acls: { 71: { ingress: [pingOnly], egress: [allowed] } } })
    expect(await world().lan.host.pings('198.19.77.30')).toBe(true)
    expect(await connects(world().lan.host, '198.19.77.30')).toBe(false)
  })
}

/** Peered VPCs. */
export function peers(world: World, guest: Guest): void {
  const bothWays = {
    71: [peerRoute('100.64.0.0/16'), { destination: '0.0.0.0/0', target: 'internet-gateway' as const }],
    72: [peerRoute('100.64.0.0/16'), natRoute],
    81: [peerRoute('10.7.0.0/16')],
  }
  it('joins two VPCs where both have routes, and no third', async () => {
    await world().wish({ ingress: open })
    expect(await connects(guest('q'), ip('t'))).toBe(false)
    await world().wish({ ingress: open, peered: true, routes: bothWays })
    for (const [from, to] of [
      ['q', 't'],
      ['s', 't'],
      ['t', 'q'],
      ['t', 's'],
    ] as const) {
      await reachesAs(guest(from), ip(to), guest(to), ip(from))
    }
    expect(await connects(guest('u'), ip('t'))).toBe(false)
    await world().wish({ ingress: open, peered: true, routes: { ...bothWays, 81: [] } })
    expect(await connects(guest('q'), ip('t'))).toBe(false)
  })

  it("is no way through: neither to the outside nor along the peer's own routes", async () => {
    const all = [peerRoute('0.0.0.0/0')]
    const routes = { ...bothWays, 72: [...bothWays[72], applianceRoute], 81: all }
    await guest('r').ip(`addr add ${applianceAddress}/32 dev eth0`)
    await world().wish({ ingress: open, peered: true, routes, sourceDestCheck: { r: false } })
    expect(await connects(guest('t'), ip('q'))).toBe(true)
    expect(await connects(guest('q'), testHostAddress, 8_080)).toBe(true)
    expect(await connects(guest('t'), testHostAddress, 8_080)).toBe(false)
    expect(await connects(guest('q'), applianceAddress)).toBe(true)
    expect(await connects(guest('t'), applianceAddress)).toBe(false)
    await guest('r').ip(`addr del ${applianceAddress}/32 dev eth0`)
  })
}
