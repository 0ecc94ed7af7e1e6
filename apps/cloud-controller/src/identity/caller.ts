import type { Principal } from '@mallee/iam-policy'
import type { SessionClaims } from '@mallee/session-token'

/** Who can sign a request: what is known of anonymous callers, providers and services is not asked here. */
export type CallerPrincipal = Extract<Principal, { readonly accountId: string }>

/** Who asks: only authentication makes one, so an action cannot be reached without a verified signature. */
export interface Caller {
  readonly accountId: string
  readonly accountName: string
  /** The row of the user or root; of a role's session `AROA…:NAME`, of a federated one `ACCOUNT:NAME`. */
  readonly userId: string
  /** Of a role's session the role and its name, `ROLE/NAME`. */
  readonly userName: string
  /** Of the access key or the certificate that signed. */
  readonly accessKeyId: string
  /** The administrators' account sees everything where AWS's `verbose` id asks for it. */
  readonly isCloudAdmin: boolean
  /** As policies see it. */
  readonly principal: CallerPrincipal
  /** Rows whose policies it has: the user and its groups are found by it, or the role. Null of a root. */
  readonly holder: { readonly kind: 'user' | 'role'; readonly id: string } | null
  /** Of temporary credentials. */
  readonly session: Omit<SessionClaims, 'secretAccessKey'> | null
}

export function callerArn(caller: Caller): string {
  return caller.principal.arn
}
