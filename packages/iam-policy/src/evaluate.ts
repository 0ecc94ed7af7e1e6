/**
 * AWS's evaluation of all policies that bear on a request.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html
 *
 * A deny anywhere ends it. Otherwise the principal's own side must allow (its policies, within its boundary and its
 * session's policies), or the resource's policy, or both, as the table below `decide` says.
 */
import type { CompiledPolicy } from './compile-policy.ts'
import { RequestContext } from './context.ts'
import { naming, type Naming } from './principals.ts'
import type { PolicyRequest, Principal } from './request.ts'

/** The policies of one request; those that there are not stay away. */
export interface PolicySet {
  /** Those of the user and its groups, or of the role. */
  readonly identity?: readonly CompiledPolicy[] | undefined
  /** Given, it is the most that `identity` can allow. */
  readonly boundary?: CompiledPolicy | null | undefined
  /** Those that the session was made with. Given, they are the most that the session may do; an empty list is nothing. */
  readonly session?: readonly CompiledPolicy[] | null | undefined
  /** That of the resource; of a role that is to be assumed its trust policy, which must allow in any case. */
  readonly resource?: CompiledPolicy | null | undefined
  /** Those of the principal's whole account, its root included (Eucalyptus' account policies): only what they deny counts. */
  readonly account?: readonly CompiledPolicy[] | undefined
}

/** Where something can allow. */
type GivingPlace = 'identity' | 'boundary' | 'session' | 'resource'
export type PolicyPlace = GivingPlace | 'account'

export interface DecidingStatement {
  readonly place: PolicyPlace
  readonly policyId: string | null
  readonly statementIndex: number
  readonly sid: string | null
}

export interface Decision {
  readonly outcome: 'allow' | 'explicitDeny' | 'implicitDeny'
  /** The one that denies, or those that together allow; none for a root user in its own account. */
  readonly statements: readonly DecidingStatement[]
  /** For an implicit deny: the first place that does not allow. */
  readonly lacking: PolicyPlace | null
}

export function evaluate(request: PolicyRequest, policies: PolicySet): Decision {
  const seen = new Scan(request, policies)
  if (seen.deny) return { outcome: 'explicitDeny', statements: [seen.deny], lacking: null }
  return decide(request, policies, seen)
}

function decide(request: PolicyRequest, policies: PolicySet, seen: Scan): Decision {
  const { principal } = request
  const granted = seen.grant?.naming ?? naming.none
  if (!('accountId' in principal)) return together(seen, ['resource'])
  const isOwn = principal.accountId === request.resourceAccountId
  if (!isOwn) return together(seen, ['resource', ...ownSide(principal, policies)])
  const isTrust = policies.resource?.kind === 'trust'
  if (granted === naming.itself) return together(seen, ['resource'])
  if (granted === naming.lender) return together(seen, ['resource', ...limits(principal, policies)])
  return together(seen, [...(isTrust ? (['resource'] as const) : []), ...ownSide(principal, policies)])
}

/** Where the principal's own account must allow. A root user needs nobody's leave. */
function ownSide(principal: Principal, policies: PolicySet): GivingPlace[] {
  return principal.kind === 'root' ? [] : ['identity', ...limits(principal, policies)]
}

/** A federated session that was made without policies may do nothing; one of a role may do what the role may. */
function limits({ kind }: Principal, policies: PolicySet): GivingPlace[] {
  const places: GivingPlace[] = []
  if (policies.boundary) places.push('boundary')
  if (policies.session || kind === 'federated') places.push('session')
  return places
}

/** Allowed if each of these places allows. */
function together(seen: Scan, places: readonly GivingPlace[]): Decision {
  const statements: DecidingStatement[] = []
  for (const place of places) {
    const allows = place === 'resource' ? (seen.grant?.statement ?? null) : seen.allows[place]
    if (!allows) return { outcome: 'implicitDeny', statements: [], lacking: place }
    statements.push(allows)
  }
  return { outcome: 'allow', statements, lacking: null }
}

/** One pass over all statements: the first that denies, and the first that allows in each place. */
class Scan {
  deny: DecidingStatement | null = null
  readonly allows: Record<'identity' | 'boundary' | 'session', DecidingStatement | null> = {
    identity: null,
    boundary: null,
    session: null,
  }
  /** The statement of the resource's policy that names the principal most closely. */
  grant: { readonly naming: Naming; readonly statement: DecidingStatement } | null = null

  constructor(request: PolicyRequest, policies: PolicySet) {
    const context = new RequestContext(request)
    const action = request.action.toLowerCase()
    const { kind } = request.principal
    if ('accountId' in request.principal)
      for (const policy of policies.account ?? []) this.readDenies(policy, request, action, context)
    if (kind === 'user' || kind === 'role-session' || kind === 'federated') {
      for (const policy of policies.identity ?? []) this.read('identity', policy, request, action, context)
      if (policies.boundary) this.read('boundary', policies.boundary, request, action, context)
      for (const policy of policies.session ?? []) this.read('session', policy, request, action, context)
    }
    if (policies.resource) this.readResource(policies.resource, policies, request, action, context)
  }

  private read(
    place: 'identity' | 'boundary' | 'session',
    policy: CompiledPolicy,
    request: PolicyRequest,
    action: string,
    context: RequestContext,
  ): void {
    if (this.deny) return
    for (const [index, statement] of policy.statements.entries()) {
      if (statement.effect === 'Allow' && this.allows[place]) continue
      if (!statement.applies(action, request.resource, context)) continue
      const deciding = { place, policyId: policy.id, statementIndex: index, sid: statement.sid }
      if (statement.effect === 'Allow') this.allows[place] = deciding
      else {
        this.deny = deciding
        return
      }
    }
  }

  private readDenies(
    policy: CompiledPolicy,
    request: PolicyRequest,
    action: string,
    context: RequestContext,
  ): void {
    if (this.deny) return
    const index = policy.statements.findIndex(
      (statement) => statement.effect === 'Deny' && statement.applies(action, request.resource, context),
    )
    if (index < 0) return
    const { sid } = policy.statements[index]!
    this.deny = { place: 'account', policyId: policy.id, statementIndex: index, sid }
  }

  private readResource(
    policy: CompiledPolicy,
    policies: PolicySet,
    request: PolicyRequest,
    action: string,
    context: RequestContext,
  ): void {
    if (this.deny) return
    const hasBoundary = Boolean(policies.boundary)
    for (const [index, statement] of policy.statements.entries()) {
      const named = statement.principals(request.principal, hasBoundary)
      if (named === naming.none || (statement.effect === 'Allow' && named <= (this.grant?.naming ?? 0)))
        continue
      if (!statement.applies(action, request.resource, context)) continue
      const deciding = {
        place: 'resource',
        policyId: policy.id,
        statementIndex: index,
        sid: statement.sid,
      } as const
      if (statement.effect === 'Allow') this.grant = { naming: named, statement: deciding }
      else {
        this.deny = deciding
        return
      }
    }
  }
}
