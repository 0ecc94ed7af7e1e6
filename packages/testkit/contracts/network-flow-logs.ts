import type { FlowLog, VpcItem } from '@mallee/agent-contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  allow,
  everything,
  interfaceIdOf,
  places,
  tcp,
  worldItems,
  type CountedFlowUnderTest,
  type FlowWindowUnderTest,
  type GuestName,
  type NetworkDriverUnderTest,
  type Wishes,
} from './network-driver.ts'
import { eventually, makeNetworkWorld, type NetworkWorld, type OpenDriver } from './network-world.ts'

const ip = (name: GuestName) => places[name].privateIp
const name = (interfaceId: string) =>
  (Object.keys(places) as GuestName[]).find((guest) => interfaceIdOf(guest) === interfaceId)
/** IPv4's header and UDP's. */
const udpHeaders = 28

function logOf(guests: readonly GuestName[]): FlowLog {
  return {
    ...{ flowLogId: 'fl-1', accountId: '000000000001', traffic: 'ALL', fields: ['version'] },
    ...{ bucket: 'records', keyPrefix: 'AWSLogs/', region: 'us-east-1', intervalSeconds: 60 },
    interfaceIds: guests.map(interfaceIdOf),
  }
}

/** The world, with a flow log that covers these guests. */
function loggedWorld(guests: readonly GuestName[], wishes: Wishes = {}): VpcItem[] {
  return worldItems(wishes).map((item) => {
    const own = guests.filter((guest) => places[guest].vpc === item.tag)
    return own.length === 0 ? item : { ...item, flowLogs: [logOf(own)] }
  })
}

async function collected(driver: NetworkDriverUnderTest): Promise<FlowWindowUnderTest[]> {
  const windows: FlowWindowUnderTest[] = []
  await driver.collectFlows(async (window) => void windows.push(window))
  return windows
}

/** What every driver keeps of windows of time, whether it moves packets or not. */
export function describeFlowWindows(
  driverName: string,
  withDriver: (use: (driver: NetworkDriverUnderTest) => Promise<void>) => Promise<void>,
): void {
  describe(`flow windows of the ${driverName} network`, () => {
    it('follow on each other while something is captured, and there are none else', () =>
      withDriver(async (driver) => {
        await driver.apply(worldItems())
        expect(await collected(driver)).toEqual([])
        await driver.apply(loggedWorld(['a']))
        const [first, ...none] = await collected(driver)
        expect(none).toEqual([])
        await driver.apply(loggedWorld(['a', 'b']))
        const [second] = await collected(driver)
        expect(second!.startMs).toBe(first!.endMs)
        expect(second!.endMs).toBeGreaterThan(second!.startMs)
        await driver.apply(worldItems())
        expect(await collected(driver)).toHaveLength(1)
        expect(await collected(driver)).toEqual([])
      }))

    it('come again until they are kept', () =>
      withDriver(async (driver) => {
        await driver.apply(loggedWorld(['a']))
        const lost = driver.collectFlows(() => Promise.reject(new Error('the disk is full')))
        await expect(lost).rejects.toThrow('the disk is full')
        const [first, second] = await collected(driver)
        expect(second!.startMs).toBe(first!.endMs)
      }))
  })
}

