import { createHmac, createSecretKey, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Clock } from '@mallee/base'

/**
 * Session tokens of IMDSv2: their end and a seal over it and the interface that asked, so that none need be
 * remembered and none is of use to another interface. The key is of this process: a restart ends all sessions, and
 * clients ask for a new token when they get a 401, as AWS has them do.
 */
export interface SessionTokens {
  issue(interfaceId: string, ttlSeconds: number): string
  /** Seconds left, or null where the token is none of ours, another's, or over. */
  secondsLeft(interfaceId: string, token: string): number | null
}

const sealBytes = 32
const endBytes = 6

export function createSessionTokens(clock: Pick<Clock, 'now'>): SessionTokens {
  // Made ready once: of bytes, every seal would make it anew, which takes five times what sealing does.
  const key = createSecretKey(randomBytes(32))
  const seal = (interfaceId: string, end: Buffer) =>
    createHmac('sha256', key).update(end).update(interfaceId).digest()
  return {
    issue(interfaceId, ttlSeconds) {
      const end = Buffer.alloc(endBytes)
      end.writeUIntBE(clock.now() + ttlSeconds * 1000, 0, endBytes)
      return Buffer.concat([end, seal(interfaceId, end)]).toString('base64url')
    },
    secondsLeft(interfaceId, token) {
      const bytes = Buffer.from(token, 'base64url')
      if (bytes.length !== endBytes + sealBytes || bytes.toString('base64url') !== token) return null
      const end = bytes.subarray(0, endBytes)
      if (!timingSafeEqual(bytes.subarray(endBytes), seal(interfaceId, end))) return null
      const leftMs = end.readUIntBE(0, endBytes) - clock.now()
      return leftMs <= 0 ? null : Math.ceil(leftMs / 1000)
    },
  }
}
