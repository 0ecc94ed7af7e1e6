import { expect, test } from 'vitest'
import { isWellFormedId, newId, newUuid } from './ids.ts'
import { seededRandom } from './random.ts'

test('a new id has the prefix and 17 hexadecimal digits', () => {
  expect(newId('instance')).toMatch(/^i-[0-9a-f]{17}$/)
  expect(newId('networkInterfaceAttachment')).toMatch(/^eni-attach-[0-9a-f]{17}$/)
})

test('8 and 17 digits are well formed, anything else is not', () => {
  expect(isWellFormedId('instance', 'i-0a1b2c3d')).toBe(true)
  expect(isWellFormedId('instance', newId('instance'))).toBe(true)
  for (const bad of ['i-', 'i-123', 'ami-0a1b2c3d', 'i-0A1B2C3D', 'i-0a1b2c3d4', '', 'i-0a1b2c3g']) {
    expect(isWellFormedId('instance', bad), bad).toBe(false)
  }
})

test('the same seed gives the same ids', () => {
  expect(newUuid(seededRandom(7))).toBe(newUuid(seededRandom(7)))
  expect(newUuid(seededRandom(7))).not.toBe(newUuid(seededRandom(8)))
})
