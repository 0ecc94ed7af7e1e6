/**
 * QR codes (ISO/IEC 18004) of text, as PNG: byte mode, error correction level L, versions 1 to 20, which is 858 bytes. What
 * an authenticator reads with its camera when a virtual MFA device is made known to it.
 */
import { crc32, deflateSync } from 'node:zlib'
import { errorCorrection } from './reed-solomon.ts'

/** By version, of level L: error correction codewords of each block, and how many blocks. */
const correctionPerBlock = [7, 10, 15, 20, 26, 18, 20, 24, 30, 18, 20, 24, 26, 30, 22, 24, 28, 30, 28, 28]
const blockCounts = [1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 6, 6, 6, 6, 7, 8]
const quietModules = 4
const pixelsPerModule = 4

/** Rows of modules: true is dark. Without the quiet zone. */
export type QrMatrix = readonly (readonly boolean[])[]

export function qrCodePng(text: string): Uint8Array {
  return png(qrMatrix(Buffer.from(text, 'utf8')))
}

export function qrMatrix(data: Buffer): QrMatrix {
  const version = correctionPerBlock.findIndex((_count, at) => fits(data.length, at + 1)) + 1
  if (version === 0) throw new Error('the text is too long for a QR code')
  const codewords = interleaved(withHeader(data, version), version)
  const plane = new Plane(version)
  plane.place(codewords)
  return plane.bestMasked()
}

/** Modules that carry data or error correction. */
function rawModules(version: number): number {
  const base = (16 * version + 128) * version + 64
  if (version < 2) return base
  const aligned = Math.floor(version / 7) + 2
  return base - ((25 * aligned - 10) * aligned - 55) - (version >= 7 ? 36 : 0)
}

const dataCodewords = (version: number): number =>
  Math.floor(rawModules(version) / 8) - correctionPerBlock[version - 1]! * blockCounts[version - 1]!

const lengthBits = (version: number): number => (version < 10 ? 8 : 16)

const fits = (bytes: number, version: number): boolean =>
  4 + lengthBits(version) + 8 * bytes <= 8 * dataCodewords(version)

function withHeader(data: Buffer, version: number): Buffer {
  const bits: number[] = []
  const push = (value: number, count: number) => {
    for (let bit = count - 1; bit >= 0; bit -= 1) bits.push((value >> bit) & 1)
  }
  push(0b0100, 4)
  push(data.length, lengthBits(version))
  for (const byte of data) push(byte, 8)
  const capacity = dataCodewords(version)
  push(0, Math.min(4, capacity * 8 - bits.length))
  while (bits.length % 8 !== 0) bits.push(0)
  const out = Buffer.alloc(capacity)
  for (let at = 0; at < capacity; at += 1)
    out[at] =
      at * 8 < bits.length
        ? bits.slice(at * 8, at * 8 + 8).reduce((value, bit) => value * 2 + bit, 0)
        : (at - bits.length / 8) % 2 === 0
          ? 0xec
          : 0x11
  return out
}

/** Blocks column by column, data before error correction; short blocks come first and lack the last column. */
function interleaved(data: Buffer, version: number): Buffer {
  const count = blockCounts[version - 1]!
  const short = Math.floor(data.length / count)
  const longBlocks = data.length % count
  let at = 0
  const blocks = Array.from({ length: count }, (_none, index) => {
    const length = short + (index >= count - longBlocks ? 1 : 0)
    at += length
    return data.subarray(at - length, at)
  })
  const corrections = blocks.map((block) => errorCorrection(block, correctionPerBlock[version - 1]!))
  const out: number[] = []
  for (const columns of [blocks, corrections])
    for (let column = 0; column < Math.max(...columns.map((block) => block.length)); column += 1)
      for (const block of columns) if (column < block.length) out.push(block[column]!)
  return Buffer.from(out)
}

