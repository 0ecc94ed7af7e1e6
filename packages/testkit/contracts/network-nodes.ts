import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TestGuest } from '../src/test-guest.ts'
import { testHostAddress } from '../src/test-network.ts'
import {
  allowed,
  lanGuests,
  lanPlaces,
  natAddress,
  natRoute,
  peerRoute,
  type LanGuest,
  type LanWishes,
} from './lan-items.ts'
import { makeLanWorld, type LanWorld } from './lan-world.ts'
import { allow, everything, tcp } from './network-driver.ts'
import { eventually, isSeenAs, type OpenDriver } from './network-world.ts'

const quick = { timeoutMs: 400 }
const ip = (who: LanGuest) => lanPlaces[who].privateIp
const open: NonNullable<LanWishes['ingress']> = Object.fromEntries(
  lanGuests.map((who) => [who, [everything]]),
)

type World = () => LanWorld
type Guest = (who: LanGuest) => TestGuest

/** VPCs over two nodes, proven with packets: subnets that span them, routes, ACLs, NAT, peers, public addresses. */
export function describeNetworkNodes(name: string, openDriver: OpenDriver): void {
  describe(`nodes of the ${name} network`, () => {
    let world: LanWorld
    const guest: Guest = (who) => world.guests[who]
    beforeAll(async () => {
      world = await makeLanWorld(openDriver)
      await Promise.all(lanGuests.map((who) => guest(who).listenTcp(22)))
      await Promise.all(lanGuests.map((who) => guest(who).listenUdp(5_000)))
      await world.lan.host.listenTcp(8_080)
    })
    afterAll(() => world.end())
    acrossNodes(() => world, guest)
    movedAddresses(() => world, guest)
    waysOut(() => world, guest)
    accessControl(() => world, guest)
    peers(() => world, guest)
    hostility(() => world, guest)
    faults(() => world, guest)
  })
}

const connects = async (from: TestGuest, to: string, port = 22) =>
  (await from.connectTcp(to, port, quick)) !== null

