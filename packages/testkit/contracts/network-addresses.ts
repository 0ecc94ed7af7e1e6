import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { leaseByDhcp } from '../src/dhcp-client.ts'
import type { TestGuest } from '../src/test-guest.ts'
import { outsideName, serveNames } from '../src/test-name-server.ts'
import { testHostAddress, testNodeAddress } from '../src/test-network.ts'
import {
  allow,
  everything,
  guestNames,
  interfaceIdOf,
  macOf,
  places,
  tcp,
  worldItems,
  type GuestName,
  type Wishes,
} from './network-driver.ts'
import {
  eventually,
  connected,
  makeNetworkWorld,
  reachesAs,
  type NetworkWorld,
  type OpenDriver,
} from './network-world.ts'

const quick = { timeoutMs: 400 }
const metadataUrl = 'http://169.254.169.254/'
const open: Wishes = {
  a: { ingress: [everything] },
  b: { ingress: [everything] },
  c: { ingress: [everything] },
  x: { ingress: [everything] },
}

/** Leases, public addresses, metadata and restarts, proven with packets. */
export function describeNetworkAddresses(name: string, openDriver: OpenDriver): void {
  describe(`addresses of the ${name} network`, () => {
    let world: NetworkWorld
    let server: TestGuest
    let endNames = () => Promise.resolve()
    const guest = (who: GuestName): TestGuest => world.guests[who]
    beforeAll(async () => {
      world = await makeNetworkWorld(openDriver)
      await Promise.all(guestNames.map((who) => guest(who).listenTcp(22)))
      await world.network.host.listenTcp(8_080)
      endNames = await serveNames(world.network.host, testHostAddress)
      server = await world.network.addNodeProcess()
      const { host, port } = world.driver().metadataAddress
      await server.listenHttp(host, port)
      await server.listenTcp(9_999)
      await server.listenUdp(5_999)
    })
    afterAll(async () => {
      await endNames()
      await world.end()
    })
    leasesAndNames(() => world, guest)
    publicAddresses(() => world, guest)
    metadata(
      () => world,
      guest,
      () => server,
    )
    restarts(() => world, guest)
  })

  it(`leaves nothing of the ${name} network behind`, async () => {
    const world = await makeNetworkWorld(openDriver)
    const { node } = world.network
    await world.driver().removeAll()
    const state = async () => ({
      links: await world.network.exec(node, 'ip', ['-br', 'link']),
      addresses: await world.network.exec(node, 'ip', ['-br', 'addr', 'show', 'dev', 'lo']),
      routes: await world.network.exec(node, 'ip', ['route', 'show', 'table', 'all', 'type', 'unreachable']),
      rules: await world.network.exec(node, 'nft', ['list', 'ruleset']),
      namespaces: (await world.network.exec(node, 'ip', ['netns', 'list']))
        .split('\n')
        .filter((line) => line.startsWith(`${node}-`)),
    })
    const { links, ...rest } = await state()
    const names = links.split('\n').map((line) => line.split(/[@ ]/)[0]!)
    expect(names.filter((link) => !link.startsWith('vn') && link !== '').toSorted()).toEqual(['lo', 'uplink'])
    expect(rest.addresses).not.toContain('169.254')
    expect({ ...rest, addresses: '' }).toEqual({ addresses: '', routes: '', rules: '', namespaces: [] })
    await world.end()
  })
}

function lookUp(who: TestGuest, name: string, server = '172.31.0.1'): Promise<string> {
  const question = `busybox timeout 2 busybox nslookup -type=a ${name} ${server} 2>&1 || true`
  return who.exec('sh', ['-c', question])
}

type Guest = (who: GuestName) => TestGuest

