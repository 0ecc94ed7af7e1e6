/** The building blocks the generated protocol table is made of: XDR's types as composable codecs. */
import { LibvirtProtocolError } from './errors.ts'
import type { XdrCodec, XdrValue } from './xdr.ts'

export const int: XdrCodec<number> = { encode: (w, v) => w.int(v), decode: (r) => r.int() }
export const uint: XdrCodec<number> = { encode: (w, v) => w.uint(v), decode: (r) => r.uint() }
/** 64 bits; see xdr.ts for why they are numbers here. */
export const hyper: XdrCodec<number> = { encode: (w, v) => w.hyper(v), decode: (r) => r.hyper() }
export const uhyper: XdrCodec<number> = { encode: (w, v) => w.uhyper(v), decode: (r) => r.uhyper() }
export const double: XdrCodec<number> = { encode: (w, v) => w.double(v), decode: (r) => r.double() }

/** A signed byte on the wire as a whole word. */
export const char: XdrCodec<number> = int

/** Text of at most `maxBytes` UTF-8 bytes. */
export function string(maxBytes: number): XdrCodec<string> {
  return { encode: (w, v) => w.string(v, maxBytes), decode: (r) => r.string(maxBytes) }
}

/** Exactly `sizeBytes` bytes. */
export function fixedOpaque(sizeBytes: number): XdrCodec<Uint8Array> {
  return {
    encode: (w, v) => {
      if (v.length !== sizeBytes) throw new RangeError(`${v.length} bytes given, ${sizeBytes} wanted`)
      w.fixedOpaque(v)
    },
    // A copy: the packet's buffer must not live on behind sixteen bytes of it.
    decode: (r) => Uint8Array.from(r.fixedOpaque(sizeBytes)),
  }
}

/** A C array of characters, each a whole word on the wire, ended by a zero where shorter. */
export function fixedChars(count: number): XdrCodec<string> {
  return {
    encode: (w, v) => {
      const bytes = Buffer.from(v)
      if (bytes.length > count) throw new RangeError(`${bytes.length} bytes given, ${count} fit`)
      for (let i = 0; i < count; i++) w.int(bytes[i] ?? 0)
    },
    decode: (r) => {
      const bytes = Buffer.alloc(count)
      for (let i = 0; i < count; i++) bytes[i] = r.int() & 0xff
      const end = bytes.indexOf(0)
      return bytes.toString('utf8', 0, end === -1 ? count : end)
    },
  }
}

/** At most `maxBytes` bytes, with their length before them. */
export function opaque(maxBytes: number): XdrCodec<Uint8Array> {
  return {
    encode: (w, v) => {
      if (v.length > maxBytes) throw new RangeError(`${v.length} bytes, the protocol allows ${maxBytes}`)
      w.uint(v.length)
      w.fixedOpaque(v)
    },
    decode: (r) => Uint8Array.from(r.fixedOpaque(r.length(maxBytes))),
  }
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** Sixteen bytes shown as 8-4-4-4-12 hex digits. */
export const uuid: XdrCodec<string> = {
  encode: (w, v) => {
    const hex = v.replaceAll('-', '')
    if (!/^[0-9a-fA-F]{32}$/.test(hex)) throw new RangeError(`not a UUID: ${JSON.stringify(v)}`)
    w.fixedOpaque(Buffer.from(hex, 'hex'))
  },
  decode: (r) => {
    const bytes = r.fixedOpaque(16)
    let text = ''
    for (let i = 0; i < 16; i++) {
      if (i === 4 || i === 6 || i === 8 || i === 10) text += '-'
      text += HEX[bytes[i]!]
    }
    return text
  },
}

/** Zero or one of `inner`; null where there is none. */
export function optional<Value>(inner: XdrCodec<Value>): XdrCodec<Value | null> {
  return {
    encode: (w, v) => {
      w.int(v === null ? 0 : 1)
      if (v !== null) inner.encode(w, v)
    },
    decode: (r) => (r.int() === 0 ? null : inner.decode(r)),
  }
}

/** At most `maxCount` of `inner`, with their count before them. */
export function array<Value>(inner: XdrCodec<Value>, maxCount: number): XdrCodec<Value[]> {
  return {
    encode: (w, v) => {
      if (v.length > maxCount) throw new RangeError(`${v.length} elements, the protocol allows ${maxCount}`)
      w.uint(v.length)
      for (const element of v) inner.encode(w, element)
    },
    decode: (r) => {
      const count = r.length(maxCount)
      const out: Value[] = []
      for (let i = 0; i < count; i++) out.push(inner.decode(r))
      return out
    },
  }
}

// oxlint-disable-next-line no-explicit-any -- the bound of an inferred record of codecs
type Fields = Record<string, XdrCodec<any>>

/** The object type of a struct's fields. */
export type StructValue<F extends Fields> = { [Name in keyof F]: XdrValue<F[Name]> }

/** Fields one after the other, in the order given. */
export function struct<F extends Fields>(fields: F): XdrCodec<StructValue<F>> {
  const entries = Object.entries(fields)
  return {
    encode: (w, v) => {
      for (const [name, codec] of entries) codec.encode(w, v[name])
    },
    decode: (r) => {
      const out: Record<string, unknown> = {}
      for (const [name, codec] of entries) out[name] = codec.decode(r)
      return out as StructValue<F>
    },
  }
}

/** One arm of a union: its discriminant, with the value it carries. */
export type UnionValue<Arms extends Record<number, XdrCodec<unknown>>> = {
  [Type in keyof Arms]: { type: Type; value: XdrValue<Arms[Type]> }
}[keyof Arms]

/** A discriminant and then the arm it chooses. */
// oxlint-disable-next-line no-explicit-any -- as above
export function union<Arms extends Record<number, XdrCodec<any>>>(arms: Arms): XdrCodec<UnionValue<Arms>> {
  const byType = new Map(Object.entries(arms).map(([type, codec]) => [Number(type), codec]))
  const armOf = (type: number) => {
    const arm = byType.get(type)
    if (arm === undefined) throw new LibvirtProtocolError(`union has no arm ${type}`)
    return arm
  }
  return {
    encode: (w, v) => {
      const type = v.type as number
      const arm = armOf(type)
      w.int(type)
      arm.encode(w, v.value)
    },
    decode: (r) => {
      const type = r.int()
      return { type, value: armOf(type).decode(r) } as UnionValue<Arms>
    },
  }
}

/** Nothing at all: a call without arguments, an answer without a body. */
export const nothing: XdrCodec<void> = { encode: () => {}, decode: () => undefined }
