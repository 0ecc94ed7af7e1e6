import { expect, test } from 'vitest'
import { parseEndReason } from './ended-log.ts'

const start =
  '2026-11-20 10:00:00.000+0000: starting up libvirt version: 9.0.0, qemu version: 7.2.22, kernel: 6.1\n'
const end = (reason: string) => `2026-11-20 10:05:00.000+0000: shutting down, reason=${reason}\n`

test('the last end after the last start counts', () => {
  expect(parseEndReason(start + end('shutdown'))).toBe('shutdown')
  expect(parseEndReason(start + end('shutdown') + start + end('crashed'))).toBe('crashed')
  expect(parseEndReason(start + end('destroyed'))).toBe('destroyed')
})

test('an end of an earlier life is no evidence for this one', () => {
  expect(parseEndReason(start + end('shutdown') + start)).toBeNull()
  expect(parseEndReason('')).toBeNull()
})

test('a reason that we do not know is a failure and never a shutdown', () => {
  expect(parseEndReason(start + end('saved'))).toBe('failed')
})