function acrossNodes(world: World, guest: Guest): void {
  it('gives every guest its address by the DHCP of its own node', () => {
    for (const who of lanGuests) expect(world().leases[who]?.address, who).toBe(ip(who))
  })

  it('carries allowed packets between two nodes within a subnet and across subnets, and drops others', async () => {
    await world().wish({ ingress: { r: [tcp(22)], s: [tcp(22)] } })
    for (const [from, to] of [
      ['p', 'r'],
      ['p', 's'],
      ['q', 'r'],
      ['q', 's'],
    ] as const) {
      const flow = await guest(from).connectTcp(ip(to), 22)
      expect(flow, `${from} to ${to}`).not.toBeNull()
      expect(await guest(from).echoes(flow!), `${from} to ${to}`).toBe(true)
      await isSeenAs(guest(to), ip(from))
      expect(await guest(from).pings(ip(to)), `${from} pings ${to}`).toBe(false)
    }
    await world().wish({ ingress: { s: [tcp(22)] } })
    expect(await connects(guest('p'), ip('r'))).toBe(false)
    expect(await connects(guest('q'), ip('r'))).toBe(false)
  })

  it('knows the members of a group on other nodes', async () => {
    await world().wish({ ingress: { s: [tcp(22, { peer: 'p' as never })] } })
    expect(await connects(guest('p'), ip('s'))).toBe(true)
    expect(await connects(guest('q'), ip('s'))).toBe(false)
  })

  it('cuts a flow between nodes when its rule is taken back, at either end', async () => {
    await world().wish({ ingress: { s: [tcp(22)] } })
    const flow = (await guest('p').connectTcp(ip('s'), 22))!
    await world().wish({})
    expect(await guest('p').echoes(flow, quick)).toBe(false)
    await world().wish({ ingress: { s: [tcp(22)] } })
    const other = (await guest('p').connectTcp(ip('s'), 22))!
    await world().wish({ ingress: { s: [tcp(22)] }, egress: { p: [] } })
    expect(await guest('p').echoes(other, quick)).toBe(false)
  })

  it('keeps two VPCs with the same addresses and the same five-tuple apart', async () => {
    await world().wish({ ingress: open })
    const five = { port: 5_000, sourcePort: 6_001 }
    await guest('p').sendUdp({ ...five, address: ip('r'), text: 'of seven' })
    await guest('u').sendUdp({ ...five, address: ip('v'), text: 'of nine' })
    const heard = async (who: LanGuest) =>
      (
        await eventually(
          () => guest(who).receivedUdp(),
          (said) => said.length > 0,
        )
      ).map((line) => line.slice(line.indexOf(' ') + 1))
    expect(await heard('r')).toEqual(['of seven'])
    expect(await heard('v')).toEqual(['of nine'])
  })

  it('carries what is larger than a frame, in pieces', async () => {
    await world().wish({ ingress: open })
    const text = 'x'.repeat(4_000)
    await guest('q').sendUdp({ address: ip('s'), port: 5_000, text })
    const heard = await eventually(
      () => guest('s').receivedUdp(),
      (said) => said.length > 0,
    )
    expect(heard.at(-1)?.endsWith(text)).toBe(true)
  })

  it('answers the names of guests on other nodes, both ways, and public names by the private address', async () => {
    await world().wish()
    const resolve = (who: LanGuest, question: string, server: string) =>
      guest(who).exec('sh', ['-c', `busybox nslookup ${question} ${server} 2>&1 || true`])
    for (const server of ['10.7.2.1', '10.7.0.2', '169.254.169.253']) {
      expect(await resolve('q', 'ip-10-7-1-5.ec2.internal', server), server).toContain('10.7.1.5')
    }
    expect(await resolve('s', '10.7.1.4', '10.7.2.1')).toContain('ip-10-7-1-4.ec2.internal')
    const publicName = 'ec2-198-19-77-30.compute-1.amazonaws.com'
    expect(await resolve('s', publicName, '10.7.2.1')).toContain('10.7.1.4')
    expect(await resolve('v', publicName, '10.7.1.1')).not.toContain('10.7.1.4')
  })

  it('reaches and speaks by secondary addresses', async () => {
    const secondary = { r: [{ privateIp: '10.7.1.99', publicIp: '198.19.77.31' }] }
    await world().wish({ ingress: open, secondary })
    await guest('r').ip('addr add 10.7.1.99/32 dev eth0')
    expect(await connects(guest('p'), '10.7.1.99')).toBe(true)
    expect(await connects(world().lan.host, '198.19.77.31')).toBe(true)
    await world().wish({ ingress: open })
    expect(await connects(guest('p'), '10.7.1.99')).toBe(false)
    await guest('r').ip('addr del 10.7.1.99/32 dev eth0')
  })
}

function movedAddresses(world: World, guest: Guest): void {
  it('sends to who has a private address now, on whatever node', async () => {
    const entry = [{ privateIp: '10.7.1.99', publicIp: null }]
    for (const who of ['p', 'r'] as const) await guest(who).ip('addr add 10.7.1.99/32 dev eth0')
    await world().wish({ ingress: open, secondary: { r: entry } })
    expect(await connects(guest('q'), '10.7.1.99')).toBe(true)
    await isSeenAs(guest('r'), ip('q'))
    await guest('p').connectTcp(ip('p'), 22)
    await world().wish({ ingress: open, secondary: { p: entry } })
    expect(await connects(guest('q'), '10.7.1.99')).toBe(true)
    await isSeenAs(guest('p'), ip('q'))
    for (const who of ['p', 'r'] as const) await guest(who).ip('addr del 10.7.1.99/32 dev eth0')
  })
}

