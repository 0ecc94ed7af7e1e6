import { accessDenied, validationError } from '@mallee/iam-api'
import type { ContextValue } from '@mallee/iam-policy'
import { takeMfaCode } from '../../store/identity/mfa-store.ts'
import type { StsContext } from './sts-context.ts'

/** When the caller proved its MFA device: by a code in this request, or for the session that it signs with. */
export async function proveMfa(
  ctx: StsContext,
  given: { readonly SerialNumber?: string | undefined; readonly TokenCode?: string | undefined },
): Promise<number | undefined> {
  const { SerialNumber: serialNumber, TokenCode: code } = given
  const { session, accountId, userId, holder, principal } = ctx.caller
  if (serialNumber === undefined && code === undefined) return session?.mfaAtMs
  if (serialNumber === undefined || code === undefined)
    throw validationError('SerialNumber and TokenCode go together.')
  const isUser = principal.kind === 'root' || holder?.kind === 'user'
  const proven =
    isUser &&
    (await ctx.transaction((tx) =>
      takeMfaCode(tx, ctx.keyring, { accountId, userId, serialNumber, code, nowMs: ctx.nowMs }),
    ))
  if (!proven) throw accessDenied('MultiFactorAuthentication failed with invalid MFA one time pass code.')
  return ctx.nowMs
}

export function mfaConditions(mfaAtMs: number | undefined, nowMs: number): Record<string, ContextValue> {
  if (mfaAtMs === undefined) return {}
  return {
    'aws:MultiFactorAuthPresent': true,
    'aws:MultiFactorAuthAge': Math.floor((nowMs - mfaAtMs) / 1000),
  }
}
