import { describe, expect, it } from 'vitest'
import { errorBody, procedures } from './generated/procedures.ts'
import { PacketAssembler, headerBytes, readHeader, writeHeader } from './packet.ts'
import { fromWire, toWire } from './typed-params.ts'
import {
  array,
  double,
  fixedChars,
  hyper,
  int,
  opaque,
  optional,
  string,
  struct,
  uhyper,
  uint,
  union,
  uuid,
} from './xdr-codecs.ts'
import { XdrReader, XdrWriter } from './xdr.ts'
import type { XdrCodec } from './xdr.ts'

/** What libvirt's own client and libvirtd 9.0 said to each other, taken from the socket. */
const captured = {
  connectOpen:
    '00000038200080860000000100000001000000000000000200000000000000010000000f746573743a2f2f2f64656661756c740000000000',
  lookup: '000000242000808600000001000000170000000000000006000000000000000474657374',
  lookupAnswer:
    '0000003820008086000000010000001700000001000000060000000000000004746573746695eb01f6a4830479aa97f2502e193f00000001',
  noDomain:
    '000000702000808600000001000000170000000100000006000000010000002a0000000c0000000100000010446f6d61696e206e6f7420666f756e6400000002000000000000000100000010446f6d61696e206e6f7420666f756e640000000000000000ffffffffffffffff00000000',
  stats:
    '000000442000808600000001000001580000000000000007000000000000000100000004746573746695eb01f6a4830479aa97f2502e193f000000010000000100000000',
  statsAnswer:
    '000000702000808600000001000001580000000100000007000000000000000100000004746573746695eb01f6a4830479aa97f2502e193f00000001000000020000000b73746174652e73746174650000000001000000010000000c73746174652e726561736f6e0000000100000000',
}
const testDomain = { name: 'test', uuid: '6695eb01-f6a4-8304-79aa-97f2502e193f', id: 1 }

function callPacket<Value>(
  entry: { program: number; number: number; args: XdrCodec<Value> },
  args: Value,
  serial: number,
) {
  const writer = new XdrWriter(headerBytes)
  entry.args.encode(writer, args)
  const header = { program: entry.program, procedure: entry.number, type: 0, serial, status: 0 }
  return writeHeader(writer.bytes(), header).toString('hex')
}
const bodyOf = (hex: string) => new XdrReader(Buffer.from(hex, 'hex'), headerBytes)

function roundTrip<Value>(codec: XdrCodec<Value>, value: Value): Value {
  const writer = new XdrWriter()
  codec.encode(writer, value)
  const bytes = writer.bytes()
  expect(bytes.length % 4).toBe(0)
  const reader = new XdrReader(bytes)
  const back = codec.decode(reader)
  expect(reader.remainingBytes).toBe(0)
  return back
}

const read = (hex: string) => new XdrReader(Buffer.from(hex, 'hex'))

describe('calls are byte for byte those of libvirt', () => {
  it('connect_open', () => {
    expect(callPacket(procedures.connectOpen, { name: 'test:///default', flags: 0 }, 2)).toBe(
      captured.connectOpen,
    )
  })
  it('domain_lookup_by_name', () => {
    expect(callPacket(procedures.domainLookupByName, { name: 'test' }, 6)).toBe(captured.lookup)
  })
  it('connect_get_all_domain_stats', () => {
    const args = { doms: [testDomain], stats: 1, flags: 0 }
    expect(callPacket(procedures.connectGetAllDomainStats, args, 7)).toBe(captured.stats)
  })
})

describe('answers of libvirt are read', () => {
  it('a domain', () => {
    expect(procedures.domainLookupByName.ret.decode(bodyOf(captured.lookupAnswer))).toEqual({
      dom: testDomain,
    })
  })
  it('an error', () => {
    const error = errorBody.decode(bodyOf(captured.noDomain))
    expect(error).toMatchObject({ code: 42, domain: 12, message: 'Domain not found', level: 2, str2: null })
  })
  it('typed parameters', () => {
    const { retStats } = procedures.connectGetAllDomainStats.ret.decode(bodyOf(captured.statsAnswer))
    expect(retStats.map(({ params }) => fromWire(params))).toEqual([{ 'state.state': 1, 'state.reason': 0 }])
  })
})