function waysOut(world: World, guest: Guest): void {
  it('goes out by its own public address, by a NAT gateway on whatever node, or not at all', async () => {
    await world().wish()
    expect(await connects(guest('p'), testHostAddress, 8_080)).toBe(true)
    await isSeenAs(world().lan.host, '198.19.77.30')
    for (const who of ['q', 's'] as const) {
      const flow = await guest(who).connectTcp(testHostAddress, 8_080)
      expect(flow, who).not.toBeNull()
      expect(await guest(who).echoes(flow!), who).toBe(true)
      await isSeenAs(world().lan.host, natAddress)
    }
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
    for (const who of ['q', 's'] as const) {
      expect(await connects(guest(who), '198.19.77.30'), who).toBe(true)
      await isSeenAs(guest('p'), natAddress)
    }
    expect(await connects(guest('p'), '198.19.77.30')).toBe(true)
  })

  it('follows routes as they change: away, into nowhere, to an interface', async () => {
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
    const old = (await world().lan.host.connectTcp('198.19.77.30', 22))!
    expect(await world().lan.host.echoes(old)).toBe(true)
    await world().wish({ ingress: open, publicIp: { p: null, r: '198.19.77.30' } })
    expect(await world().lan.host.connectTcp('198.19.77.30', 22)).not.toBeNull()
    await isSeenAs(guest('r'), testHostAddress)
    expect(await world().lan.host.echoes(old, quick)).toBe(false)
    await world().wish({ ingress: open })
    expect(await world().lan.host.connectTcp('198.19.77.30', 22)).not.toBeNull()
    await isSeenAs(guest('p'), testHostAddress)
  })

  it('takes many public addresses without a wait for each', async () => {
    const many = Array.from({ length: 25 }, (_none, index) => ({
      privateIp: `10.7.1.${100 + index}`,
      publicIp: `198.19.77.${100 + index}`,
    }))
    const began = performance.now()
    await world().wish({ ingress: open, secondary: { p: many } })
    expect(performance.now() - began).toBeLessThan(10_000)
    await world().wish({ ingress: open })
  })
}

function accessControl(world: World, guest: Guest): void {
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

function peers(world: World, guest: Guest): void {
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
      expect(await connects(guest(from), ip(to)), `${from} to ${to}`).toBe(true)
      await isSeenAs(guest(to), ip(from))
    }
    expect(await connects(guest('u'), ip('t'))).toBe(false)
    await world().wish({ ingress: open, peered: true, routes: { ...bothWays, 81: [] } })
    expect(await connects(guest('q'), ip('t'))).toBe(false)
  })

  it('is no way through: neither to the outside nor to where the peer has no subnet', async () => {
    const all = [peerRoute('0.0.0.0/0')]
    await world().wish({ ingress: open, peered: true, routes: { ...bothWays, 81: all } })
    expect(await connects(guest('t'), ip('q'))).toBe(true)
    expect(await connects(guest('t'), testHostAddress, 8_080)).toBe(false)
  })
}

