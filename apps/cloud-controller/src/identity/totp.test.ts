import { expect, test } from 'vitest'
import { codeOf, stepAt, stepOfCode, stepOfPair, toBase32 } from './totp.ts'

const seed = Buffer.from('12345678901234567890')

test.each([
  [59, '287082'],
  [1_111_111_109, '081804'],
  [1_111_111_111, '050471'],
  [1_234_567_890, '005924'],
  [2_000_000_000, '279037'],
  [20_000_000_000, '353130'],
])('at second %d as RFC 6238 appendix B has it', (second, code) => {
  expect(codeOf(seed, stepAt(second * 1000))).toBe(code)
})

test('a code is taken within a step, and once', () => {
  const nowMs = 3_000_000
  const now = stepAt(nowMs)
  expect(stepOfCode(seed, codeOf(seed, now - 1), nowMs, 0)).toBe(now - 1)
  expect(stepOfCode(seed, codeOf(seed, now + 1), nowMs, 0)).toBe(now + 1)
  expect(stepOfCode(seed, codeOf(seed, now - 2), nowMs, 0)).toBeNull()
  expect(stepOfCode(seed, codeOf(seed, now), nowMs, now)).toBeNull()
  expect(stepOfCode(seed, '12345', nowMs, 0)).toBeNull()
})

test('two codes in a row make a device known', () => {
  const nowMs = 3_000_000
  const now = stepAt(nowMs)
  expect(stepOfPair(seed, [codeOf(seed, now - 5), codeOf(seed, now - 4)], nowMs, 0)).toBe(now - 4)
  expect(stepOfPair(seed, [codeOf(seed, now - 5), codeOf(seed, now - 3)], nowMs, 0)).toBeNull()
  expect(stepOfPair(seed, [codeOf(seed, now - 50), codeOf(seed, now - 49)], nowMs, 0)).toBeNull()
})

test('base 32 as RFC 4648 has it', () => {
  expect(toBase32(Buffer.from('fooba'))).toBe('MZXW6YTB')
})