function leasesAndNames(world: () => NetworkWorld, guest: Guest): void {
  it('gives every guest its own address by DHCP, with router, name server, MTU and name', () => {
    for (const who of guestNames) {
      const { privateIp, subnet } = places[who]
      const gateway = subnet === 52 ? '172.31.16.1' : '172.31.0.1'
      expect(world().leases[who], who).toEqual({
        address: privateIp,
        prefixLength: 20,
        router: gateway,
        dns: gateway,
        mtu: '1500',
        domain: 'ec2.internal',
        hostname: `ip-${privateIp.replaceAll('.', '-')}`,
      })
    }
  })

  it('gives an address to who has it now, whatever leases there were', async () => {
    const mac = '02:00:5e:00:00:55'
    await world().wish({ y: { absent: true } })
    await world().wish({ y: { mac, interfaceId: 'eni-000000000000000aa' } })
    const vpc = worldItems({ y: { interfaceId: 'eni-000000000000000aa' } })[1]!
    const port = world().driver().port(vpc, 'eni-000000000000000aa')
    const heir = await world().network.addGuest({ ...port, mac })
    expect((await leaseByDhcp(heir))?.address).toBe(places.y.privateIp)
    await world().wish()
  })

  it('answers names of the VPC itself, and others as the node’s name servers do', async () => {
    await world().wish()
    const resolve = (who: GuestName, name: string) => lookUp(guest(who), name)
    expect(await resolve('a', 'ip-172-31-16-4.ec2.internal')).toContain('172.31.16.4')
    expect(await resolve('a', 'ip-172-31-9-9.ec2.internal')).toMatch(/NXDOMAIN/)
    expect(await resolve('a', outsideName.name)).toContain(outsideName.address)
    expect(await resolve('x', outsideName.name)).toContain(outsideName.address)
    expect(await resolve('a', 'example.com')).toMatch(/REFUSED/)
    expect(await resolve('a', 'ip-172-31-9-9')).toMatch(/NXDOMAIN/)
    expect(await resolve('x', 'ip-172-31-16-4.ec2.internal')).toMatch(/NXDOMAIN/)
  })

  it('lets guests ask the node’s resolver through their own name server only', async () => {
    await world().wish()
    const ask = (server: string) => lookUp(guest('a'), outsideName.name, server)
    for (const port of ['53', '8753'])
      expect(await ask(`169.254.0.1:${port}`), port).not.toContain(outsideName.address)
    expect(await ask('172.31.0.2')).toContain(outsideName.address)
  })
}

function publicAddresses(world: () => NetworkWorld, guest: Guest): void {
  it('is reached from outside by the public address, seen as it is', async () => {
    await world().wish({ a: { ingress: [tcp(22, { cidr: `${testHostAddress}/32` })] } })
    await reachesAs(world().network.host, '198.19.77.10', guest('a'), testHostAddress)
    expect(await world().network.host.connectTcp('198.19.77.10', 23, quick)).toBeNull()
  })

  it("goes out by its public address, or by the node's where it has none", async () => {
    await world().wish()
    for (const [who, seen] of [
      ['a', '198.19.77.10'],
      ['b', testNodeAddress],
      ['x', '198.19.77.20'],
      ['y', testNodeAddress],
    ] as const) {
      await reachesAs(guest(who), testHostAddress, world().network.host, seen, 8_080)
    }
  })

  it('is reached by its public address from itself, its neighbours, its VPC and others', async () => {
    await world().wish(open)
    for (const [who, seen] of [
      ['a', '198.19.77.10'],
      ['b', testNodeAddress],
      ['c', '198.19.77.11'],
      ['x', '198.19.77.20'],
      ['y', testNodeAddress],
    ] as const) {
      await reachesAs(guest(who), '198.19.77.10', guest('a'), seen)
    }
  })

  it('moves a public address, and the flows of who had it end', async () => {
    await world().wish(open)
    const old = await connected(world().network.host, '198.19.77.10')
    await world().wish({
      ...open,
      a: { ...open.a, publicIp: null },
      b: { ...open.b, publicIp: '198.19.77.10' },
    })
    expect(await world().network.host.echoes(old, quick)).toBe(false)
    await reachesAs(world().network.host, '198.19.77.10', guest('b'), testHostAddress)
    await world().wish({
      ...open,
      a: { ...open.a, publicIp: null },
      x: { ...open.x, publicIp: '198.19.77.10' },
    })
    await reachesAs(world().network.host, '198.19.77.10', guest('x'), testHostAddress)
  })

  it('refuses addresses of the pool that nobody has', async () => {
    await world().wish(open)
    expect(await guest('a').connectTcp('198.19.77.200', 22, quick)).toBeNull()
    expect(await world().network.host.connectTcp('198.19.77.200', 22, quick)).toBeNull()
    // Rather than sending it back to where it came from.
    await expect(
      world().network.exec(world().network.node, 'ip', ['route', 'get', '198.19.77.200']),
    ).rejects.toThrow(/unreachable|No route/)
  })
}

