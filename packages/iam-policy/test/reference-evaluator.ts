/**
 * A second evaluator: slow, literal, written from AWS's pages and not from src, of which it has nothing but types. It reads
 * policies as JSON.parse gives them. What both say must be the same; see many-cases.ts.
 */
import type { PolicyRequest, Principal } from '../src/request.ts'
import { blockHolds, variablesOf, type ConditionBlock, type Override } from './reference-conditions.ts'
import { isLike, isLikeResource, spell, type Variables } from './reference-patterns.ts'

export interface PlainPolicy {
  readonly id: string
  readonly kind: 'identity' | 'resource' | 'trust'
  readonly document: PlainDocument
}

export interface PlainDocument {
  readonly Version?: string
  readonly Statement: PlainStatement | readonly PlainStatement[]
}

export interface PlainStatement {
  readonly Effect: 'Allow' | 'Deny'
  readonly Principal?: PlainPrincipal
  readonly NotPrincipal?: PlainPrincipal
  readonly Action?: string | readonly string[]
  readonly NotAction?: string | readonly string[]
  readonly Resource?: string | readonly string[]
  readonly NotResource?: string | readonly string[]
  readonly Condition?: ConditionBlock
}

export type PlainPrincipal = '*' | Record<string, string | readonly string[]>

export interface PlainPolicies {
  readonly identity: readonly PlainPolicy[]
  readonly boundary: PlainPolicy | null
  readonly session: readonly PlainPolicy[] | null
  readonly resource: PlainPolicy | null
  readonly account: readonly PlainPolicy[]
}

/** `OUTCOME` and the statements that decided, as `PLACE POLICY INDEX`. */
export function referenceDecision(
  request: PolicyRequest,
  policies: PlainPolicies,
  overriding?: (place: string, policy: string, index: number) => Override,
): string {
  const found = matching(request, policies, overriding)
  const deny = found.find(({ effect }) => effect === 'Deny')
  if (deny) return `explicitDeny ${deny.name}`
  const allow = (place: string) => found.find((one) => one.place === place && one.effect === 'Allow')?.name
  const grants = found
    .filter((one) => one.place === 'resource')
    .toSorted((one, other) => other.near - one.near)
  const grant = grants[0]
  const all = (...names: (string | undefined)[]) =>
    names.includes(undefined) ? 'implicitDeny' : ['allow', ...names].filter((name) => name !== '').join(' ')
  const boundary = policies.boundary ? allow('boundary') : ''
  const { principal } = request
  const session = policies.session || principal.kind === 'federated' ? allow('session') : ''
  const hasAccount = 'accountId' in principal
  if (!hasAccount) return all(grant?.name)
  const own = principal.kind === 'root' ? [''] : [allow('identity'), boundary, session]
  if (principal.accountId !== request.resourceAccountId) return all(grant?.name, ...own)
  if (grant?.near === 3) return all(grant.name)
  if (grant?.near === 2) return all(grant.name, boundary, session)
  return policies.resource?.kind === 'trust' ? all(grant?.name, ...own) : all(...own)
}

interface Found {
  readonly place: string
  readonly name: string
  readonly effect: 'Allow' | 'Deny'
  readonly near: number
}

/** All statements that apply, in the order of account, identity, boundary, session, resource. */
function matching(
  request: PolicyRequest,
  policies: PlainPolicies,
  overriding: ((place: string, policy: string, index: number) => Override) | undefined,
): Found[] {
  const { kind } = request.principal
  const hasOwn = kind === 'user' || kind === 'role-session' || kind === 'federated'
  const places: [string, readonly PlainPolicy[]][] = [
    ['account', 'accountId' in request.principal ? policies.account : []],
    ['identity', hasOwn ? policies.identity : []],
    ['boundary', hasOwn && policies.boundary ? [policies.boundary] : []],
    ['session', hasOwn ? (policies.session ?? []) : []],
    ['resource', policies.resource ? [policies.resource] : []],
  ]
  return places.flatMap(([place, list]) =>
    list.flatMap((policy) =>
      listOf<PlainStatement>(policy.document.Statement).flatMap((statement, index) => {
        const near =
          place === 'resource' ? nearness(statement, request.principal, policies.boundary !== null) : 3
        const override = overriding?.(place, policy.id, index) ?? ((_operator, _key, answer) => answer)
        const modern = policy.document.Version === '2012-10-17'
        if (near === 0 || !applies(statement, request, modern, override)) return []
        return [{ place, name: `${place} ${policy.id} ${index}`, effect: statement.Effect, near }]
      }),
    ),
  )
}

function applies(
  statement: PlainStatement,
  request: PolicyRequest,
  modern: boolean,
  override: Override,
): boolean {
  const holds = blockHolds(statement.Condition ?? {}, request, modern, override)
  const isAction = (text: string) =>
    text === '*:*' || isLike(spell(text.toLowerCase(), null, true)!, request.action.toLowerCase())
  const named = listOf(statement.Action ?? statement.NotAction!).some(isAction)
  if (named !== (statement.Action !== undefined)) return false
  const resources = statement.Resource ?? statement.NotResource
  if (resources === undefined) return holds
  const variables: Variables | null = modern ? variablesOf(request) : null
  const isResource = (text: string) => {
    const pattern = spell(text, variables, true)
    return pattern !== null && isLikeResource(pattern, request.resource)
  }
  return listOf(resources).some(isResource) === (statement.Resource !== undefined) && holds
}

/** 3: the principal itself or everyone; 2: the role or user whose permissions it has; 1: its account; 0: another. */
function nearness(statement: PlainStatement, principal: Principal, hasBoundary: boolean): number {
  if (statement.Principal !== undefined)
    return Math.max(0, ...entriesOf(statement.Principal).map((entry) => near(entry, principal)))
  const excepted = entriesOf(statement.NotPrincipal!)
  if (excepted.some(([, name]) => name === '*')) return 0
  const levels = new Set(excepted.map((entry) => near(entry, principal)))
  const { kind } = principal
  const needed =
    kind === 'root'
      ? levels.has(1) || levels.has(3)
      : kind === 'service' || kind === 'identity-provider'
        ? levels.has(3)
        : kind !== 'anonymous' &&
          !hasBoundary &&
          levels.has(1) &&
          levels.has(3) &&
          (kind !== 'role-session' || levels.has(2))
  return needed ? 0 : 3
}

function near([type, name]: readonly [string, string], principal: Principal): number {
  if (name === '*') return 3
  if (type === 'Service') return principal.kind === 'service' && principal.service === name ? 3 : 0
  if (type === 'Federated')
    return principal.kind === 'identity-provider' && principal.provider === name ? 3 : 0
  if (!('accountId' in principal)) return 0
  if (type === 'CanonicalUser') return principal.canonicalUserId === name ? 1 : 0
  if (name === principal.accountId || name === `arn:aws:iam::${principal.accountId}:root`) return 1
  if (name === principal.arn || name === principal.userId) return 3
  if (principal.kind === 'role-session')
    return name === principal.roleArn || principal.userId.split(':')[0] === name ? 2 : 0
  return principal.kind === 'federated' && principal.issuerArn === name ? 2 : 0
}

function entriesOf(principal: PlainPrincipal): [string, string][] {
  if (principal === '*') return [['AWS', '*']]
  return Object.entries(principal).flatMap(([type, names]) =>
    listOf(names).map((name): [string, string] => [type, name]),
  )
}

function listOf<T>(value: T | readonly T[]): T[] {
  return Array.isArray(value) ? [...(value as T[])] : [value as T]
}
