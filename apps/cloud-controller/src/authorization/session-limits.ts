import { accessDenied } from '@mallee/iam-api'
import type { Caller } from '../identity/caller.ts'

/**
 * What sessions may not ask of IAM and STS whatever their policies say.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_sts-comparison.html
 */
export function requireSuitable(caller: Caller, service: 'iam' | 'sts', action: string): void {
  const { principal, session } = caller
  if (!session || principal.kind === 'role-session' || action === 'GetCallerIdentity') return
  const refuse = (whose: string) => accessDenied(`Cannot call ${action} with the credentials of ${whose}`)
  if (principal.kind === 'federated') throw refuse('a federated user')
  // A person who logged in with a password acts as itself: Eucalyptus' console does all by such a session.
  if (session.byPassword) return
  if (service === 'sts' && action !== 'AssumeRole') throw refuse('a session of GetSessionToken')
  if (service === 'iam' && session.mfaAtMs === undefined)
    throw refuse('a session of GetSessionToken that was opened without a code of an MFA device')
}
