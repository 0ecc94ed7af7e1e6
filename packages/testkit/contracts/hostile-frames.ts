import { arp, broadcastMac, dhcp, ethernet, etherTypes, icmp, ipv4, tagged, udp } from '../src/frames.ts'
import { macOf, places } from './network-driver.ts'

/**
 * What b sends to trouble a, its neighbour on one bridge, c in the next subnet, the node, and y in another VPC. Every frame
 * bears the words that it is called by, so that whoever hears it can be found.
 */
const b = { mac: macOf('b'), ip: places.b.privateIp }
const a = { mac: macOf('a'), ip: places.a.privateIp }
const gateway = '172.31.0.1'

export interface Neighbourhood {
  readonly gatewayMac: string
  /** Of the bridge itself, in the node. */
  readonly bridgeMac: string
  /** Of the gateway of another VPC. */
  readonly otherGatewayMac: string
}

type Written = (words: string, at: Neighbourhood) => Buffer | readonly Buffer[]

/** To a, by b's own MAC, unless said. */
const frame = (payload: Buffer, more: { to?: string; from?: string; type?: number } = {}) =>
  ethernet({ from: b.mac, to: a.mac, payload, ...more })
const datagram = (words: string, more: { from?: string; to?: string; ttl?: number; options?: Buffer } = {}) =>
  ipv4({ from: b.ip, to: a.ip, protocol: 17, payload: udp(5_000, 5_000, words), ...more })
const claim = (words: string, fields: { mac?: string; ip: string; operation?: 'request' | 'reply' }) =>
  arp({ operation: 'request', mac: b.mac, toIp: fields.ip, ...fields }, words)
const toAll = { to: broadcastMac }
/** RFC 4861: a router that lives for half an hour, with the prefix that words make no difference to. */
const advertisement = (words: string) => {
  const message = Buffer.concat([Buffer.from('86000000400007080000000000000000', 'hex'), Buffer.from(words)])
  const addresses = 'fe80000000000000000000fffe5e0002ff020000000000000000000000000001'
  const header = Buffer.concat([
    Buffer.from('60000000', 'hex'),
    Buffer.alloc(4),
    Buffer.from(addresses, 'hex'),
  ])
  header.writeUInt16BE(message.length, 4)
  header.writeUInt16BE(0x3a_ff, 6)
  return Buffer.concat([header, message])
}

