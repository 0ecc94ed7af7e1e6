/**
 * Whether a statement is about the principal of a request, and how closely it names it: within an account that decides
 * which other policies may still stand in the way.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html
 */
import type { PrincipalElement, PrincipalPattern } from './policy.ts'
import type { Principal } from './request.ts'

/** Ordered: more is closer. */
export const naming = {
  /** It is about others. */
  none: 0,
  /** Its account: what the account's own policies allow may be used here. */
  account: 1,
  /** The role of the session, or the user behind a federated session: limited by boundary and session policies. */
  lender: 2,
  /** The user, the very session, or everyone: no other policy needs to allow. */
  itself: 3,
} as const
export type Naming = (typeof naming)[keyof typeof naming]

export type CompiledPrincipals = (principal: Principal, hasBoundary: boolean) => Naming

export function compilePrincipals(element: PrincipalElement): CompiledPrincipals {
  const { patterns } = element
  if (element.negated)
    return (principal, hasBoundary) =>
      isExempt(patterns, principal, hasBoundary) ? naming.none : naming.itself
  if (patterns.some((pattern) => pattern.kind === 'everyone')) return () => naming.itself
  return (principal) => {
    let closest: Naming = naming.none
    for (const pattern of patterns) {
      const found = namingBy(pattern, principal)
      if (found > closest) closest = found
    }
    return closest
  }
}

function namingBy(pattern: PrincipalPattern, principal: Principal): Naming {
  if (pattern.kind === 'everyone') return naming.itself
  if (principal.kind === 'anonymous') return naming.none
  if (principal.kind === 'service')
    return pattern.kind === 'service' && pattern.service === principal.service ? naming.itself : naming.none
  if (principal.kind === 'identity-provider')
    return pattern.kind === 'federated' && pattern.provider === principal.provider
      ? naming.itself
      : naming.none
  switch (pattern.kind) {
    case 'account':
      return pattern.accountId === principal.accountId ? naming.account : naming.none
    case 'canonicalUser':
      return pattern.canonicalUserId === principal.canonicalUserId ? naming.account : naming.none
    case 'arn':
      if (pattern.arn === principal.arn) return naming.itself
      return pattern.arn === lenderArn(principal) ? naming.lender : naming.none
    case 'uniqueId':
      if (pattern.uniqueId === principal.userId) return naming.itself
      return principal.kind === 'role-session' && principal.userId.startsWith(`${pattern.uniqueId}:`)
        ? naming.lender
        : naming.none
    default:
      return naming.none
  }
}

/** Whose permissions a session has. */
function lenderArn(principal: Principal): string | null {
  if (principal.kind === 'role-session') return principal.roleArn
  return principal.kind === 'federated' ? principal.issuerArn : null
}

/**
 * NotPrincipal spares only whom it names in full: the account, and the user, or the role and the session. With a
 * permissions boundary it spares nobody.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html
 */
function isExempt(
  patterns: readonly PrincipalPattern[],
  principal: Principal,
  hasBoundary: boolean,
): boolean {
  const names = (wanted: Naming) => patterns.some((pattern) => namingBy(pattern, principal) === wanted)
  if (patterns.some((pattern) => pattern.kind === 'everyone')) return true
  switch (principal.kind) {
    case 'anonymous':
      return false
    case 'service':
    case 'identity-provider':
      return names(naming.itself)
    case 'root':
      return names(naming.account) || names(naming.itself)
    case 'user':
      return !hasBoundary && names(naming.account) && names(naming.itself)
    case 'role-session':
      return !hasBoundary && names(naming.account) && names(naming.lender) && names(naming.itself)
    case 'federated':
      return !hasBoundary && names(naming.account) && names(naming.itself)
  }
}
