import { expect, test } from 'vitest'
import { formatJoinToken, parseJoinToken } from './join-token.ts'

const token = { kind: 'node' as const, fingerprint: 'a'.repeat(64), secret: 'x'.repeat(32) }

test('a token survives its text', () => {
  expect(parseJoinToken(formatJoinToken(token))).toEqual(token)
  expect(parseJoinToken(` ${formatJoinToken(token)}\n`)).toEqual(token)
})

test.each([
  '',
  'mallee.node',
  `mallee.root.${'a'.repeat(64)}.${'x'.repeat(32)}`,
  `mallee.node.zz.${'x'.repeat(32)}`,
])('%s is no token', (text) => {
  expect(() => parseJoinToken(text)).toThrow('This is no join token.')
})
