import { worldItems } from '@mallee/testkit'
import { describe, expect, it } from 'vitest'
import { dhcpFiles, withoutForeignLeases } from './dhcp-files.ts'
import { linkChanges, routerLinks, type ObservedNode } from './links.ts'
import { bridgeMac } from './names.ts'
import { assignNumbers, noNumbers } from './numbers.ts'
import { parseFlows, parseLinks, parseRoutes } from './parse.ts'
import { planNetwork } from './plan.ts'
import { staleTranslations } from './translations.ts'

const items = worldItems({ b: { absent: true }, c: { absent: true } }).slice(0, 1)
const planOptions = {
  routerPrefix: 'n-r',
  numbers: assignNumbers(noNumbers, {
    vpc: ['vpc-5'],
    subnet: ['subnet-51', 'subnet-52'],
    interface: items[0]!.interfaces.map((entry) => entry.interfaceId),
  }),
}
const plan = planNetwork(items, planOptions)
const pool = { publicPool: '198.19.77.0/24', nodeAddress: '198.19.77.2' }
const link = (name: string, master: string | null = null, alias: string | null = 'mallee') => ({
  name,
  master,
  alias,
  up: true,
  mac: { br1f: bridgeMac(51), br1g: bridgeMac(52) }[name] ?? null,
})
const complete: ObservedNode = {
  routers: ['n-r5'],
  natGateways: [],
  links: [
    link('lo', null, null),
    link('br1f'),
    link('br1g'),
    link('rg1f', 'br1f'),
    link('rg1g', 'br1g'),
    link('ru5'),
  ],
  routes: [
    'unreachable 198.19.77.0/24 metric 4000',
    '169.254.0.2 dev ru5',
    '100.64.0.1 via 169.254.0.2 dev ru5 onlink',
    '198.19.77.10 via 169.254.0.2 dev ru5 onlink',
  ],
}

describe('changes of links and routes', () => {
  it('are none where all stands', () => {
    expect(linkChanges(plan, complete, pool)).toMatchObject({ add: [], remove: [], deadRouters: [] })
  })

  it('make a tunnel anew that begins at an address which the node has no more', () => {
    const [item] = items
    const spanning = planNetwork([{ ...item!, nodes: ['198.18.0.12'] }], planOptions)
    const tunnels = (local: string) =>
      linkChanges(
        spanning,
        {
          ...complete,
          links: [...complete.links, { ...link('vx1f', 'br1f'), local }, { ...link('vx1g', 'br1g'), local }],
        },
        pool,
      )
    expect(tunnels(pool.nodeAddress)).toMatchObject({ add: [], freshTunnels: new Set() })
    const { add, freshTunnels } = tunnels('198.19.77.9')
    expect(freshTunnels).toEqual(new Set(['vx1f', 'vx1g']))
    expect(add.indexOf('link del vx1f')).toBeLessThan(
      add.findIndex((line) => line.startsWith('link add vx1f')),
    )
  })

  it('make everything on an empty node, bridges before what is plugged into them', () => {
    const { add, touched } = linkChanges(plan, { routers: [], natGateways: [], links: [], routes: [] }, pool)
    expect(touched).toEqual(new Set(['n-r5']))
    expect(add[0]).toBe('netns add n-r5')
    const at = (text: string) => add.findIndex((line) => line.startsWith(text))
    expect(at('link add br1f')).toBeLessThan(at('link set dev rg1f master br1f'))
    expect(at('route replace 169.254.0.2 dev ru5')).toBeLessThan(at('route replace 198.19.77.10 via'))
  })

  it('put back what somebody took away, and touch nothing else', () => {
    const links = complete.links.filter((entry) => entry.name !== 'rg1g')
    const { add, touched } = linkChanges(plan, { ...complete, links }, pool)
    expect(add.every((line) => line.includes('rg1g'))).toBe(true)
    expect(touched).toEqual(new Set(['n-r5']))
  })

  it('remove what is ours and no longer wanted, and nothing that is not ours', () => {
    const there = {
      routers: [...complete.routers, 'n-r9'],
      natGateways: [],
      links: [...complete.links, link('br9', null, null), link('bra'), link('ru9')],
      routes: [...complete.routes, '198.19.77.99 via 169.254.0.9 dev ru9 onlink'],
    }
    const { remove, deadRouters } = linkChanges(plan, there, pool)
    expect(remove).toEqual([
      'route del 198.19.77.99 via 169.254.0.9 dev ru9 onlink proto 190',
      'link del bra',
      'link del ru9',
      'netns del n-r9',
    ])
    expect(deadRouters).toEqual(['n-r9'])
  })

  it('refuse a bridge that somebody else called like ours, and finish one of ours that was cut off', () => {
    const theirs = (mac: string) =>
      complete.links.map((entry) => (entry.name === 'br1f' ? { ...entry, alias: null, mac } : entry))
    expect(() => linkChanges(plan, { ...complete, links: theirs('02:00:00:00:00:09') }, pool)).toThrow(
      /br1f that is not the cloud's/,
    )
    expect(() => linkChanges(plan, { ...complete, links: theirs(bridgeMac(51)) }, pool)).not.toThrow()
  })

  it('move an address to another router without a moment of none', () => {
    const routes = complete.routes.map((route) =>
      route.startsWith('198.19.77.10 ') ? '198.19.77.10 via 169.254.0.9 dev ru9 onlink' : route,
    )
    const { add, remove } = linkChanges(plan, { ...complete, routes }, pool)
    expect(add).toEqual(['route replace 198.19.77.10 via 169.254.0.2 dev ru5 onlink proto 190'])
    expect(remove).toEqual([])
  })

  it("take a router's old address away", () => {
    const lines = routerLinks(plan.routers[0]!, new Map([['up', ['169.254.0.7/32', '169.254.0.2/32']]]))
    expect(lines.filter((line) => line.startsWith('address del'))).toEqual([
      'address del 169.254.0.7/32 dev up',
    ])
  })
})