const masks: readonly ((row: number, column: number) => boolean)[] = [
  (y, x) => (y + x) % 2 === 0,
  (y) => y % 2 === 0,
  (_y, x) => x % 3 === 0,
  (y, x) => (y + x) % 3 === 0,
  (y, x) => (Math.floor(y / 2) + Math.floor(x / 3)) % 2 === 0,
  (y, x) => ((y * x) % 2) + ((y * x) % 3) === 0,
  (y, x) => (((y * x) % 2) + ((y * x) % 3)) % 2 === 0,
  (y, x) => (((y + x) % 2) + ((y * x) % 3)) % 2 === 0,
]

/** The remainder of a code word of BCH, behind its data. */
function withRemainder(data: number, generator: number, bits: number): number {
  let rest = data
  for (let count = 0; count < bits; count += 1) rest = (rest << 1) ^ ((rest >> (bits - 1)) * generator)
  return (data << bits) | rest
}

/** Level L has the number 01. */
export const formatBits = (mask: number): number => withRemainder((0b01 << 3) | mask, 0x537, 10) ^ 0x5412
export const versionBits = (version: number): number => withRemainder(version, 0x1f25, 12)

class Plane {
  private readonly size: number
  private readonly version: number
  private readonly dark: boolean[][]
  /** What is the code's own and no data: it is not masked. */
  private readonly fixed: boolean[][]

  constructor(version: number) {
    this.version = version
    this.size = 17 + 4 * version
    const square = () => Array.from({ length: this.size }, () => Array<boolean>(this.size).fill(false))
    this.dark = square()
    this.fixed = square()
    this.drawPatterns()
  }

  /** Data from the right to the left in columns of two, up and down by turns, past the timing column. */
  place(codewords: Buffer): void {
    let bit = 0
    let upward = true
    for (let right = this.size - 1; right >= 1; right -= 2) {
      if (right === 6) right = 5
      for (let step = 0; step < this.size; step += 1) {
        const row = upward ? this.size - 1 - step : step
        for (const column of [right, right - 1]) {
          if (this.fixed[row]![column]! || bit >= codewords.length * 8) continue
          this.dark[row]![column] = ((codewords[bit >> 3]! >> (7 - (bit & 7))) & 1) === 1
          bit += 1
        }
      }
      upward = !upward
    }
  }

  bestMasked(): QrMatrix {
    const candidates = masks.map((_mask, index) => this.masked(index))
    const costs = candidates.map(penalty)
    return candidates[costs.indexOf(Math.min(...costs))]!
  }

  private masked(mask: number): boolean[][] {
    const rows = this.dark.map((row, y) =>
      row.map((dark, x) => (this.fixed[y]![x]! ? dark : dark !== masks[mask]!(y, x))),
    )
    const format = formatBits(mask)
    const last = this.size - 1
    for (let bit = 0; bit < 15; bit += 1) {
      const value = ((format >> bit) & 1) === 1
      const along = bit < 6 ? bit : bit < 8 ? bit + 1 : last - 14 + bit
      rows[along]![8] = value
      const across = bit < 8 ? last - bit : bit === 8 ? 7 : 14 - bit
      rows[8]![across] = value
    }
    rows[last - 7]![8] = true
    return rows
  }

  private set(row: number, column: number, dark: boolean): void {
    if (row < 0 || column < 0 || row >= this.size || column >= this.size) return
    this.dark[row]![column] = dark
    this.fixed[row]![column] = true
  }

  private drawPatterns(): void {
    const last = this.size - 1
    for (let at = 0; at < this.size; at += 1) {
      this.set(6, at, at % 2 === 0)
      this.set(at, 6, at % 2 === 0)
    }
    for (const [row, column] of [
      [3, 3],
      [3, last - 3],
      [last - 3, 3],
    ] as const)
      this.square(row, column, 4, (distance) => distance !== 2 && distance !== 4)
    this.drawAlignment()
    // Kept free for the format, which is written with the mask.
    for (let at = 0; at < 9; at += 1) if (at !== 6) this.reserve(8, at)
    for (let at = 0; at < 8; at += 1) this.reserve(8, last - at)
    if (this.version >= 7) this.drawVersion()
  }

