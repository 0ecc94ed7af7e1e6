/** What hostile policies and requests may cost. Limits are wide: they tell linear from exponential, not a fast machine. */
import { expect, test } from 'vitest'
import { evaluate } from '../src/evaluate.ts'
import { ask, identity, user } from './cases.ts'

function costMs(statement: Record<string, unknown>, resource: string, userAgent = ''): number {
  const policy = identity({ Effect: 'Allow', Action: 's3:*', Resource: '*', ...statement })
  const request = ask(user('111122223333', 'bob'), 's3:GetObject', resource, {
    context: { 'aws:UserAgent': userAgent },
  })
  const began = performance.now()
  expect(evaluate(request, { identity: [policy] }).outcome).toBe('implicitDeny')
  return performance.now() - began
}

test('many stars over a long key', () => {
  const key = `arn:aws:s3:::photos/${'a'.repeat(1024)}`
  expect(costMs({ Resource: `arn:aws:s3:::photos/${'*a'.repeat(900)}b` }, key)).toBeLessThan(500)
  expect(costMs({ Resource: `arn:aws:s3:::photos/${'*a?'.repeat(600)}b` }, key)).toBeLessThan(500)
  expect(costMs({ Resource: `arn:*:s3:*:*:photos/${'*a?'.repeat(600)}b` }, key)).toBeLessThan(1000)
})

test('long patterns over a long header', () => {
  const header = 'a'.repeat(16_000)
  const condition = (pattern: string) => ({ Condition: { StringLike: { 'aws:UserAgent': pattern } } })
  expect(costMs(condition(`*${'a'.repeat(8000)}b*`), 'arn:aws:s3:::photos/x', header)).toBeLessThan(1000)
  expect(costMs(condition(`*${'a?'.repeat(4000)}b*`), 'arn:aws:s3:::photos/x', header)).toBeLessThan(2000)
  expect(costMs(condition(`${'*a'.repeat(9000)}b`), 'arn:aws:s3:::photos/x', header)).toBeLessThan(1000)
})
