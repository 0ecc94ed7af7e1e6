import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TestGuest } from '../src/test-guest.ts'
import {
  allow,
  everything,
  interfaceIdOf,
  macOf,
  places,
  tcp,
  worldItems,
  type GuestName,
} from './network-driver.ts'
import {
  connected,
  eventually,
  makeNetworkWorld,
  type NetworkWorld,
  type OpenDriver,
} from './network-world.ts'

const quick = { timeoutMs: 400 }
const ip = (name: GuestName) => places[name].privateIp

/** Security groups and what guests may claim to be, proven with packets. */
export function describeNetworkRules(name: string, open: OpenDriver): void {
  describe(`rules of the ${name} network`, () => {
    let world: NetworkWorld
    const guest = (who: GuestName): TestGuest => world.guests[who]
    beforeAll(async () => {
      world = await makeNetworkWorld(open)
      await Promise.all([22, 80].map((port) => guest('a').listenTcp(port)))
      await guest('a').listenUdp(5_000)
    })
    afterAll(() => world.end())
    const connects = async (from: GuestName, to: GuestName, port: number) =>
      (await guest(from).connectTcp(ip(to), port, quick)) !== null

    securityGroups(() => world, guest, connects)
    identities(() => world, guest)
  })
}

function securityGroups(
  world: () => NetworkWorld,
  guest: (who: GuestName) => TestGuest,
  connects: (from: GuestName, to: GuestName, port: number) => Promise<boolean>,
): void {
  it('lets nothing in that no rule allows, within a subnet, across subnets and from outside', async () => {
    await world().wish()
    expect(await connects('b', 'a', 22)).toBe(false)
    expect(await connects('c', 'a', 22)).toBe(false)
    expect(await world().network.host.connectTcp('198.19.77.10', 22, quick)).toBeNull()
    expect(await guest('b').pings(ip('a'))).toBe(false)
  })

  it('lets in by protocol, port and block', async () => {
    await world().wish({ a: { ingress: [tcp(22, { cidr: '172.31.0.0/20' })] } })
    expect(await connects('b', 'a', 22)).toBe(true)
    expect(await connects('b', 'a', 80)).toBe(false)
    expect(await connects('c', 'a', 22)).toBe(false)
    await world().wish({ a: { ingress: [allow(6, 50, 90)] } })
    expect(await connects('c', 'a', 80)).toBe(true)
    expect(await connects('c', 'a', 22)).toBe(false)
  })

  it('lets in by ICMP type, and by nothing else of ICMP', async () => {
    await world().wish({ a: { ingress: [allow(1, 8, -1)] } })
    expect(await guest('b').pings(ip('a'))).toBe(true)
    await world().wish({ a: { ingress: [allow(1, 13, 0)] } })
    expect(await guest('b').pings(ip('a'))).toBe(false)
  })

  it('lets in the members of a group by their private addresses, and no longer once they are none', async () => {
    await world().wish({ a: { ingress: [tcp(22, { peer: 'c' })] } })
    expect(await connects('c', 'a', 22)).toBe(true)
    expect(await connects('b', 'a', 22)).toBe(false)
    // By the public address the peer comes with its public one, which is no member: as AWS has it.
    expect(await guest('c').connectTcp('198.19.77.10', 22, quick)).toBeNull()
    const live = await connected(guest('c'), ip('a'))
    const [first, second] = worldItems({ a: { ingress: [tcp(22, { peer: 'c' })] } })
    await world()
      .driver()
      .apply([{ ...first!, peerAddresses: { 'sg-c': [] } }, second!])
    expect(await guest('c').echoes(live, quick)).toBe(false)
  })

  it('lets out only what a rule allows, to neighbours and outside', async () => {
    await world().wish({
      a: { ingress: [everything] },
      b: { egress: [tcp(22, { cidr: `${ip('a')}/32` })] },
    })
    await world().network.host.listenTcp(8_080)
    expect(await connects('b', 'a', 22)).toBe(true)
    expect(await connects('b', 'a', 80)).toBe(false)
    expect(await guest('b').connectTcp('198.19.77.1', 8_080, quick)).toBeNull()
  })

  it('cuts the live flows of a revoked rule and only those', async () => {
    const kept = { egress: [], ingress: [tcp(80), allow(17, 5_000)] }
    await world().wish({ a: { ...kept, ingress: [tcp(22), ...kept.ingress] } })
    const revoked = await connected(guest('b'), ip('a'))
    const lasting = await connected(guest('b'), ip('a'), 80)
    const outside = await connected(world().network.host, '198.19.77.10')
    const hears = (who: GuestName, text: string) =>
      eventually(
        async () => (await guest(who).receivedUdp()).some((line) => line.endsWith(text)),
        (heard) => heard,
      )
    await guest('b').sendUdp({ address: ip('a'), port: 5_000, sourcePort: 6_001, text: 'question' })
    expect(await hears('a', 'question')).toBe(true)
    await world().wish({ a: kept })
    expect(await guest('b').echoes(revoked, quick)).toBe(false)
    expect(await world().network.host.echoes(outside, quick)).toBe(false)
    expect(await guest('b').echoes(lasting)).toBe(true)
    // Goes on with a packet of the side that may not begin: only the flow itself, left alone, lets it pass.
    await guest('a').sendUdp({ address: ip('b'), port: 6_001, sourcePort: 5_000, text: 'late answer' })
    expect(await hears('b', 'late answer')).toBe(true)
  })

  it('answers of allowed questions need no rule of their own', async () => {
    await world().wish({ a: { ingress: [tcp(22)], egress: [] } })
    await connected(guest('b'), ip('a'))
  })

  it('never crosses from one VPC to another of the same addresses', async () => {
    await world().wish({
      a: { ingress: [everything] },
      b: { ingress: [everything] },
      x: { ingress: [everything] },
    })
    await guest('a').listenTcp(3_333)
    // y asks for the address that both a and x have: x, which does not listen, refuses.
    expect(await connects('y', 'a', 3_333)).toBe(false)
    expect(await connects('b', 'a', 3_333)).toBe(true)
    // c's address exists in the other VPC only.
    expect(await guest('x').pings(ip('c'))).toBe(false)
  })

  it("opens no door by another VPC's rules or flows at the same address", async () => {
    await guest('x').listenTcp(4_444)
    await guest('x').listenUdp(5_000)
    await world().wish({ a: { ingress: [everything] }, b: { ingress: [everything] } })
    expect(await connects('y', 'x', 4_444)).toBe(false)
    const word = { port: 5_000, sourcePort: 6_000 }
    await guest('b').sendUdp({ ...word, address: ip('a'), text: 'asked' })
    await guest('a').sendUdp({ address: ip('b'), port: 6_000, sourcePort: 5_000, text: 'answered' })
    await eventually(
      () => guest('b').receivedUdp(),
      (all) => all.some((line) => line.endsWith('answered')),
    )
    // The very same five numbers, of which the one VPC knows an established flow.
    await guest('y').sendUdp({ ...word, address: ip('x'), text: 'strayed' })
    await world().wish({ x: { ingress: [allow(17, 5_000)] } })
    const said = await eventually(
      async () => {
        await guest('y').sendUdp({ port: 5_000, address: ip('x'), text: 'allowed' })
        return guest('x').receivedUdp()
      },
      (all) => all.some((line) => line.endsWith('allowed')),
    )
    expect(said.some((line) => line.endsWith('allowed'))).toBe(true)
    expect(said.filter((line) => line.endsWith('strayed'))).toEqual([])
  })
}