function metadata(world: () => NetworkWorld, guest: Guest, nodeProcess: () => TestGuest): void {
  const askedAs = async (who: GuestName) => {
    const answer = await guest(who).http({ url: metadataUrl })
    return answer && world().driver().askerAt(answer.body)
  }

  it('knows every asker by its interface, in VPCs of the same addresses too, whatever its rules', async () => {
    await world().wish({ a: { egress: [] } })
    for (const who of guestNames) expect(await askedAs(who), who).toBe(interfaceIdOf(who))
  })

  it("gives nobody another's, not even who may send with foreign addresses", async () => {
    await world().wish({ b: { sourceDestCheck: false } })
    expect(await askedAs('b')).toBe(interfaceIdOf('b'))
    const identity = (await guest('a').http({ url: metadataUrl }))!.body
    // The neighbour is away, so that nobody would answer its stray packets with a reset.
    await guest('a').ip('link set eth0 down')
    await guest('b').ip(`addr add ${places.a.privateIp}/20 dev eth0`)
    await guest('b').ip(`route replace 169.254.169.254 via 172.31.0.1 src ${places.a.privateIp}`)
    expect(await guest('b').http({ url: metadataUrl, timeoutMs: 600 })).toBeNull()
    // Its question did not even reach the server in the neighbour's name.
    const flows = await world().network.exec(world().network.node, 'conntrack', ['-L', '-s', identity])
    expect(flows).not.toContain('SYN')
    await guest('b').ip('route del 169.254.169.254', `addr del ${places.a.privateIp}/20 dev eth0`)
    await guest('a').ip('link set eth0 up', 'route replace default via 172.31.0.1')
    expect(await askedAs('a')).toBe(interfaceIdOf('a'))
  })

  it('is reached at its address only, and nothing else of the node is', async () => {
    await world().wish({ a: { ingress: [everything] } })
    const { host, port } = world().driver().metadataAddress
    for (const url of [`http://${host}:${port}/`, `http://${testNodeAddress}:${port}/`]) {
      expect(await guest('a').http({ url, timeoutMs: 400 }), url).toBeNull()
      expect(await world().network.host.http({ url, timeoutMs: 400 }), url).toBeNull()
    }
    for (const address of [testNodeAddress, '169.254.0.1', '169.254.169.254', '172.31.0.1'])
      expect(await guest('a').connectTcp(address, 9_999, quick), address).toBeNull()
    // By the bridge's own MAC neither: not one packet, though the node could not even answer.
    await guest('a').exec('ip', [
      ...['neigh', 'replace', '172.31.0.77', 'lladdr', await bridgeMac()],
      ...['dev', 'eth0'],
    ])
    await guest('a').ip(`route replace ${testNodeAddress} via 172.31.0.77`)
    await guest('a').sendUdp({ address: testNodeAddress, port: 5_999, text: 'lie' })
    await guest('a').ip(`route del ${testNodeAddress}`)
    const heard = await eventually(
      async () => {
        await world().network.host.sendUdp({ address: testNodeAddress, port: 5_999, text: 'truth' })
        return nodeProcess().receivedUdp()
      },
      (said) => said.some((line) => line.endsWith('truth')),
    )
    expect(heard.filter((line) => !line.endsWith('truth'))).toEqual([])
    expect(heard).not.toEqual([])
  })
  const bridgeMac = async () => {
    const { bridge } = world().driver().port(worldItems()[0]!, interfaceIdOf('a'))
    const said = await world().network.exec(world().network.node, 'ip', ['-j', 'link', 'show', bridge])
    return (JSON.parse(said) as { address: string }[])[0]!.address
  }

  it('serves others while one guest opens all the connections it can', async () => {
    await world().wish()
    const tries = Array.from({ length: 40 }, () => guest('y').connectTcp('169.254.169.254', 80, quick))
    const opened = (await Promise.all(tries)).filter((flow) => flow !== null)
    expect(opened.length).toBe(32)
    expect(await askedAs('b')).toBe(interfaceIdOf('b'))
    await guest('y').hangUp()
    expect(
      await eventually(
        () => askedAs('y'),
        (asker) => asker !== null,
      ),
    ).toBe(interfaceIdOf('y'))
  })

  it('does not reach further than the hop limit', async () => {
    const inner = await world().network.addInner(guest('c'))
    await world().wish({ c: { metadataHopLimit: 1 } })
    expect(await askedAs('c')).toBe(interfaceIdOf('c'))
    expect(await inner.http({ url: metadataUrl, timeoutMs: 600 })).toBeNull()
    await world().wish({ c: { metadataHopLimit: 2 } })
    const answer = await inner.http({ url: metadataUrl })
    expect(answer && world().driver().askerAt(answer.body)).toBe(interfaceIdOf('c'))
  })
}

