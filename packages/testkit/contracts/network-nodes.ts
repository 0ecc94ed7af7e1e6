import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { testHostAddress } from '../src/test-network.ts'
import { lanGuests, type LanGuest } from './lan-items.ts'
import {
  connects,
  ip,
  makeLanWorld,
  open,
  quick,
  type Guest,
  type LanWorld,
  type World,
} from './lan-world.ts'
import { allow, tcp } from './network-driver.ts'
import { standing } from './network-standing.ts'
import { accessControl, peers, waysOut } from './network-routing.ts'
import { trespass } from './network-trespass.ts'
import { connected, eventually, reachesAs, type OpenDriver } from './network-world.ts'

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
    trespass(() => world, guest)
    faults(() => world, guest)
  })
}

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
      await reachesAs(guest(from), ip(to), guest(to), ip(from))
      expect(await guest(from).pings(ip(to)), `${from} pings ${to}`).toBe(false)
    }
    await world().wish({ ingress: { s: [tcp(22)] } })
    expect(await connects(guest('p'), ip('r'))).toBe(false)
    expect(await connects(guest('q'), ip('r'))).toBe(false)
  })

  it('knows a flow between nodes once, and not its tunnel too', async () => {
    await world().wish({ ingress: open })
    await connected(guest('q'), ip('s'))
    for (const { name } of world().lan.nodes) {
      const flows = (await world().lan.exec(name, 'conntrack', ['-L'])).split('\n')
      expect(
        flows.filter((flow) => flow.includes(`dst=${ip('s')} `) && flow.includes('dport=22 ')),
      ).not.toEqual([])
      expect(flows.filter((flow) => flow.includes('dport=14789'))).toEqual([])
    }
  })

  it('knows the members of a group on other nodes', async () => {
    await world().wish({ ingress: { s: [tcp(22, { peer: 'p' as never })] } })
    expect(await connects(guest('p'), ip('s'))).toBe(true)
    expect(await connects(guest('q'), ip('s'))).toBe(false)
  })

  it('cuts a flow between nodes when its rule is taken back, at either end', async () => {
    await world().wish({ ingress: { s: [tcp(22)] } })
    const flow = await connected(guest('p'), ip('s'))
    await world().wish({})
    expect(await guest('p').echoes(flow, quick)).toBe(false)
    await world().wish({ ingress: { s: [tcp(22)] } })
    const other = await connected(guest('p'), ip('s'))
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
    await reachesAs(guest('q'), '10.7.1.99', guest('r'), ip('q'))
    await world().wish({ ingress: open, secondary: { p: entry } })
    await reachesAs(guest('q'), '10.7.1.99', guest('p'), ip('q'))
    for (const who of ['p', 'r'] as const) await guest(who).ip('addr del 10.7.1.99/32 dev eth0')
  })
}

function faults(world: World, guest: Guest): void {
  it('loses no flow when drivers are opened anew and rules applied again and again', async () => {
    const wishes = { ingress: open }
    await world().wish(wishes)
    const flows = [
      [guest('q'), await connected(guest('q'), ip('s'))],
      [guest('p'), await connected(guest('p'), ip('s'))],
      [guest('s'), await connected(guest('s'), testHostAddress, 8_080)],
      [world().lan.host, await connected(world().lan.host, '198.19.77.30')],
    ] as const
    for (let round = 0; round < 3; round += 1) {
      for (const node of [0, 1]) await world().restart(node)
      await world().wish(wishes)
      await world().wish({ ingress: { ...open, v: [tcp(22), allow(6, 1_000 + round)] } })
      for (const [from, flow] of flows) expect(await from.echoes(flow)).toBe(true)
    }
  })

  it('loses no packet of an established flow while rules are applied a hundred times, and leaks nothing', async () => {
    const wishes = { ingress: open }
    await world().wish(wishes)
    await guest('s').echoUdp(5_100)
    await world().lan.host.echoUdp(5_100)
    const askers = [
      [guest('q'), ip('s')],
      [guest('p'), ip('s')],
      [guest('s'), testHostAddress],
    ] as const
    const before = await standing(world())
    await Promise.all(askers.map(([from, address]) => from.startAsking({ address, port: 5_100 })))
    for (let round = 0; round < 100; round += 1) {
      // Every time other rules, or the driver would have nothing to do.
      await world().wish({ ingress: { ...open, v: [tcp(22), allow(6, 1_000 + round)] } })
      if (round % 25 === 0) await world().restart(round % 2)
    }
    await world().wish(wishes)
    for (const [from, address] of askers) {
      const { asked, lost } = await from.stopAsking()
      expect({ address, lost }).toEqual({ address, lost: 0 })
      expect(asked).toBeGreaterThan(100)
    }
    expect(await standing(world())).toEqual(before)
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

  it('leaves nothing behind when nodes have no VPC any more', async () => {
    for (const [index, { name }] of world().lan.nodes.entries()) {
      await world().driver(index).apply([])
      const links = await world().lan.exec(name, 'ip', ['-br', 'link'])
      const names = links.split('\n').map((line) => line.split(/[@ ]/)[0]!)
      // Those of guests are not the driver's.
      expect(names.filter((link) => link !== '' && !link.startsWith('vn')).toSorted()).toEqual([
        'lo',
        'uplink',
      ])
      expect(await world().lan.exec(name, 'ip', ['neigh', 'show', 'proxy'])).toBe('')
      const namespaces = (await world().lan.exec(name, 'ip', ['netns', 'list'])).split('\n')
      expect(namespaces.filter((other) => other.startsWith(`${name}-`))).toEqual([])
    }
    await world().wish()
  })
}
