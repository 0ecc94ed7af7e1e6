import type { GetAccessTokenRequest, GetAccessTokenResponse } from '@mallee/iam-api'
import { accessDenied } from '@mallee/iam-api'
import { logIn, type Login } from '../../identity/log-in.ts'
import { issueSession } from './issue-session.ts'
import type { UnsignedContext, WithSession } from './sts-context.ts'

const hour = 3600
const usualSeconds = 12 * hour

/**
 * Eucalyptus' own: a person's password for temporary credentials, given as HTTP Basic with the user as
 * `USER@ACCOUNT`, each or both in Base64 as its console sends them.
 */
export async function getAccessToken(
  ctx: UnsignedContext,
  input: GetAccessTokenRequest,
): Promise<WithSession<GetAccessTokenResponse>> {
  const login = ctx.authorization === undefined ? null : readLogin(ctx.authorization)
  if (!login) throw accessDenied('The request has no user, account and password.')
  const user = await logIn(ctx, login)
  const claims = {
    accountId: user.account_id,
    holder: { kind: 'user' as const, userId: user.id },
    byPassword: true as const,
    expiresAtMs: ctx.nowMs + Math.min(input.DurationSeconds ?? usualSeconds, 36 * hour) * 1000,
  }
  const { credentials } = await issueSession(ctx, claims)
  return {
    session: { ...claims, accessKeyId: credentials.AccessKeyId, issuedAtMs: ctx.nowMs },
    output: { Credentials: credentials },
  }
}

/** `Basic` of RFC 7617; null where it is none. */
export function readLogin(header: string): Login | null {
  const encoded = /^Basic\s+([A-Za-z0-9+/]+={0,2})$/i.exec(header.slice(0, 4096))?.[1]
  if (encoded === undefined) return null
  const text = Buffer.from(encoded, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  const [user, account] = text.slice(0, Math.max(colon, 0)).split('@')
  if (colon < 0 || !user || !account) return null
  return { userNames: spellings(user), accountNames: spellings(account), password: text.slice(colon + 1) }
}

/** A name, and what it is if it is Base64. */
function spellings(text: string): string[] {
  const decoded = Buffer.from(text, 'base64')
  const isBase64 =
    decoded.length > 0 && decoded.toString('base64').replace(/=+$/, '') === text.replace(/=+$/, '')
  return isBase64 ? [decoded.toString('utf8'), text] : [text]
}