function hostility(world: World, guest: Guest): void {
  it('takes nothing out of a tunnel from who is no node', async () => {
    await world().wish({ ingress: open })
    const node = world().lan.nodes[1]!.address
    const before = await guest('s').receivedUdp()
    for (const from of [guest('p'), guest('q'), world().lan.host])
      await injectVxlan(from, node, { vni: 72, to: '02:00:5e:00:01:73' })
    await guest('q').sendUdp({ address: ip('s'), port: 5_000, text: 'truth' })
    const after = await eventually(
      () => guest('s').receivedUdp(),
      (said) => said.some((line) => line.endsWith('truth')),
    )
    expect(after.slice(before.length).map((line) => line.slice(line.indexOf(' ') + 1))).toEqual(['truth'])
  })

  it('lets nobody outside speak as a guest, not even by an address that no guest has', async () => {
    await world().wish({ ingress: { p: [allow(17, 5_000, 5_000, { cidr: '10.7.0.0/16' })] } })
    const { host } = world().lan
    await host.ip('address add 10.7.77.7/32 dev lo')
    await host.sendUdp({ address: '198.19.77.30', port: 5_000, sourceAddress: '10.7.77.7', text: 'forged' })
    await host.ip('address del 10.7.77.7/32 dev lo')
    await guest('r').sendUdp({ address: ip('p'), port: 5_000, text: 'honest' })
    const heard = await eventually(
      () => guest('p').receivedUdp(),
      (said) => said.some((line) => line.endsWith('honest')),
    )
    expect(heard.some((line) => line.endsWith('forged'))).toBe(false)
  })

  it('takes nothing out of a tunnel that came to another address of the node', async () => {
    await world().wish({ ingress: open })
    const node = world().lan.nodes[1]!.name
    const other = '198.18.0.112'
    await world().lan.exec(node, 'ip', ['address', 'add', `${other}/24`, 'dev', 'uplink'])
    await injectVxlan(world().lan.host, other, { vni: 72, to: '02:00:5e:00:01:73' })
    await guest('q').sendUdp({ address: ip('s'), port: 5_000, text: 'genuine' })
    const heard = await eventually(
      () => guest('s').receivedUdp(),
      (said) => said.some((line) => line.endsWith('genuine')),
    )
    await world().lan.exec(node, 'ip', ['address', 'del', `${other}/24`, 'dev', 'uplink'])
    expect(heard.some((line) => line.endsWith('false'))).toBe(false)
  })

  it("carries no frame of a guest that bears a neighbour's address to another node", async () => {
    await world().wish({ ingress: open })
    await guest('q').ip('addr add 10.7.2.77/24 dev eth0')
    const spoofed = { address: ip('s'), port: 5_000, sourceAddress: '10.7.2.77', text: 'spoofed' }
    await guest('q').sendUdp(spoofed)
    await guest('q').ip('addr del 10.7.2.77/24 dev eth0')
    await guest('q').sendUdp({ address: ip('s'), port: 5_000, text: 'honest' })
    const heard = await eventually(
      () => guest('s').receivedUdp(),
      (said) => said.some((line) => line.endsWith('honest')),
    )
    expect(heard.some((line) => line.endsWith('spoofed'))).toBe(false)
  })

  it('learns nothing from a guest that is still plugged in where its interface is no more', async () => {
    await world().wish({ ingress: open })
    expect(await connects(guest('q'), ip('s'))).toBe(true)
    const node = world().lan.nodes[1]!.name
    await world().wish({ ingress: open, moved: { s: 0 } })
    await guest('s').exec('sh', ['-c', `busybox arping -c 2 -I eth0 ${ip('q')} || true`])
    const known = await world().lan.exec(node, 'bridge', ['fdb', 'show', 'br', 'br20'])
    await world().wish({ ingress: open })
    expect(known.split('\n').filter((line) => line.startsWith('02:00:5e:00:01:73 dev vn'))).toEqual([])
  })

  it('floods nothing: who asks for an unknown neighbour is heard on no other node', async () => {
    await world().wish({ ingress: open })
    const seen = async () =>
      Number(
        (
          await world().lan.exec(world().lan.nodes[1]!.name, 'sh', [
            '-c',
            "awk '/uplink/ { print $3 }' /proc/net/dev",
          ])
        ).trim(),
      )
    const before = await seen()
    await guest('q').exec('sh', [
      '-c',
      'for i in 40 41 42 43 44; do busybox ping -c 1 -W 1 10.7.2.$i & done; wait',
    ])
    expect((await seen()) - before).toBeLessThan(5)
  })
}

/** An Ethernet frame in VXLAN's clothes, as a program on a guest could send it. */
async function injectVxlan(from: TestGuest, node: string, frame: { vni: number; to: string }): Promise<void> {
  const udp = Buffer.from('13881388000d0000', 'hex')
  const payload = Buffer.concat([udp, Buffer.from('false')])
  const header = Buffer.from('4500000000010000401100000a0702040a070205', 'hex')
  header.writeUInt16BE(header.length + payload.length, 2)
  header.writeUInt16BE(checksum(header), 10)
  const inner = Buffer.concat([
    Buffer.from(frame.to.replaceAll(':', ''), 'hex'),
    Buffer.from('02005e00017108', 'hex'),
    Buffer.from('00', 'hex'),
    header,
    payload,
  ])
  const vxlan = Buffer.alloc(8)
  vxlan[0] = 8
  vxlan.writeUIntBE(frame.vni, 4, 3)
  const program = `const s=require('dgram').createSocket('udp4');s.send(Buffer.from('${Buffer.concat([vxlan, inner]).toString('hex')}','hex'),14789,'${node}',()=>s.close())`
  await from.exec(process.execPath, ['-e', program])
}

