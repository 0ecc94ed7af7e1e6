import { expect, test } from 'vitest'
import {
  blockContains,
  blockSize,
  blocksOverlap,
  blockWithin,
  formatCidr,
  formatIpv4,
  parseCidr,
  parseIpv4,
} from './ipv4.ts'

test('addresses round-trip, and texts that are none give null', () => {
  for (const text of ['0.0.0.0', '172.31.0.10', '255.255.255.255'])
    expect(formatIpv4(parseIpv4(text)!)).toBe(text)
  for (const bad of ['', '1.2.3', '1.2.3.256', '01.2.3.4', '1.2.3.4.5', 'a.b.c.d'])
    expect(parseIpv4(bad), bad).toBeNull()
})

test('a block clears host bits and knows its members', () => {
  const block = parseCidr('10.1.2.3/8')!
  expect(formatCidr(block)).toBe('10.0.0.0/8')
  expect(blockSize(block)).toBe(2 ** 24)
  expect(blockContains(block, parseIpv4('10.255.0.1')!)).toBe(true)
  expect(blockContains(block, parseIpv4('11.0.0.0')!)).toBe(false)
  for (const bad of ['10.0.0.0', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/8/8', 'x/8'])
    expect(parseCidr(bad), bad).toBeNull()
})

test.each([
  ['10.0.0.0/16', '10.0.1.0/24', true, true],
  ['10.0.1.0/24', '10.0.0.0/16', true, false],
  ['10.0.0.0/16', '10.0.0.0/16', true, true],
  ['10.0.0.0/16', '10.1.0.0/16', false, false],
  ['0.0.0.0/0', '255.255.255.255/32', true, true],
])('%s and %s: overlap %s, the second within the first %s', (one, other, overlap, within) => {
  const [first, second] = [parseCidr(one)!, parseCidr(other)!]
  expect([blocksOverlap(first, second), blocksOverlap(second, first)]).toEqual([overlap, overlap])
  expect(blockWithin(first, second)).toBe(within)
})
