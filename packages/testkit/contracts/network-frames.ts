import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { leaseByDhcp } from '../src/dhcp-client.ts'
import { broadcastMac, dhcp, ethernet, ipv4, udp } from '../src/frames.ts'
import { listenToLink, sendFrames, type RawListener } from '../src/raw-link.ts'
import type { TestGuest } from '../src/test-guest.ts'
import { honestFrames, hostileFrames, type Neighbourhood } from './hostile-frames.ts'
import {
  everything,
  interfaceIdOf,
  macOf,
  places,
  tcp,
  worldItems,
  type GuestName,
} from './network-driver.ts'
import { eventually, makeNetworkWorld, type NetworkWorld, type OpenDriver } from './network-world.ts'

const ip = (who: GuestName) => places[who].privateIp
const open = Object.fromEntries((['a', 'c', 'y'] as const).map((who) => [who, { ingress: [everything] }]))

/** A place where somebody listens: guests, the node's own end of the bridge, the outside. */
type Ear = 'a' | 'c' | 'y' | 'node' | 'host'

/** Frames that no honest guest sends, out of b's link, to neighbours whose rules let everything in. */
export function describeNetworkFrames(name: string, openDriver: OpenDriver): void {
  describe(`frames on the ${name} network`, () => {
    let world: NetworkWorld
    let at: Neighbourhood
    const ears = new Map<Ear, RawListener>()
    const guest = (who: GuestName): TestGuest => world.guests[who]
    beforeAll(async () => {
      world = await makeNetworkWorld(openDriver)
      await world.wish(open)
      at = await neighbourhood(world)
      const { node, host } = world.network
      for (const who of ['a', 'c', 'y'] as const) ears.set(who, await listenToLink(guest(who).namespace))
      ears.set('node', await listenToLink(node, bridgeOf(world)))
      ears.set('host', await listenToLink(host.namespace, 'inward'))
      await guest('b').ip('link set eth0 mtu 9000')
      await world.network.exec(guest('b').namespace, 'ip', ['neigh', 'flush', 'all'])
    })
    afterAll(async () => {
      for (const ear of ears.values()) await ear.end()
      await world.end()
    })

    const say = async (from: GuestName, frames: Buffer | readonly Buffer[]) =>
      sendFrames(guest(from).namespace, [frames].flat())
    /** Once these are heard, whatever was sent before them has arrived or never will. */
    const truths = async () => {
      const words = `truth ${Math.random()}`
      const { 'a datagram': near, 'a datagram to the next subnet': far } = honestFrames
      await say('b', [near!(words, at), far!(words, at)].flat())
      const payload = ipv4({ from: ip('x'), to: ip('y'), protocol: 17, payload: udp(5_000, 5_000, words) })
      await say('x', ethernet({ from: macOf('x'), to: macOf('y'), payload }))
      for (const who of ['a', 'c', 'y'] as const) await hears(who, words)
    }
    const hears = async (ear: Ear, words: string) => {
      const heard = await eventually(
        async () => ears.get(ear)!.heard(words),
        (yes) => yes,
      )
      expect(heard, `${ear} hears ${words}`).toBe(true)
    }

    it.each(Object.keys(honestFrames))('carries %s', async (words) => {
      await say('b', honestFrames[words]!(words, at))
      await hears(words.endsWith('subnet') ? 'c' : 'a', words)
    })

    it.each(Object.keys(hostileFrames))('carries to nobody: %s', async (words) => {
      await say('b', hostileFrames[words]!(words, at))
      await truths()
      expect([...ears].filter(([, ear]) => ear.heard(words)).map(([who]) => who)).toEqual([])
    })

    bridgeTable(() => world, say, truths)
    pieces(() => world, say)
    leases(
      () => world,
      () => at,
      say,
    )
  })
}

type Say = (from: GuestName, frames: Buffer | readonly Buffer[]) => Promise<void>

const bridgeOf = (world: NetworkWorld) => world.driver().port(worldItems()[0]!, interfaceIdOf('a')).bridge

async function neighbourhood(world: NetworkWorld): Promise<Neighbourhood> {
  const { node, exec } = world.network
  const macOfLink = async (namespace: string, link: string) =>
    (JSON.parse(await exec(namespace, 'ip', ['-j', 'link', 'show', link])) as { address: string }[])[0]!
      .address
  const macOfGateway = async (who: GuestName) => {
    await world.guests[who].pings('172.31.0.1')
    const said = await world.guests[who].exec('ip', ['-j', 'neigh', 'show', '172.31.0.1'])
    return (JSON.parse(said) as { lladdr: string }[])[0]!.lladdr
  }
  return {
    gatewayMac: await macOfGateway('b'),
    otherGatewayMac: await macOfGateway('x'),
    bridgeMac: await macOfLink(node, bridgeOf(world)),
  }
}