/** Heard by nobody. */
export const hostileFrames: Readonly<Record<string, Written>> = {
  "a neighbour's MAC": (words) => frame(datagram(words), { from: a.mac, to: broadcastMac }),
  "the gateway's MAC": (words, at) => frame(datagram(words), { from: at.gatewayMac }),
  'no MAC at all': (words) => frame(datagram(words), { from: '00:00:00:00:00:00' }),
  'a MAC of many': (words) => frame(datagram(words), { from: '03:00:5e:00:00:02' }),
  "the gateway's address": (words) => frame(datagram(words, { from: gateway })),
  "a neighbour's address, to who is in the next subnet": (words, at) =>
    frame(datagram(words, { from: a.ip, to: places.c.privateIp }), { to: at.gatewayMac }),
  "the metadata service's address": (words) => frame(datagram(words, { from: '169.254.169.254' })),
  'the address of the loop': (words) => frame(datagram(words, { from: '127.0.0.1' })),
  'no address at all': (words) => frame(datagram(words, { from: '0.0.0.0' })),
  'an address of the outside': (words, at) =>
    frame(datagram(words, { from: '198.19.77.1' }), { to: at.gatewayMac }),
  'gratuitous ARP for the gateway, asked': (words) =>
    frame(claim(words, { ip: gateway }), { type: etherTypes.arp, ...toAll }),
  'gratuitous ARP for the gateway, answered': (words) =>
    frame(claim(words, { ip: gateway, operation: 'reply' }), { type: etherTypes.arp, ...toAll }),
  "an ARP answer with a neighbour's address": (words) =>
    frame(claim(words, { ip: places.a.privateIp, operation: 'reply' }), { type: etherTypes.arp, ...toAll }),
  "an ARP question that bears the gateway's MAC inside": (words, at) =>
    frame(claim(words, { ip: b.ip, mac: at.gatewayMac }), { type: etherTypes.arp, ...toAll }),
  'reverse ARP': (words) => frame(claim(words, { ip: b.ip }), { type: 0x80_35, ...toAll }),
  'an offer of a DHCP server': (words) =>
    frame(
      ipv4({
        ...{ from: b.ip, to: '255.255.255.255', protocol: 17 },
        payload: udp(
          67,
          68,
          dhcp({ type: 2, clientMac: a.mac, yourIp: '172.31.0.9', serverIp: b.ip, words }),
        ),
      }),
      toAll,
    ),
  'a question of a DHCP client to its neighbours': (words) =>
    frame(
      ipv4({
        ...{ from: '0.0.0.0', to: '255.255.255.255', protocol: 17 },
        payload: udp(68, 67, dhcp({ type: 1, clientMac: b.mac, words })),
      }),
      { to: a.mac },
    ),
  'a router advertisement': (words) =>
    frame(advertisement(words), { to: '33:33:00:00:00:01', type: etherTypes.ipv6 }),
  'an ICMP redirect in the name of the gateway': (words) =>
    frame(
      ipv4({
        ...{ from: gateway, to: a.ip, protocol: 1 },
        payload: icmp(
          5,
          1,
          Buffer.from(b.ip.split('.').map(Number)),
          datagram(words, { from: a.ip, to: '198.19.77.1' }),
        ),
      }),
    ),
  'a VLAN tag': (words) => frame(tagged(1, etherTypes.ipv4, datagram(words)), { type: etherTypes.vlan }),
  'the VLAN tag of none': (words) =>
    frame(tagged(0, etherTypes.ipv4, datagram(words)), { type: etherTypes.vlan }),
  'two VLAN tags': (words) =>
    frame(tagged(1, etherTypes.vlan, tagged(2, etherTypes.ipv4, datagram(words))), {
      type: etherTypes.stackedVlan,
    }),
  'a spanning tree BPDU': (words) => {
    const bpdu = Buffer.concat([Buffer.from('4242030000000000', 'hex'), Buffer.alloc(31), Buffer.from(words)])
    return frame(bpdu, { to: '01:80:c2:00:00:00', type: bpdu.length })
  },
  'an LLDP frame': (words) =>
    frame(Buffer.from(`\u0002\u0007${words}`), { to: '01:80:c2:00:00:0e', type: 0x88_cc }),
  'an 802.1X frame': (words) => frame(Buffer.from(words), { to: '01:80:c2:00:00:03', type: 0x88_8e }),
  'a PPPoE discovery': (words) => frame(Buffer.from(words), { type: 0x88_63, ...toAll }),
  'an MPLS label': (words) =>
    frame(Buffer.concat([Buffer.from('00010140', 'hex'), datagram(words)]), { type: 0x88_47 }),
  'an IGMP report': (words) =>
    frame(
      ipv4({
        ...{ from: b.ip, to: '224.0.0.22', protocol: 2, ttl: 1 },
        payload: icmp(0x22, 0, Buffer.alloc(4), words),
      }),
      { to: '01:00:5e:00:00:16' },
    ),
  'multicast DNS': (words) =>
    frame(datagram(words, { to: '224.0.0.251', ttl: 1 }), { to: '01:00:5e:00:00:fb' }),
  'a flood of its own broadcasts': (words) =>
    Array.from({ length: 500 }, () => frame(datagram(words, { to: '255.255.255.255' }), toAll)),
  'a broadcast of the subnet': (words) => frame(datagram(words, { to: '172.31.15.255' }), toAll),
  'a frame to the node itself': (words, at) =>
    ['127.0.0.1', '169.254.0.1', '198.19.77.2'].map((to) =>
      frame(datagram(words, { to }), { to: at.bridgeMac }),
    ),
  'ARP that asks for the node': (words, at) =>
    frame(arp({ operation: 'request', ...b, toIp: '198.19.77.2' }, words), {
      type: etherTypes.arp,
      to: at.bridgeMac,
    }),
  'a frame to the gateway of another VPC': (words, at) =>
    frame(datagram(words, { to: places.y.privateIp }), { to: at.otherGatewayMac }),
  'a route that the packet brings along': (words, at) =>
    frame(
      // Loose source routing (RFC 791): by the gateway to c.
      datagram(words, { to: gateway, options: Buffer.from('830704ac1f100400', 'hex') }),
      { to: at.gatewayMac },
    ),
  'a tunnel to the node': (words, at) =>
    frame(
      ipv4({
        ...{ from: b.ip, to: '198.19.77.2', protocol: 17 },
        payload: udp(
          5_000,
          14_789,
          Buffer.concat([Buffer.from('0800000000003300', 'hex'), frame(datagram(words))]),
        ),
      }),
      { to: at.gatewayMac },
    ),
  'a later piece without its first': (words) =>
    frame(ipv4({ from: b.ip, to: a.ip, protocol: 17, id: 77, fragmentAt: 64, payload: Buffer.from(words) })),
  'a frame larger than the network': (words) =>
    frame(
      ipv4({ from: b.ip, to: a.ip, protocol: 17, payload: udp(5_000, 5_000, words + 'x'.repeat(4_000)) }),
    ),
}

/** What a is to hear, so that silence means something: the same sender, the same link. */
export const honestFrames: Readonly<Record<string, Written>> = {
  'a datagram': (words) => frame(datagram(words)),
  'an ARP question': (words) =>
    frame(arp({ operation: 'request', ...b, toIp: a.ip }, words), { type: etherTypes.arp, ...toAll }),
  'a datagram to the next subnet': (words, at) =>
    frame(datagram(words, { to: places.c.privateIp }), { to: at.gatewayMac }),
}
