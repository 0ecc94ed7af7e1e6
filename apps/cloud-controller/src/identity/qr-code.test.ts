import { inflateSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { formatBits, qrCodePng, qrMatrix, versionBits } from './qr-code.ts'
import { errorCorrection } from './reed-solomon.ts'

test('error correction as the standard’s example has it', () => {
  // ISO/IEC 18004:2000 annex I: 01234567 in version 1-M.
  const data = Buffer.from([
    0x10, 0x20, 0x0c, 0x56, 0x61, 0x80, 0xec, 0x11, 0xec, 0x11, 0xec, 0x11, 0xec, 0x11, 0xec, 0x11,
  ])
  expect([...errorCorrection(data, 10)]).toEqual([0xa5, 0x24, 0xd4, 0xc1, 0xed, 0x36, 0xc7, 0x87, 0x2c, 0x55])
})

test('format and version as the standard’s tables have them', () => {
  expect(formatBits(0).toString(2)).toBe('111011111000100')
  expect(formatBits(7).toString(2)).toBe('110100101110110')
  expect(versionBits(7).toString(2).padStart(18, '0')).toBe('000111110010010100')
  expect(versionBits(20).toString(2).padStart(18, '0')).toBe('010100100110100110')
})

test('finders and timing are where a reader looks', () => {
  const rows = qrMatrix(Buffer.from('x')).map((row) => row.map((dark) => (dark ? '#' : '.')).join(''))
  expect(rows).toHaveLength(21)
  expect(rows[0]!.slice(0, 8)).toBe('#######.')
  expect(rows[1]!.slice(0, 8)).toBe('#.....#.')
  expect(rows[2]!.slice(13)).toBe('.#.###.#')
  expect(rows[6]!.slice(7, 14)).toBe('.#.#.#.')
  expect(rows[13]![8]).toBe('#')
})

test('what is too long is refused, and the longest fits', () => {
  expect(qrMatrix(Buffer.alloc(858))).toHaveLength(97)
  expect(() => qrMatrix(Buffer.alloc(859))).toThrow('too long')
})

test('the picture is a PNG of one bit', () => {
  const bytes = Buffer.from(qrCodePng('otpauth://totp/x?secret=ABC'))
  expect(bytes.subarray(1, 4).toString()).toBe('PNG')
  const side = bytes.readUInt32BE(16)
  expect(side % 4).toBe(0)
  const length = bytes.readUInt32BE(33)
  expect(inflateSync(bytes.subarray(41, 41 + length))).toHaveLength(side * (Math.ceil(side / 8) + 1))
})
