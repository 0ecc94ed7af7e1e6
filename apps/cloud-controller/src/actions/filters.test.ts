import { expect, test } from 'vitest'
import { applyFilters } from './filters.ts'

const fields = { name: (thing: string) => [thing] }
const found = (things: readonly string[], ...values: string[]) =>
  applyFilters(things, [{ Name: 'name', Values: values }], fields)

test.each([
  ['abc', 'abc', true],
  ['abc', 'ab', false],
  ['a*c', 'abbbc', true],
  ['a*c', 'ac', true],
  ['a*c', 'acb', false],
  ['*', '', true],
  ['?', '', false],
  ['a?c', 'abc', true],
  ['*b*d', 'abcd', true],
  ['*b*d', 'abcdb', false],
  [String.raw`a\*c`, 'a*c', true],
  [String.raw`a\*c`, 'abc', false],
  [String.raw`a\?`, 'a?', true],
  ['a.c', 'abc', false],
  ['(a|b)', 'a', false],
  ['line*end', 'line\nend', true],
])('%s upon %j: %s', (pattern, text, expected) => {
  expect(found([text], pattern).length).toBe(expected ? 1 : 0)
})

test('many stars upon a long text are answered, and not pondered for hours', () => {
  expect(found(['a'.repeat(255)], `${'*a'.repeat(40)}*b`)).toEqual([])
  expect(found([`${'a'.repeat(255)}b`], `${'*a'.repeat(40)}*b`).length).toBe(1)
})

test('more than two hundred values are refused, as on AWS', () => {
  expect(() => found(['a'], ...Array.from({ length: 201 }, (_none, index) => `v${index}`))).toThrow('200')
  expect(found(['v7'], ...Array.from({ length: 200 }, (_none, index) => `v${index}`))).toEqual(['v7'])
})