  private square(row: number, column: number, radius: number, isDark: (distance: number) => boolean): void {
    for (let y = -radius; y <= radius; y += 1)
      for (let x = -radius; x <= radius; x += 1)
        this.set(row + y, column + x, isDark(Math.max(Math.abs(y), Math.abs(x))))
  }

  private drawAlignment(): void {
    if (this.version === 1) return
    const count = Math.floor(this.version / 7) + 2
    const step = Math.ceil((this.version * 4 + 4) / (count * 2 - 2)) * 2
    const places = [6, ...Array.from({ length: count - 1 }, (_none, at) => this.size - 7 - at * step)]
    const far = this.size - 7
    for (const row of places)
      for (const column of places) {
        const isFinder =
          (row === 6 && column === 6) || (row === 6 && column === far) || (row === far && column === 6)
        if (!isFinder) this.square(row, column, 2, (distance) => distance !== 1)
      }
  }

  private reserve(row: number, column: number): void {
    this.fixed[row]![column] = true
    this.fixed[column]![row] = true
  }

  private drawVersion(): void {
    const bits = versionBits(this.version)
    for (let bit = 0; bit < 18; bit += 1) {
      const [near, far] = [Math.floor(bit / 3), this.size - 11 + (bit % 3)]
      this.set(near, far, ((bits >> bit) & 1) === 1)
      this.set(far, near, ((bits >> bit) & 1) === 1)
    }
  }
}

/** How hard a mask is to read: long runs, blocks, what looks like a finder, and more of one colour than of the other. */
function penalty(rows: QrMatrix): number {
  const columns = rows.map((_row, at) => rows.map((row) => row[at]!))
  let cost = 0
  for (const line of [...rows, ...columns]) {
    const text = line.map((dark) => (dark ? '1' : '0')).join('')
    for (const run of text.match(/0{5,}|1{5,}/g) ?? []) cost += run.length - 2
    cost += 40 * (text.match(/(?=10111010000|00001011101)/g) ?? []).length
  }
  let dark = 0
  for (const [y, row] of rows.entries())
    for (const [x, module] of row.entries()) {
      if (module) dark += 1
      const next = rows[y + 1]
      if (next && x + 1 < row.length && [row[x + 1], next[x], next[x + 1]].every((other) => other === module))
        cost += 3
    }
  return cost + 10 * Math.floor(Math.abs((dark * 20) / rows.length ** 2 - 10))
}

/** Grey of one bit, https://www.w3.org/TR/png-3/. */
function png(matrix: QrMatrix): Uint8Array {
  const modules = matrix.length + 2 * quietModules
  const side = modules * pixelsPerModule
  const line = Math.ceil(side / 8)
  const raw = Buffer.alloc((line + 1) * side, 0xff)
  for (let y = 0; y < side; y += 1) {
    raw[y * (line + 1)] = 0
    for (let x = 0; x < side; x += 1) {
      const row = Math.floor(y / pixelsPerModule) - quietModules
      const column = Math.floor(x / pixelsPerModule) - quietModules
      if (matrix[row]?.[column]) raw[y * (line + 1) + 1 + (x >> 3)]! &= ~(0x80 >> (x & 7))
    }
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(side, 0)
  header.writeUInt32BE(side, 4)
  header[8] = 1
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
  const parts = [chunk('IHDR', header), chunk('IDAT', deflateSync(raw)), chunk('IEND', Buffer.alloc(0))]
  return Buffer.concat([signature, ...parts])
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type), data])
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)]
  length.writeUInt32BE(data.length)
  check.writeUInt32BE(crc32(body))
  return Buffer.concat([length, body, check])
}