describe('XDR', () => {
  it('carries every type there and back', () => {
    expect(roundTrip(int, -2)).toBe(-2)
    expect(roundTrip(uint, 0xffffffff)).toBe(0xffffffff)
    expect(roundTrip(hyper, -1)).toBe(-1)
    expect(roundTrip(uhyper, Number.MAX_SAFE_INTEGER)).toBe(Number.MAX_SAFE_INTEGER)
    expect(roundTrip(double, 0.1)).toBe(0.1)
    expect(roundTrip(fixedChars(4), 'abc')).toBe('abc')
    expect(roundTrip(uuid, testDomain.uuid)).toBe(testDomain.uuid)
    for (const text of ['', 'a', 'ab', 'abc', 'abcd', 'Grüße, 世界'])
      expect(roundTrip(string(64), text)).toBe(text)
    for (const size of [0, 1, 2, 3, 4, 5]) {
      const bytes = Uint8Array.from({ length: size }, (_, i) => i + 1)
      expect(roundTrip(opaque(5), bytes)).toEqual(bytes)
    }
    const nested = struct({ list: array(optional(int), 3), text: optional(string(9)) })
    for (const value of [
      { list: [], text: null },
      { list: [1, null, 3], text: 'x' },
    ]) {
      expect(roundTrip(nested, value)).toEqual(value)
    }
    const wire = toWire({ a: ['ullong', 5], b: ['string', 's'], c: ['boolean', true], d: ['double', 1.5] })
    const params = procedures.domainSetBlockIoTune.args
    const back = roundTrip(params, { dom: testDomain, disk: 'vda', params: wire, flags: 1 })
    expect(fromWire(back.params)).toEqual({ a: 5, b: 's', c: true, d: 1.5 })
  })

  it('grows beyond its first buffer', () => {
    const text = 'x'.repeat(100_001)
    expect(roundTrip(string(200_000), text)).toBe(text)
  })

  it('refuses what the protocol does not allow, on both sides', () => {
    const writer = new XdrWriter()
    expect(() => string(3).encode(writer, 'four')).toThrow(RangeError)
    expect(() => string(9).encode(writer, 'a\0b')).toThrow(/NUL/)
    expect(() => array(int, 1).encode(writer, [1, 2])).toThrow(RangeError)
    expect(() => opaque(1).encode(writer, new Uint8Array(2))).toThrow(RangeError)
    expect(() => uuid.encode(writer, 'nonsense')).toThrow(/UUID/)
    expect(() => int.encode(writer, 2 ** 31)).toThrow(RangeError)
    expect(() => string(3).decode(read('0000000461626364'))).toThrow(/allows 3/)
    expect(() => array(int, 1).decode(read('ffffffff'))).toThrow(/allows 1/)
    expect(() => string(9).decode(read('00000008616263'))).toThrow(/ends early/)
    expect(() => int.decode(read('0000'))).toThrow(/ends early/)
    expect(() => union({ 1: int }).decode(read('0000000200000000'))).toThrow(/no arm/)
  })
})

describe('packets', () => {
  const packets = [captured.lookupAnswer, captured.noDomain, captured.statsAnswer].map((hex) =>
    Buffer.from(hex, 'hex'),
  )
  const stream = Buffer.concat(packets)

  it('are found however the bytes arrive', () => {
    for (const step of [1, 2, 3, 7, 29, 57, 100, 1000]) {
      const assembler = new PacketAssembler()
      const found: string[] = []
      for (let at = 0; at < stream.length; at += step) {
        assembler.push(stream.subarray(at, at + step), (packet) => found.push(packet.toString('hex')))
      }
      expect(found).toEqual(packets.map((packet) => packet.toString('hex')))
    }
  })

  it('carry their header', () => {
    expect(readHeader(packets[1]!)).toEqual({
      program: 0x20008086,
      version: 1,
      procedure: 23,
      type: 1,
      serial: 6,
      status: 1,
    })
  })

  it('of impossible length are refused before they are collected', () => {
    for (const hex of ['0000001b', '00000000', 'ffffffff', '02000005']) {
      expect(() => new PacketAssembler().push(Buffer.from(hex, 'hex'), () => {})).toThrow(/not possible/)
    }
  })
})