function identities(world: () => NetworkWorld, guest: (who: GuestName) => TestGuest): void {
  const open = { a: { ingress: [everything] } }
  /** Whether a hears something: sent before a true word of the sender, which is heard for certain. */
  const heard = async (lie: () => Promise<void>, text: string) => {
    await lie()
    const truth = `truth ${Math.random()}`
    const said = await eventually(
      async () => {
        await guest('b').sendUdp({ address: ip('a'), port: 5_000, text: truth })
        return guest('a').receivedUdp()
      },
      (all) => all.some((line) => line.endsWith(truth)),
    )
    expect(said.some((line) => line.endsWith(truth))).toBe(true)
    return said.some((line) => line.endsWith(text))
  }

  it('drops a foreign source address, unless the interface may forward', async () => {
    const lie = (text: string) => async () => {
      await guest('b').ip('addr replace 172.31.0.99/32 dev eth0')
      await guest('b').sendUdp({ address: ip('a'), port: 5_000, sourceAddress: '172.31.0.99', text })
    }
    await world().wish(open)
    expect(await heard(lie('spoofed'), 'spoofed')).toBe(false)
    await world().wish({ ...open, b: { sourceDestCheck: false } })
    expect(await heard(lie('forwarded'), 'forwarded')).toBe(true)
    // Its groups hold for what it forwards, too.
    await world().wish({ ...open, b: { sourceDestCheck: false, egress: [allow(17, 5_001)] } })
    await guest('b').sendUdp({ address: ip('a'), port: 5_000, sourceAddress: '172.31.0.99', text: 'unruled' })
    await world().wish(open)
    expect(await heard(async () => {}, 'unruled')).toBe(false)
    await guest('b').ip('addr del 172.31.0.99/32 dev eth0')
  })

  it('drops a foreign MAC', async () => {
    await world().wish(open)
    expect(await guest('b').pings(ip('a'))).toBe(true)
    await guest('b').ip('link set eth0 address 02:00:5e:00:00:77')
    expect(await guest('b').pings(ip('a'))).toBe(false)
    await guest('b').ip(`link set eth0 address ${macOf('b')}`)
    expect(await guest('b').pings(ip('a'))).toBe(true)
  })

  it("drops ARP claims to a neighbour's or the gateway's address", async () => {
    await world().wish(open)
    await guest('a').exec('sh', ['-c', 'echo 0 > /proc/sys/net/ipv4/neigh/eth0/locktime'])
    const gateway = '172.31.0.1'
    const known = async () => {
      await guest('a').pings(gateway)
      return JSON.parse(await guest('a').exec('ip', ['-j', 'neigh', 'show', gateway])) as {
        lladdr?: string
      }[]
    }
    const before = (await known())[0]!.lladdr
    await guest('b').ip(`addr add ${gateway}/32 dev eth0`)
    await guest('b')
      .exec('busybox', ['arping', '-A', '-c', '2', '-I', 'eth0', '-s', gateway, gateway])
      .catch(() => '')
    await guest('b').ip(`addr del ${gateway}/32 dev eth0`)
    const table = await guest('a').exec('ip', ['-j', 'neigh', 'show', gateway])
    expect(table).toContain(before)
    expect(table).not.toContain(macOf('b'))
  })

  it('drops DHCP answers of guests, and DHCP questions do not reach other guests', async () => {
    await world().wish(open)
    const rogue = () =>
      guest('b').sendUdp({ address: ip('a'), port: 5_000, sourcePort: 67, text: 'take this' })
    expect(await heard(rogue, 'take this')).toBe(false)
  })

  it('drops IPv6 of guests', async () => {
    await world().wish(open)
    for (const who of ['a', 'b'] as const)
      await guest(who).exec('sh', ['-c', 'echo 0 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6'])
    const received = async () =>
      Number(/Ip6InReceives\s+(\d+)/.exec(await guest('a').exec('cat', ['/proc/net/snmp6']))![1])
    await guest('b')
      .exec('busybox', ['ping', '-6', '-c', '1', '-W', '1', '-I', 'eth0', 'ff02::1'])
      .catch(() => '')
    await heard(async () => {}, '')
    expect(await received()).toBe(0)
  })

  it('cuts off what is plugged in without being said', async () => {
    const { bridge } = world().driver().port(worldItems()[0]!, interfaceIdOf('a'))
    const stranger = await world().network.addGuest({ bridge, tap: 'vnstranger', mac: '02:00:5e:00:00:99' })
    await world().wish({ a: { ingress: [everything] } })
    await stranger.ip('addr add 172.31.0.200/20 dev eth0')
    expect(await stranger.pings('172.31.0.1')).toBe(false)
    expect(await stranger.pings(ip('a'))).toBe(false)
    // An interface that is said no more is a stranger, too.
    await world().wish({ a: { ingress: [everything] }, b: { absent: true } })
    expect(await guest('b').pings('172.31.0.1')).toBe(false)
    await world().wish()
    expect(await guest('b').pings('172.31.0.1')).toBe(true)
  })
}
