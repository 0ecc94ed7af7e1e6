import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { testHostAddress } from '../src/test-network.ts'
import { allow, everything, interfaceIdOf, places, type GuestName, type Wishes } from './network-driver.ts'
import { eventually, makeNetworkWorld, type NetworkWorld, type OpenDriver } from './network-world.ts'

const port = 5_000
/** An IP packet of 128 bytes with its headers (20 and 8). */
const packetBytes = 128
const text = 'x'.repeat(packetBytes - 28)
const ingress = [everything]
const open: Wishes = { a: { ingress }, b: { ingress }, c: { ingress }, x: { ingress }, y: { ingress } }

/** Bytes of each interface, inside and outside, proven with packets of a known size. */
export function describeNetworkBytes(name: string, openDriver: OpenDriver): void {
  describe(`bytes of the ${name} network`, () => {
    let world: NetworkWorld
    beforeAll(async () => {
      world = await makeNetworkWorld(openDriver)
      await world.network.host.listenUdp(port)
      for (const who of ['a', 'b', 'c', 'x'] as const) await world.guests[who].listenUdp(port)
      await world.wish(open)
    })
    afterAll(() => world.end())

    const read = async (who: GuestName) => {
      const all = await world.driver().bytes()
      const { sent, received } = all.find(({ interfaceId }) => interfaceId === interfaceIdOf(who))!
      return [sent.inside, sent.outside, received.inside, received.outside]
    }
    /** So many packets, one after the other, each of which is heard. */
    const send = async (from: GuestName, address: string, packets = 1) => {
      for (let count = 0; count < packets; count += 1)
        await world.guests[from].sendUdp({ address, port, sourcePort: 6_000, text })
    }
    const grownBy = async (who: GuestName, before: readonly number[], packets: readonly number[]) => {
      const wanted = before.map((bytes, index) => bytes + packets[index]! * packetBytes)
      expect(
        await eventually(
          () => read(who),
          (now) => now.join() === wanted.join(),
        ),
      ).toEqual(wanted)
    }

    it('counts what goes between guests as inside, at both, within a subnet and across subnets', async () => {
      const [a, b, c] = [await read('a'), await read('b'), await read('c')]
      await send('a', places.b.privateIp, 2)
      await send('a', places.c.privateIp, 3)
      await grownBy('a', a, [5, 0, 0, 0])
      await grownBy('b', b, [0, 0, 2, 0])
      await grownBy('c', c, [0, 0, 3, 0])
    })

    it('counts what leaves and comes as outside, also to another VPC of the same addresses', async () => {
      const [a, x] = [await read('a'), await read('x')]
      await send('a', testHostAddress, 2)
      await send('a', places.x.publicIp!)
      await grownBy('a', a, [0, 3, 0, 0])
      await grownBy('x', x, [0, 0, 0, 1])
    })

    it('counts nothing that a rule forbids, and each interface for itself', async () => {
      await world.wish({ ...open, b: { ingress: [allow(6, 1)] } })
      const [a, b, y] = [await read('a'), await read('b'), await read('y')]
      await send('a', places.b.privateIp)
      await send('a', places.c.privateIp)
      await grownBy('a', a, [1, 0, 0, 0])
      expect([await read('b'), await read('y')]).toEqual([b, y])
      await world.wish(open)
    })

    it('keeps its counts through rules applied anew, neighbours that go and a restart of the driver', async () => {
      const a = await read('a')
      for (let times = 0; times < 10; times += 1) {
        await send('a', places.b.privateIp)
        await world.wish({ ...open, a: { ingress: [everything, allow(6, times + 1)] }, y: { absent: true } })
        await world.wish(open)
      }
      await world.restart()
      await world.wish(open)
      await send('a', places.b.privateIp)
      await grownBy('a', a, [11, 0, 0, 0])
    })

    it('forgets an interface that is no more, and begins anew with it', async () => {
      await send('a', places.b.privateIp)
      await world.wish({ ...open, b: { absent: true } })
      expect((await world.driver().bytes()).map(({ interfaceId }) => interfaceId)).not.toContain(
        interfaceIdOf('b'),
      )
      const { network } = world
      const listed = await network.exec(network.node, 'nft', ['list', 'table', 'bridge', 'mallee_bytes'])
      expect(listed).not.toContain(interfaceIdOf('b').slice(-12))
      await world.wish(open)
      expect(await read('b')).toEqual([0, 0, 0, 0])
    })
  })
}