function restarts(world: () => NetworkWorld, guest: Guest): void {
  it('goes on through a restart of the driver: flows, identities and DHCP', async () => {
    await world().wish({ a: { absent: true } })
    const items = await world().wish(open)
    const inside = await connected(guest('b'), places.a.privateIp)
    const outside = await connected(world().network.host, '198.19.77.10')
    const identity = (await guest('a').http({ url: metadataUrl }))!.body
    const daemons = () =>
      world().network.exec(world().network.node, 'ip', ['netns', 'pids', `${world().network.node}-r5`])
    const before = await daemons()
    expect(before.trim()).not.toBe('')
    await world().restart()
    expect(await guest('b').echoes(inside)).toBe(true)
    await world().driver().apply(items)
    expect(await guest('b').echoes(inside)).toBe(true)
    expect(await world().network.host.echoes(outside)).toBe(true)
    expect(world().driver().askerAt(identity)).toBe(interfaceIdOf('a'))
    expect(await daemons()).toBe(before)
  })

  it('cuts what was revoked while the driver was away', async () => {
    await world().wish({ a: { ingress: [tcp(22)] } })
    const flow = await connected(guest('b'), places.a.privateIp)
    await world().restart()
    await world().wish({ a: { ingress: [allow(17, 1)] } })
    expect(await guest('b').echoes(flow, quick)).toBe(false)
  })

  it('ends flows by a public address that was moved while the driver was away', async () => {
    await world().wish(open)
    const old = await connected(world().network.host, '198.19.77.10')
    await world().restart()
    await world().wish({
      ...open,
      a: { ...open.a, publicIp: null },
      b: { ...open.b, publicIp: '198.19.77.10' },
    })
    expect(await world().network.host.echoes(old, quick)).toBe(false)
  })

  it('starts a dead DHCP or resolver again, and repairs links that somebody removed, when it is opened', async () => {
    const items = await world().wish(open)
    // Asked from the node's namespace, or the question itself would be in the answer.
    const router = `${world().network.node}-r6`
    const pids = () => world().network.exec(world().network.node, 'ip', ['netns', 'pids', router])
    const [pid] = (await pids()).trim().split('\n')
    process.kill(Number(pid), 'SIGKILL')
    const alive = await eventually(
      async () => {
        await world().driver().apply(items)
        return (await pids()).trim()
      },
      (now) => now !== '' && now !== pid,
    )
    expect(alive).not.toBe(pid)
    expect((await leaseByDhcp(guest('x')))?.address).toBe(places.x.privateIp)
    const { node } = world().network
    const ofNode = `for pid in $(ip netns pids ${node}); do grep -qx dnsmasq /proc/$pid/comm && echo $pid; done; true`
    const resolvers = (await world().network.exec(node, 'sh', ['-c', ofNode])).trim()
    expect(resolvers).toMatch(/^\d+$/)
    process.kill(Number(resolvers), 'SIGKILL')
    const found = await eventually(
      async () => {
        await world().driver().apply(items)
        return lookUp(guest('x'), outsideName.name)
      },
      (said) => said.includes(outsideName.address),
    )
    expect(found).toContain(outsideName.address)
    await world().network.exec(world().network.node, 'ip', ['link', 'del', 'ru6'])
    expect(await guest('x').connectTcp(testHostAddress, 8_080, quick)).toBeNull()
    await world().restart()
    await world().driver().apply(items)
    expect(await guest('x').connectTcp(testHostAddress, 8_080)).not.toBeNull()
  })

  it('tells the neighbours of an address that it is another’s now', async () => {
    await world().wish(open)
    expect(await guest('a').pings(places.b.privateIp)).toBe(true) // and remembers by what MAC
    const mac = '02:00:5e:00:00:46'
    await world().wish({ ...open, b: { ...open.b, mac } })
    await guest('b').ip(`link set eth0 address ${mac}`)
    const limit = { timeout: 12_000, interval: 100 } // by itself it would find out after half a minute and more
    await expect.poll(() => guest('a').pings(places.b.privateIp), limit).toBe(true)
    expect(await guest('a').connectTcp(places.b.privateIp, 22)).not.toBeNull()
    await guest('b').ip(`link set eth0 address ${macOf('b')}`)
    await world().wish(open)
    await expect.poll(() => guest('a').pings(places.b.privateIp), limit).toBe(true)
  })

  it("takes a guest's MAC from the item, not from what it was before", async () => {
    await world().wish(open)
    expect(await guest('a').pings(places.b.privateIp)).toBe(true)
    await world().wish({ ...open, a: { ...open.a, mac: '02:00:5e:00:00:44' } })
    expect(await guest('a').pings(places.b.privateIp)).toBe(false)
    await guest('a').ip('link set eth0 address 02:00:5e:00:00:44')
    expect(await guest('a').pings(places.b.privateIp)).toBe(true)
    await guest('a').ip(`link set eth0 address ${macOf('a')}`)
    await world().wish(open)
  })
}
