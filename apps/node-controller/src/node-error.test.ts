import { expect, test } from 'vitest'
import { errorMessage } from '@mallee/base'
import { isPassing, namingFullDisk } from './node-error.ts'

test('a full disk is told to the tenant without a path of the host, and ends the launch', () => {
  const thrown = Object.assign(new Error("ENOSPC: no space left on device, mkdir '/var/lib/mallee/i-1'"), {
    code: 'ENOSPC',
  })
  expect(errorMessage(namingFullDisk(thrown))).toBe('The node has no disk space left for the instance.')
  expect(isPassing(namingFullDisk(thrown))).toBe(false)
  const other = new Error('another')
  expect(namingFullDisk(other)).toBe(other)
})
