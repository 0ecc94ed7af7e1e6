import { accessDenied, validationError } from '@mallee/iam-api'
import type { ContextValue } from '@mallee/iam-policy'
import type { StsContext } from './sts-context.ts'

/** When the caller proved its MFA device: by a code in this request, or for the session that it signs with. */
export async function proveMfa(
  ctx: StsContext,
  given: { readonly SerialNumber?: string | undefined; readonly TokenCode?: string | undefined },
): Promise<number | undefined> {
  const { SerialNumber: serial, TokenCode: code } = given
  if (serial === undefined && code === undefined) return ctx.caller.session?.mfaAtMs
  if (serial === undefined || code === undefined)
    throw validationError('SerialNumber and TokenCode go together.')
  throw accessDenied('MultiFactorAuthentication failed with invalid MFA one time pass code.')
}

export function mfaConditions(mfaAtMs: number | undefined, nowMs: number): Record<string, ContextValue> {
  if (mfaAtMs === undefined) return {}
  return {
    'aws:MultiFactorAuthPresent': true,
    'aws:MultiFactorAuthAge': Math.floor((nowMs - mfaAtMs) / 1000),
  }
}
