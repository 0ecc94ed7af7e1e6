import { isIPv4 } from 'node:net'

/** Frames as somebody hostile would write them: every field as said, honest or not. */

const bytes = (mac: string) => Buffer.from(mac.replaceAll(':', ''), 'hex')
const address = (ip: string) => {
  if (!isIPv4(ip)) throw new RangeError(`${ip} is no IPv4 address`)
  return Buffer.from(ip.split('.').map(Number))
}
const number = (value: number, length: number) => {
  const field = Buffer.alloc(length)
  field.writeUIntBE(value, 0, length)
  return field
}
const octets = (payload: string | Buffer) => (typeof payload === 'string' ? Buffer.from(payload) : payload)

export const etherTypes = { ipv4: 0x08_00, arp: 0x08_06, vlan: 0x81_00, stackedVlan: 0x88_a8, ipv6: 0x86_dd }
export const broadcastMac = 'ff:ff:ff:ff:ff:ff'

/** `type` of 1500 and less is a length: IEEE 802.3, as spanning tree has it. */
export function ethernet(fields: { from: string; to: string; type?: number; payload: Buffer }): Buffer {
  const { from, to, type = etherTypes.ipv4, payload } = fields
  return Buffer.concat([bytes(to), bytes(from), number(type, 2), payload])
}

/** A tag before what the frame carries. */
export const tagged = (vlan: number, type: number, payload: Buffer) =>
  Buffer.concat([number(vlan, 2), number(type, 2), payload])

export function ipv4(fields: {
  from: string
  to: string
  protocol: number
  payload: Buffer
  id?: number
  /** In bytes. */
  fragmentAt?: number
  moreFragments?: boolean
  ttl?: number
  /** A whole number of four bytes. */
  options?: Buffer
}): Buffer {
  const { from, to, protocol, payload, id = 0, fragmentAt = 0, moreFragments = false, ttl = 64 } = fields
  const { options = Buffer.alloc(0) } = fields
  const header = Buffer.concat([
    Buffer.from([0x40 + 5 + options.length / 4, 0]),
    number(20 + options.length + payload.length, 2),
    number(id, 2),
    number((moreFragments ? 0x20_00 : 0) + fragmentAt / 8, 2),
    Buffer.from([ttl, protocol, 0, 0]),
    address(from),
    address(to),
    options,
  ])
  header.writeUInt16BE(checksum(header), 10)
  return Buffer.concat([header, payload])
}

/** Without a checksum, which IPv4 allows. */
export function udp(sourcePort: number, port: number, payload: string | Buffer): Buffer {
  const body = octets(payload)
  return Buffer.concat([
    number(sourcePort, 2),
    number(port, 2),
    number(8 + body.length, 2),
    number(0, 2),
    body,
  ])
}

export function icmp(type: number, code: number, rest: Buffer, payload: string | Buffer): Buffer {
  const message = Buffer.concat([Buffer.from([type, code, 0, 0]), rest, octets(payload)])
  message.writeUInt16BE(checksum(message), 2)
  return message
}

export interface ArpFields {
  readonly operation: 'request' | 'reply'
  readonly mac: string
  readonly ip: string
  readonly toMac?: string
  readonly toIp: string
}

/** With words after it, where Ethernet has its padding. */
export function arp(fields: ArpFields, words = ''): Buffer {
  const { operation, mac, ip, toMac = '00:00:00:00:00:00', toIp } = fields
  return Buffer.concat([
    Buffer.from('0001080006040000', 'hex').fill(operation === 'request' ? 1 : 2, 7),
    ...[bytes(mac), address(ip), bytes(toMac), address(toIp)],
    Buffer.from(words),
  ])
}

/** A message of a DHCP client or server (RFC 2131) about that client; type 1 discovers, 2 offers, 4 declines, 7 releases. */
export function dhcp(fields: {
  type: number
  clientMac: string
  /** `ciaddr`: which the client says that it has. */
  clientIp?: string
  yourIp?: string
  serverIp?: string
  requestedIp?: string
  /** The MAC that it calls itself by. */
  clientId?: string
  words?: string
}): Buffer {
  const {
    type,
    clientMac,
    clientIp = '0.0.0.0',
    yourIp = '0.0.0.0',
    serverIp,
    requestedIp,
    clientId,
    words,
  } = fields
  const isAnswer = type === 2 || type === 5
  const option = (code: number, value: Buffer) => Buffer.concat([Buffer.from([code, value.length]), value])
  return Buffer.concat([
    Buffer.from([isAnswer ? 2 : 1, 1, 6, 0]),
    number(0x6d_61_6c_65, 4),
    Buffer.alloc(4),
    ...[address(clientIp), address(yourIp), Buffer.alloc(8)],
    Buffer.concat([bytes(clientMac), Buffer.alloc(10 + 64 + 128)]),
    Buffer.from('63825363', 'hex'),
    option(53, Buffer.from([type])),
    ...(serverIp === undefined ? [] : [option(54, address(serverIp))]),
    ...(requestedIp === undefined ? [] : [option(50, address(requestedIp))]),
    ...(clientId === undefined ? [] : [option(61, Buffer.concat([Buffer.from([1]), bytes(clientId)]))]),
    ...(words === undefined ? [] : [option(12, Buffer.from(words))]),
    Buffer.from([255]),
  ])
}

export function vxlan(vni: number, frame: Buffer): Buffer {
  return Buffer.concat([Buffer.from('08000000', 'hex'), number(vni, 3), Buffer.alloc(1), frame])
}

/** RFC 1071. */
function checksum(of: Buffer): number {
  let sum = 0
  for (let index = 0; index < of.length; index += 2)
    sum += index + 1 < of.length ? of.readUInt16BE(index) : of[index]! << 8
  while (sum > 0xff_ff) sum = (sum & 0xff_ff) + (sum >>> 16)
  return ~sum & 0xff_ff
}
