/**
 * XDR (RFC 4506), the encoding of libvirt's RPC: everything big-endian, in units of four bytes.
 *
 * A codec is a pair of functions over one cursor; codecs compose (`struct`, `array`, `optional`, `union`) and
 * TypeScript infers the value type from the composition, so the generated table of procedures is at the same
 * time wire format and type. Every variable length carries its limit from the protocol, checked before any
 * memory is taken, and every read is checked against the end of the packet.
 *
 * 64-bit integers become `number`. Beyond 2^53 the nearest double is given: these are nanoseconds of CPU time
 * and byte counters, where a caller who needs every bit would be surprised by 104 days of uptime anyway, and
 * numbers go into JSON.
 */
import { LibvirtProtocolError } from './errors.ts'

const PADDING = [0, 3, 2, 1] as const

/** Grows a buffer; used for one packet and then thrown away. */
export class XdrWriter {
  private buffer: Buffer
  private end: number

  /** @param reservedBytes left untouched at the front, for the packet header */
  constructor(reservedBytes = 0) {
    this.buffer = Buffer.allocUnsafe(256)
    this.end = reservedBytes
  }

  /** Makes room for `sizeBytes` and returns the offset where they begin. */
  reserve(sizeBytes: number): number {
    const start = this.end
    const needed = start + sizeBytes
    if (needed > this.buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, this.buffer.length * 2))
      this.buffer.copy(grown, 0, 0, start)
      this.buffer = grown
    }
    this.end = needed
    return start
  }

  int(value: number): void {
    const at = this.reserve(4)
    this.buffer.writeInt32BE(value, at)
  }

  uint(value: number): void {
    const at = this.reserve(4)
    this.buffer.writeUInt32BE(value, at)
  }

  hyper(value: number): void {
    const at = this.reserve(8)
    this.buffer.writeBigInt64BE(BigInt(value), at)
  }

  uhyper(value: number): void {
    const at = this.reserve(8)
    this.buffer.writeBigUInt64BE(BigInt(value), at)
  }

  double(value: number): void {
    const at = this.reserve(8)
    this.buffer.writeDoubleBE(value, at)
  }

  /** Bytes as they are, neither length nor padding: stream data. */
  raw(bytes: Uint8Array): void {
    const at = this.reserve(bytes.length)
    this.buffer.set(bytes, at)
  }

  /** Bytes without a length, padded to a multiple of four. */
  fixedOpaque(bytes: Uint8Array): void {
    const padding = PADDING[bytes.length & 3]!
    const at = this.reserve(bytes.length + padding)
    this.buffer.set(bytes, at)
    this.buffer.fill(0, at + bytes.length, at + bytes.length + padding)
  }

  /** A string's UTF-8 bytes with length and padding. */
  string(value: string, maxBytes: number): void {
    const length = Buffer.byteLength(value)
    if (length > maxBytes) throw new RangeError(`string of ${length} bytes, the protocol allows ${maxBytes}`)
    // C strings on the other side: a NUL would silently cut the text there.
    if (value.includes('\0')) throw new RangeError('string contains a NUL character')
    this.uint(length)
    const padding = PADDING[length & 3]!
    const at = this.reserve(length + padding)
    this.buffer.write(value, at, length, 'utf8')
    this.buffer.fill(0, at + length, at + length + padding)
  }

  /** The bytes written so far, reserved front included. */
  bytes(): Buffer {
    return this.buffer.subarray(0, this.end)
  }
}

/** Reads one packet's payload; every read is bounds-checked. */
export class XdrReader {
  private readonly buffer: Buffer
  private at: number

  constructor(buffer: Buffer, offset = 0) {
    this.buffer = buffer
    this.at = offset
  }

  /** Bytes not yet read. */
  get remainingBytes(): number {
    return this.buffer.length - this.at
  }

  private advance(sizeBytes: number): number {
    const start = this.at
    if (sizeBytes > this.buffer.length - start) {
      throw new LibvirtProtocolError(
        `packet ends early: ${sizeBytes} bytes wanted at ${start} of ${this.buffer.length}`,
      )
    }
    this.at = start + sizeBytes
    return start
  }

  int(): number {
    return this.buffer.readInt32BE(this.advance(4))
  }

  uint(): number {
    return this.buffer.readUInt32BE(this.advance(4))
  }

  hyper(): number {
    return Number(this.buffer.readBigInt64BE(this.advance(8)))
  }

  uhyper(): number {
    return Number(this.buffer.readBigUInt64BE(this.advance(8)))
  }

  double(): number {
    return this.buffer.readDoubleBE(this.advance(8))
  }

  /** A count of elements or bytes, refused above `max`. */
  length(max: number): number {
    const length = this.uint()
    if (length > max) throw new LibvirtProtocolError(`length ${length}, the protocol allows ${max}`)
    return length
  }

  fixedOpaque(sizeBytes: number): Buffer {
    const start = this.advance(sizeBytes + PADDING[sizeBytes & 3]!)
    return this.buffer.subarray(start, start + sizeBytes)
  }

  string(maxBytes: number): string {
    const length = this.length(maxBytes)
    const start = this.advance(length + PADDING[length & 3]!)
    return this.buffer.toString('utf8', start, start + length)
  }
}

/** How one value goes onto the wire and comes off it. */
export interface XdrCodec<Value> {
  encode(writer: XdrWriter, value: Value): void
  decode(reader: XdrReader): Value
}

/** The value type a codec carries. */
export type XdrValue<Codec> = Codec extends XdrCodec<infer Value> ? Value : never