describe('what programs say', () => {
  it('is read as the words that would make it', () => {
    const routes = [
      { type: 'unreachable', dst: '198.19.77.0/24', dev: 'lo', metric: 4000, flags: [] },
      { dst: '169.254.0.2', dev: 'ru5', scope: 'link', flags: [] },
      { dst: '198.19.77.10', gateway: '169.254.0.2', dev: 'ru5', flags: ['onlink'] },
    ]
    expect(parseRoutes(routes)).toEqual([complete.routes[0], complete.routes[1], complete.routes[3]])
    expect(parseLinks([{ ifname: 'br1', flags: ['UP'], ifalias: 'mallee' }, {}])).toEqual([
      { name: 'br1', alias: 'mallee', master: null, up: true, mac: null },
    ])
  })

  it('of flows: the direction that began each', () => {
    const text = [
      'tcp      6 431999 ESTABLISHED src=10.0.0.5 dst=1.2.3.4 sport=5 dport=22 src=10.0.0.4 dst=10.0.0.5 sport=22 dport=5 [ASSURED] mark=0 zone=7 use=1',
      'icmp     1 29 src=10.0.0.5 dst=10.0.0.4 type=8 code=0 id=77 src=10.0.0.4 dst=10.0.0.5 type=0 code=0 id=77 mark=0 use=1',
      'unknown  47 599 src=10.0.0.5 dst=10.0.0.4 [UNREPLIED] src=10.0.0.4 dst=10.0.0.5 mark=0 zone=7 use=1',
      'conntrack v1.4.7 (conntrack-tools): 3 flow entries have been shown.',
    ].join('\n')
    expect(parseFlows(text)).toEqual([
      {
        zone: 7,
        protocol: 6,
        source: '10.0.0.5',
        destination: '1.2.3.4',
        sourcePort: 5,
        destinationPort: 22,
        icmp: null,
      },
      {
        zone: 0,
        protocol: 1,
        source: '10.0.0.5',
        destination: '10.0.0.4',
        sourcePort: null,
        destinationPort: null,
        icmp: { type: 8, code: 0, id: 77 },
      },
      {
        zone: 7,
        protocol: 47,
        source: '10.0.0.5',
        destination: '10.0.0.4',
        sourcePort: null,
        destinationPort: null,
        icmp: null,
      },
    ])
  })
})

describe('DHCP files', () => {
  it('give each MAC its address and name, and know all names of the VPC', () => {
    const router = plan.routers[0]!
    const files = dhcpFiles(router.subnets[0]!, router, 1500)
    expect(files.hosts).toBe('02:00:5e:00:00:01,172.31.0.4,ip-172-31-0-4\n')
    expect(files.names).toBe('172.31.0.4 ip-172-31-0-4.ec2.internal ip-172-31-0-4\n')
    expect(files.config).toContain('dhcp-range=172.31.0.0,static,255.255.240.0,3600\n')
    expect(dhcpFiles(router.subnets[1]!, router, 1500).hosts).toBe('')
  })

  it('forget leases of an address that another has now, and no others', () => {
    const owners = new Map([['10.0.0.4', '02:00:00:00:00:01']])
    const own = '99 02:00:00:00:00:01 10.0.0.4 x *\n98 02:00:00:00:00:09 10.0.0.9 y *\n'
    expect(withoutForeignLeases(own, owners)).toBeNull()
    expect(withoutForeignLeases(`99 02:00:00:00:00:07 10.0.0.4 x *\n${own}`, owners)).toBe(own)
  })
})

describe('translations that were taken back', () => {
  const a = { interfaceId: 'eni-a', privateIp: '10.0.0.4', publicIp: '1.1.1.1' }
  it('are ended by the public address, or by the private one if the interface is gone', () => {
    expect(staleTranslations([a], [a])).toEqual([])
    expect(staleTranslations([{ ...a, publicIp: null }], [a])).toEqual([])
    expect(staleTranslations([a], [{ ...a, publicIp: null }])).toEqual(['-D -d 1.1.1.1', '-D -q 1.1.1.1'])
    expect(staleTranslations([a], [])).toEqual([
      '-D -s 10.0.0.4',
      '-D -r 10.0.0.4',
      '-D -d 1.1.1.1',
      '-D -q 1.1.1.1',
    ])
  })
})
