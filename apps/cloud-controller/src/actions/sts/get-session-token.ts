import { accessDenied, type StsInput, type StsOutput } from '@mallee/iam-api'
import { issueSession } from './issue-session.ts'
import { proveMfa } from './prove-mfa.ts'
import type { StsContext } from './sts-context.ts'

const hour = 3600

/** Who may make sessions of itself: no session may. */
export function requireLongTerm(ctx: StsContext, action: string): void {
  if (ctx.caller.session) throw accessDenied(`Cannot call ${action} with session credentials`)
}

/** A root's sessions last an hour at most, whatever is asked for. */
export function ownSeconds(ctx: StsContext, asked: number | undefined): number {
  const seconds = asked ?? 12 * hour
  return ctx.caller.principal.kind === 'root' ? Math.min(seconds, hour) : seconds
}

/** https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html */
export async function getSessionToken(
  ctx: StsContext,
  input: StsInput<'GetSessionToken'>,
): Promise<StsOutput<'GetSessionToken'>> {
  requireLongTerm(ctx, 'GetSessionToken')
  const mfaAtMs = await proveMfa(ctx, input)
  const { credentials } = await issueSession(ctx, {
    accountId: ctx.caller.accountId,
    holder: { kind: 'user', userId: ctx.caller.userId },
    expiresAtMs: ctx.nowMs + ownSeconds(ctx, input.DurationSeconds) * 1000,
    mfaAtMs,
  })
  return { Credentials: credentials }
}
