import { newSession, sealSession } from '@mallee/session-token'
import { AwsError } from '@mallee/aws-protocol'
import { deflateRawSync } from 'node:zlib'
import type { AnsweredCredentials, NewClaims, StsContext } from './sts-context.ts'

/** Characters of a session's policies and tags, packed: with them the token still fits into a header. */
const mostPacked = 5_000

/** Makes temporary credentials, and says what part of the room its policies and tags take, in percent. */
export async function issueSession(
  ctx: Pick<StsContext, 'sessionKeys' | 'random' | 'nowMs'>,
  claims: NewClaims,
): Promise<{ credentials: AnsweredCredentials; packedPercent: number }> {
  const packed = deflateRawSync(Buffer.from(JSON.stringify([claims.policies, claims.tags]))).length
  const packedPercent = Math.ceil((packed / mostPacked) * 100)
  if (packedPercent > 100)
    throw new AwsError(
      'PackedPolicyTooLarge',
      `Packed size of the session policies and tags consumes ${packedPercent}% of allotted space.`,
    )
  const keys = newSession(ctx.random)
  const token = sealSession(
    { ...claims, ...keys, issuedAtMs: ctx.nowMs },
    await ctx.sessionKeys.sealing(ctx.nowMs),
  )
  return {
    packedPercent,
    credentials: {
      AccessKeyId: keys.accessKeyId,
      SecretAccessKey: keys.secretAccessKey,
      SessionToken: token,
      Expiration: new Date(claims.expiresAtMs),
    },
  }
}