function bridgeTable(world: () => NetworkWorld, say: Say, truths: () => Promise<void>): void {
  const learned = async () => {
    const { node, exec } = world().network
    return (await exec(node, 'bridge', ['fdb', 'show', 'br', bridgeOf(world())])).split('\n').toSorted()
  }
  const whatever = (from: string, words: string) =>
    ethernet({
      ...{ from, to: broadcastMac },
      payload: ipv4({ from: ip('b'), to: ip('a'), protocol: 17, payload: udp(5_000, 5_000, words) }),
    })

  it('learns nothing from a guest that sends by thousands of MACs', async () => {
    await truths() // by which the bridge knows the honest ones
    const before = await learned()
    const macs = Array.from({ length: 4_000 }, (_none, index) => index.toString(16).padStart(4, '0'))
    await say(
      'b',
      macs.map((hex) => whatever(`02:00:77:00:${hex.slice(0, 2)}:${hex.slice(2)}`, 'flood')),
    )
    await truths()
    expect(await learned()).toEqual(before)
  })

  it("keeps a neighbour's place for a neighbour whose MAC another sends by", async () => {
    const before = await learned()
    expect(before.some((line) => line.startsWith(macOf('a')))).toBe(true)
    await say(
      'b',
      Array.from({ length: 20 }, () => whatever(macOf('a'), 'thief')),
    )
    expect(await learned()).toEqual(before)
    await truths()
  })
}

function pieces(world: () => NetworkWorld, say: Say): void {
  const hears = async (words: string) =>
    eventually(
      async () => (await world().guests.a.receivedUdp()).some((line) => line.includes(words)),
      (heard) => heard,
    )
  /** A first piece for port 5,001, which is allowed, and what comes over it. */
  const inPieces = (id: number, second: { at: number; payload: Buffer }) => {
    const payload = udp(5_000, 5_001, Buffer.alloc(24, 'a'))
    const common = { from: ip('b'), to: ip('a'), protocol: 17, id }
    return [
      ipv4({ ...common, payload: payload.subarray(0, 16), moreFragments: true }),
      ipv4({ ...common, payload: second.payload, fragmentAt: second.at }),
    ].map((packet) => ethernet({ from: macOf('b'), to: macOf('a'), payload: packet }))
  }

  it('puts pieces together before it asks the rules, and takes none that lie over others', async () => {
    for (const port of [5_001, 5_002]) await world().guests.a.listenUdp(port)
    await world().wish({ a: { ingress: [{ ...tcp(5_001), protocol: '17' }] } })
    const rest = Buffer.from('whole  whole  ww')
    await say('b', inPieces(1, { at: 16, payload: rest }))
    expect(await hears('whole')).toBe(true)
    // The second piece would make it one for port 5,002, or other words for 5,001.
    await say('b', inPieces(2, { at: 0, payload: udp(5_000, 5_002, 'turned  turned  ') }))
    await say('b', inPieces(3, { at: 8, payload: Buffer.from('over  over  over  over  ') }))
    // Too small a first piece to tell a port by.
    const tiny = udp(5_000, 5_002, 'tiny    ')
    const parts = [tiny.subarray(0, 8), tiny.subarray(8)].map((payload, index) =>
      ipv4({
        ...{ from: ip('b'), to: ip('a'), protocol: 17, id: 4, payload, fragmentAt: index * 8 },
        moreFragments: index === 0,
      }),
    )
    await say(
      'b',
      parts.map((payload) => ethernet({ from: macOf('b'), to: macOf('a'), payload })),
    )
    await say('b', inPieces(5, { at: 16, payload: Buffer.from('afterwards       ') }))
    expect(await hears('afterwards')).toBe(true)
    const heard = (await world().guests.a.receivedUdp()).join('\n')
    for (const words of ['turned', 'over', 'tiny']) expect(heard).not.toContain(words)
    await world().wish(open)
  })
}

function leases(world: () => NetworkWorld, at: () => Neighbourhood, say: Say): void {
  it("gives a neighbour's address back, or declines it, for nobody but the neighbour", async () => {
    const server = '172.31.0.1'
    const neighbour = { clientMac: macOf('a'), serverIp: server }
    const messages = [
      dhcp({ ...neighbour, type: 7, clientIp: ip('a') }),
      dhcp({ ...neighbour, type: 4, requestedIp: ip('a') }),
      dhcp({ ...neighbour, type: 4, requestedIp: ip('a'), clientMac: macOf('b'), clientId: macOf('a') }),
    ]
    const asked = messages.map((message) => udp(68, 67, message))
    const broadcast = { from: '0.0.0.0', to: '255.255.255.255', protocol: 17 }
    const toServer = { from: ip('b'), to: server, protocol: 17 }
    const packets = [
      ...asked.flatMap((payload) => [ipv4({ ...broadcast, payload }), ipv4({ ...toServer, payload })]),
      // In two pieces, of which the first does not tell whose question it is.
      ...asked.flatMap((payload, id) => [
        ipv4({ ...toServer, id, payload: payload.subarray(0, 32), moreFragments: true }),
        ipv4({ ...toServer, id, payload: payload.subarray(32), fragmentAt: 32 }),
      ]),
    ]
    await say(
      'b',
      packets.flatMap((payload) =>
        [at().gatewayMac, broadcastMac].map((to) => ethernet({ from: macOf('b'), to, payload })),
      ),
    )
    expect((await leaseByDhcp(world().guests.a))?.address).toBe(ip('a'))
    // And its own is its own to ask for.
    expect((await leaseByDhcp(world().guests.b))?.address).toBe(ip('b'))
  })
}