/** Flows as they were, counted on both sides, proven with packets. */
export function describeNetworkFlowLogs(driverName: string, open: OpenDriver): void {
  describe(`flow logs of the ${driverName} network`, () => {
    let world: NetworkWorld
    beforeAll(async () => {
      world = await makeNetworkWorld(open)
      await guest('a').listenTcp(22)
      for (const who of ['a', 'b', 'c', 'x'] as const) await guest(who).listenUdp(5_000)
    })
    afterAll(() => world.end())
    const guest = (who: GuestName) => world.guests[who]
    const apply = (guests: readonly GuestName[], wishes: Wishes = {}) =>
      world.driver().apply(loggedWorld(guests, wishes))
    const udp = (from: GuestName, to: string, port: number, text: string) =>
      guest(from).sendUdp({ address: to, port, sourcePort: 6_000, text })
    const hears = (who: GuestName, text: string) =>
      eventually(
        async () => (await guest(who).receivedUdp()).some((line) => line.endsWith(text)),
        (heard) => heard,
      )
    const flows = async () => (await collected(world.driver())).flatMap((window) => window.flows)
    /** As `a ingress ACCEPT 17 172.31.0.5:6000>172.31.0.4:5000 1 33`. */
    const textOf = (flow: CountedFlowUnderTest) =>
      [
        ...[name(flow.interfaceId), flow.direction, flow.accepted ? 'ACCEPT' : 'REJECT', flow.protocol],
        `${flow.source}:${flow.sourcePort}>${flow.destination}:${flow.destinationPort}`,
        ...[flow.packets, flow.bytes],
      ].join(' ')
    const texts = async () => (await flows()).map(textOf).toSorted()

    it('have what one side lets out and the other lets in or not, each with its bytes', async () => {
      await apply(['a', 'b'], { a: { ingress: [allow(17, 5_000)] } })
      await collected(world.driver())
      await udp('b', ip('a'), 5_000, 'let in')
      expect(await hears('a', 'let in')).toBe(true)
      await udp('b', ip('a'), 5_001, 'not let in')
      await eventually(texts, () => true)
      await udp('b', ip('a'), 5_000, 'after that')
      expect(await hears('a', 'after that')).toBe(true)
      await udp('b', ip('a'), 5_001, 'and that')
      const [first, second] = ['b', 'a'].map((who) => ip(who as GuestName))
      // The first window may have ended between two of the packets: what counts is what this one has.
      await udp('b', ip('a'), 5_000, 'last')
      expect(await hears('a', 'last')).toBe(true)
      const bytes = (text: string) => udpHeaders + text.length
      const all = 'after that'.length + 'last'.length + 2 * udpHeaders
      expect(await texts()).toEqual([
        `a ingress ACCEPT 17 ${first}:6000>${second}:5000 2 ${all}`,
        `a ingress REJECT 17 ${first}:6000>${second}:5001 1 ${bytes('and that')}`,
        `b egress ACCEPT 17 ${first}:6000>${second}:5000 2 ${all}`,
        `b egress ACCEPT 17 ${first}:6000>${second}:5001 1 ${bytes('and that')}`,
      ])
    })

    it('have what the sender does not let out as refused to it, and say nothing of the other side', async () => {
      await apply(['a', 'b'], { a: { ingress: [everything] }, b: { egress: [tcp(22)] } })
      await collected(world.driver())
      await udp('b', ip('a'), 5_000, 'kept in')
      expect(await guest('b').connectTcp(ip('a'), 22)).not.toBeNull()
      expect((await guest('a').receivedUdp()).some((line) => line.endsWith('kept in'))).toBe(false)
      const found = await flows()
      expect(found.filter((flow) => flow.protocol === 17).map(textOf)).toEqual([
        `b egress REJECT 17 ${ip('b')}:6000>${ip('a')}:5000 1 ${udpHeaders + 'kept in'.length}`,
      ])
      const kinds = found.filter((flow) => flow.protocol === 6)
      expect(
        kinds.map((flow) => `${name(flow.interfaceId)} ${flow.direction} ${flow.accepted}`).toSorted(),
      ).toEqual(['a egress true', 'a ingress true', 'b egress true', 'b ingress true'])
      const flags = (direction: string, who: GuestName) =>
        kinds.find((flow) => flow.direction === direction && name(flow.interfaceId) === who)?.tcpFlags
      expect([flags('egress', 'b'), flags('egress', 'a')]).toEqual([2, 18])
    })

    it('cross subnets and the world outside with the addresses that guests have', async () => {
      await apply(['a', 'c'], { a: { ingress: [allow(17, 5_000)] } })
      await collected(world.driver())
      await udp('c', ip('a'), 5_000, 'routed')
      expect(await hears('a', 'routed')).toBe(true)
      const { host } = world.network
      await host.sendUdp({ ...{ address: '198.19.77.10', port: 5_000, sourcePort: 6_000 }, text: 'outside' })
      expect(await hears('a', 'outside')).toBe(true)
      await host.sendUdp({ ...{ address: '198.19.77.10', port: 5_009, sourcePort: 6_000 }, text: 'knock' })
      await udp('c', ip('a'), 5_000, 'at last')
      expect(await hears('a', 'at last')).toBe(true)
      const both = 'routed'.length + 'at last'.length + 2 * udpHeaders
      expect(await texts()).toEqual([
        `a ingress ACCEPT 17 ${ip('c')}:6000>${ip('a')}:5000 2 ${both}`,
        `a ingress ACCEPT 17 198.19.77.1:6000>${ip('a')}:5000 1 ${udpHeaders + 'outside'.length}`,
        `a ingress REJECT 17 198.19.77.1:6000>${ip('a')}:5009 1 ${udpHeaders + 'knock'.length}`,
        `c egress ACCEPT 17 ${ip('c')}:6000>${ip('a')}:5000 2 ${both}`,
      ])
    })

    it('have pings of either verdict, and an unchecked interface whatever its packets say', async () => {
      await apply(['a', 'b'], {
        a: { ingress: [allow(1, 8, -1)], sourceDestCheck: false },
        b: { ingress: [] },
      })
      await collected(world.driver())
      expect(await guest('b').pings(ip('a'))).toBe(true)
      expect(await guest('a').pings(ip('b'))).toBe(false)
      const lines = (await texts()).map((text) => text.split(' ').slice(0, -2).join(' '))
      const [asked, answered] = [`${ip('b')}:0>${ip('a')}:0`, `${ip('a')}:0>${ip('b')}:0`]
      expect(lines).toEqual([
        // Its answers, and its own questions, which its groups let out.
        `a egress ACCEPT 1 ${answered}`,
        `a ingress ACCEPT 1 ${asked}`,
        `b egress ACCEPT 1 ${asked}`,
        `b ingress ACCEPT 1 ${answered}`,
        `b ingress REJECT 1 ${answered}`,
      ])
    })

    it('have what a network ACL refuses as refused to whoever it is of, and not as let out', async () => {
      const entry = (port: number) => ({
        ...{ allow: true, protocol: '17', fromPort: port, toPort: port, cidr: '0.0.0.0/0' },
      })
      const [first, second] = loggedWorld(['a', 'c'], { a: { ingress: [everything] } })
      const acl = { networkAclId: 'acl-52', ingress: [entry(6_000)], egress: [entry(5_000)] }
      const subnets = first!.subnets.map((subnet) =>
        subnet.subnetId === 'subnet-52' ? { ...subnet, networkAclId: acl.networkAclId } : subnet,
      )
      await world.driver().apply([{ ...first!, subnets, networkAcls: [acl] }, second!])
      await collected(world.driver())
      await udp('c', ip('a'), 5_001, 'kept in')
      await udp('a', ip('c'), 6_001, 'kept out')
      await udp('c', ip('a'), 5_000, 'let out')
      expect(await hears('a', 'let out')).toBe(true)
      expect(await texts()).toEqual([
        `a egress ACCEPT 17 ${ip('a')}:6000>${ip('c')}:6001 1 ${udpHeaders + 'kept out'.length}`,
        `a ingress ACCEPT 17 ${ip('c')}:6000>${ip('a')}:5000 1 ${udpHeaders + 'let out'.length}`,
        `c egress ACCEPT 17 ${ip('c')}:6000>${ip('a')}:5000 1 ${udpHeaders + 'let out'.length}`,
        `c egress REJECT 17 ${ip('c')}:6000>${ip('a')}:5001 1 ${udpHeaders + 'kept in'.length}`,
        `c ingress REJECT 17 ${ip('a')}:6000>${ip('c')}:6001 1 ${udpHeaders + 'kept out'.length}`,
      ])
      expect(await hears('c', 'kept out')).toBe(false)
    })

    it('are of covered interfaces alone, and of none that only has the same address', async () => {
      await apply(['b'], { a: { ingress: [everything] }, x: { ingress: [everything] } })
      await collected(world.driver())
      await udp('y', ip('x'), 5_000, 'elsewhere')
      expect(await hears('x', 'elsewhere')).toBe(true)
      await udp('c', ip('a'), 5_000, 'unseen')
      expect(await hears('a', 'unseen')).toBe(true)
      expect(await texts()).toEqual([])
    })

    it('outlast a restart, a change of rules, and an interface that is not covered any more', async () => {
      await apply(['a', 'b'], { a: { ingress: [everything] } })
      await collected(world.driver())
      await udp('b', ip('a'), 5_000, 'before')
      expect(await hears('a', 'before')).toBe(true)
      await world.restart()
      await apply(['a', 'b'], { a: { ingress: [everything, tcp(22)] } })
      await apply(['a'], { a: { ingress: [everything] } })
      await udp('b', ip('a'), 5_000, 'behind')
      expect(await hears('a', 'behind')).toBe(true)
      const [one, two] = [udpHeaders + 'before'.length, 2 * udpHeaders + 2 * 'before'.length]
      expect(await texts()).toEqual([
        `a ingress ACCEPT 17 ${ip('b')}:6000>${ip('a')}:5000 2 ${two}`,
        `b egress ACCEPT 17 ${ip('b')}:6000>${ip('a')}:5000 1 ${one}`,
      ])
    })

    it('say whose flows were too many to be counted', async () => {
      await apply(['a'], { a: { ingress: [everything] } })
      await collected(world.driver())
      const { node } = world.network
      const set = (await world.network.exec(node, 'nft', ['-t', 'list', 'table', 'bridge', 'mallee_flows']))
        .split('\n')
        .find((line) => line.includes('set in_accepted_udp_'))!
        .trim()
        .split(' ')[1]!
      const { tap } = world.driver().port(worldItems()[0]!, interfaceIdOf('a'))
      const many = Array.from({ length: 65_535 }, (_, index) => {
        const [high, low] = [index >> 8, index & 255]
        return `"${tap}" . 10.9.${high}.${low} . ${ip('a')} . 1 . 1`
      })
      const text = `add element bridge mallee_flows ${set} { ${many.join(', ')} }\n`
      await world.network.exec(node, 'nft', ['-f', '-'], text)
      await udp('b', ip('a'), 5_000, 'too much')
      expect(await hears('a', 'too much')).toBe(true)
      const [window] = await collected(world.driver())
      expect(window!.incomplete).toEqual([interfaceIdOf('a')])
      expect(window!.flows).toHaveLength(65_535)
    }, 60_000)

    it('begin again when somebody has removed the counting', async () => {
      await apply(['a'], { a: { ingress: [everything] } })
      const { node } = world.network
      await world.network.exec(node, 'nft', ['delete', 'table', 'bridge', 'mallee_flows'])
      expect(await collected(world.driver())).toEqual([])
      await udp('b', ip('a'), 5_000, 'again')
      expect(await hears('a', 'again')).toBe(true)
      expect(await flows()).toHaveLength(1)
    })

    it('leave nothing of themselves where no flow log is any more', async () => {
      const tables = () => world.network.exec(world.network.node, 'nft', ['list', 'ruleset'])
      await apply(['a'])
      expect(await tables()).toContain('mallee_flows')
      await apply([])
      await collected(world.driver())
      expect(await tables()).not.toContain('mallee_flows')
      // What was marked while it was counted may still be under way: who drops it stays.
      expect(await tables()).toContain('chain refused')
    })
  })
}
