import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { maySign, newSession, openSession, sealSession, type SessionClaims } from '../src/index.ts'

const key = (id: string) => ({ id, key: randomBytes(32) })
const claims: SessionClaims = {
  ...newSession(),
  accountId: '111122223333',
  holder: { kind: 'role', roleId: 'AROAEXAMPLE', name: 'nightly' },
  issuedAtMs: 1,
  expiresAtMs: 2,
  policies: ['{"Version":"2012-10-17","Statement":[]}'],
}

describe('a session', () => {
  test('comes back whole, with any key that is still known', () => {
    const [old, current] = [key('s1'), key('s2')]
    expect(openSession(sealSession(claims, old), [current, old])).toEqual(claims)
    expect(openSession(sealSession(claims, current), [current])).toEqual(claims)
  })

  test('is nothing once its key is gone, or under another key of that name', () => {
    expect(openSession(sealSession(claims, key('s1')), [key('s2')])).toBeNull()
    expect(openSession(sealSession(claims, key('s1')), [key('s1')])).toBeNull()
  })

  test('with any bit changed is nothing', () => {
    const own = key('s1')
    const bytes = Buffer.from(sealSession(claims, own), 'base64')
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes)
      changed[at]! ^= 1
      expect(openSession(changed.toString('base64'), [own])).toBeNull()
    }
  })

  test.each(['', 'AA==', 'not base64!', 'A'.repeat(20_000), 'AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA='])(
    '%j is none',
    (text) => expect(openSession(text, [key('s1')])).toBeNull(),
  )

  test('goes with its own key id alone, and shows nothing of what is in it', () => {
    expect(maySign(claims, claims.accessKeyId)).toBe(true)
    expect(maySign(claims, newSession().accessKeyId)).toBe(false)
    const token = Buffer.from(sealSession(claims, key('s1')), 'base64').toString('latin1')
    expect(token).not.toContain('nightly')
  })
})
