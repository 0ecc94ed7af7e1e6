import { describe, expect, it } from 'vitest'
import {
  formatTimestamp,
  parseBase64,
  parseInteger,
  parseLong,
  parseReal,
  parseTimestamp,
} from './scalar-text.ts'

describe('numbers', () => {
  it.each([
    ['0', 0],
    ['-0', 0],
    ['+7', 7],
    [' 7 ', 7],
    ['2147483647', 2_147_483_647],
    ['2147483648', undefined],
    ['1.0', undefined],
    ['1e3', undefined],
    ['', undefined],
    ['٣', undefined],
  ])('integer %s', (text, value) => expect(parseInteger(text)).toBe(value))

  it('long and real', () => {
    expect(parseLong('-9007199254740991')).toBe(-9_007_199_254_740_991)
    expect(parseLong('9007199254740992')).toBeUndefined()
    expect(parseReal('1e-3')).toBe(0.001)
    expect(parseReal('.5')).toBe(0.5)
    for (const text of ['Infinity', 'NaN', '1e9999', '0x10', '.', '']) expect(parseReal(text)).toBeUndefined()
  })
})

describe('timestamps', () => {
  it.each([
    ['2024-02-29T23:59:59Z', '2024-02-29T23:59:59.000Z'],
    ['2024-02-29T23:59:59.1234567Z', '2024-02-29T23:59:59.123Z'],
    ['2024-02-29T23:59Z', '2024-02-29T23:59:00.000Z'],
    ['2024-02-29', '2024-02-29T00:00:00.000Z'],
    ['2024-02-29T23:59:59', '2024-02-29T23:59:59.000Z'],
    ['2024-02-29T23:59:59+0200', '2024-02-29T21:59:59.000Z'],
    ['1709251199', '2024-02-29T23:59:59.000Z'],
    ['Thu, 29 Feb 2024 23:59:59 GMT', '2024-02-29T23:59:59.000Z'],
  ])('%s is read', (text, iso) => expect(parseTimestamp(text)?.toISOString()).toBe(iso))

  it.each(['2023-02-29', '2024-13-01', '2024-01-01T25:00:00Z', 'yesterday', '', '1e300'])(
    '%s is not',
    (text) => expect(parseTimestamp(text)).toBeUndefined(),
  )

  it('are written in three ways', () => {
    const date = new Date('2024-02-29T23:59:59.5Z')
    expect(formatTimestamp(date, 'timestamp')).toBe('2024-02-29T23:59:59.500Z')
    expect(formatTimestamp(date, 'httpDate')).toBe('Thu, 29 Feb 2024 23:59:59 GMT')
    expect(formatTimestamp(date, 'epochSeconds')).toBe('1709251199.5')
  })
})

describe('base64', () => {
  it('is strict, but for line breaks and padding', () => {
    expect(parseBase64('AP8K')).toEqual(Buffer.from([0, 255, 10]))
    expect(parseBase64('YQ')?.toString()).toBe('a')
    expect(parseBase64('Y\r\nQ==')?.toString()).toBe('a')
    expect(parseBase64('')).toHaveLength(0)
    for (const text of ['Y', 'Y===', 'Y_-Q', 'YQ=', 'a$bc']) expect(parseBase64(text)).toBeUndefined()
  })
})
