import { createHmac, randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { hmacSha256 } from './sigv4-canonical.ts'

it('is the HMAC of node, for keys and texts of every length', () => {
  for (let length = 0; length < 140; length += 1) {
    const key = randomBytes(length)
    const text = 'ü'.repeat(length)
    expect(hmacSha256(key, text)).toEqual(createHmac('sha256', key).update(text).digest())
  }
  expect(hmacSha256('AWS4ключ', '')).toEqual(createHmac('sha256', 'AWS4ключ').update('').digest())
})