function checksum(header: Buffer): number {
  let sum = 0
  for (let index = 0; index < header.length; index += 2) sum += header.readUInt16BE(index)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

function faults(world: World, guest: Guest): void {
  it('loses no flow when drivers are opened anew and rules applied again and again', async () => {
    const wishes = { ingress: open }
    await world().wish(wishes)
    const flows = [
      [guest('q'), (await guest('q').connectTcp(ip('s'), 22))!],
      [guest('p'), (await guest('p').connectTcp(ip('s'), 22))!],
      [guest('s'), (await guest('s').connectTcp(testHostAddress, 8_080))!],
      [world().lan.host, (await world().lan.host.connectTcp('198.19.77.30', 22))!],
    ] as const
    for (let round = 0; round < 3; round += 1) {
      for (const node of [0, 1]) await world().restart(node)
      await world().wish(wishes)
      await world().wish({ ingress: { ...open, v: [tcp(22), allow(6, 1_000 + round)] } })
      for (const [from, flow] of flows) expect(await from.echoes(flow)).toBe(true)
    }
  })

  it('makes whole a tunnel that was left half-made', async () => {
    await world().wish({ ingress: open })
    const flags = ['neigh_suppress', 'off', 'learning', 'on', 'flood', 'on', 'bcast_flood', 'on']
    const node = world().lan.nodes[0]!.name
    await world().driver(0).close()
    await world().lan.exec(node, 'bridge', ['link', 'set', 'dev', 'vx20', ...flags])
    await world().restart(0)
    await world().wish({ ingress: open })
    const said = await world().lan.exec(node, 'bridge', ['-d', 'link', 'show', 'dev', 'vx20'])
    for (const flag of ['neigh_suppress on', 'learning off', 'flood off', 'bcast_flood off'])
      expect(said).toContain(flag)
  })

  it('stands though a VPC gives its guests a name that no name server takes', async () => {
    const options = { domainNameServers: ['AmazonProvidedDNS'], ntpServers: [], netbiosNameServers: [] }
    const domainName = `${'x'.repeat(70)} a..b fine.example`
    await world().wish({ ingress: open, dhcp: { ...options, domainName, netbiosNodeType: null } })
    expect(await connects(guest('q'), ip('s'))).toBe(true)
    await world().wish({ ingress: open })
  })

  it('forgets an interface that went to another node', async () => {
    await world().wish({ ingress: open })
    expect(await connects(guest('q'), ip('s'))).toBe(true)
    // It is told to be here, where nobody has its link: whoever asks finds nobody, and not the old one.
    await world().wish({ ingress: open, moved: { s: 0 } })
    expect(await connects(guest('q'), ip('s'))).toBe(false)
    await world().wish({ ingress: open })
    expect(await connects(guest('q'), ip('s'))).toBe(true)
  })

  it('leaves nothing behind when a node has no VPC any more', async () => {
    const node = world().lan.nodes[0]!.name
    await world().driver(0).apply([])
    const links = await world().lan.exec(node, 'ip', ['-br', 'link'])
    const names = links.split('\n').map((line) => line.split(/[@ ]/)[0]!)
    expect(names.filter((name) => name !== '' && !name.startsWith('vn')).toSorted()).toEqual(['lo', 'uplink'])
    expect(await world().lan.exec(node, 'ip', ['neigh', 'show', 'proxy'])).toBe('')
    await world().wish()
  })
}
