/** A policy made ready: patterns cut, sets built, values read, so that a request costs no more than comparisons. */
import { compileResource } from './arn-pattern.ts'
import { compileCondition } from './conditions.ts'
import type { RequestContext } from './context.ts'
import { compileGlob, type Matcher } from './glob.ts'
import { parsePattern } from './pattern.ts'
import type { ActionElement, Policy, PolicyKind, ResourceElement, Statement } from './policy.ts'
import { compilePrincipals, naming, type CompiledPrincipals } from './principals.ts'

export interface CompiledPolicy {
  readonly kind: PolicyKind
  /** What an explanation calls it: an ARN, a name, or the policy's own Id. */
  readonly id: string | null
  readonly statements: readonly CompiledStatement[]
}

export interface CompiledStatement {
  readonly sid: string | null
  readonly effect: 'Allow' | 'Deny'
  /** Whether it is about this action on this resource under these conditions. The action is in lower case. */
  readonly applies: (lowerAction: string, resource: string, context: RequestContext) => boolean
  readonly principals: CompiledPrincipals
}

/** `id` names the policy in explanations, before its own Id. */
export function compilePolicy(policy: Policy, id: string | null = null): CompiledPolicy {
  return { kind: policy.kind, id: id ?? policy.id, statements: policy.statements.map(compileStatement) }
}

function compileStatement(statement: Statement): CompiledStatement {
  const isAction = compileActions(statement.actions)
  const isResource = statement.resources ? compileResources(statement.resources) : () => true
  const conditions = statement.conditions.map(compileCondition)
  return {
    sid: statement.sid,
    effect: statement.effect,
    principals: statement.principals ? compilePrincipals(statement.principals) : () => naming.itself,
    applies: (lowerAction, resource, context) =>
      isAction(lowerAction) &&
      isResource(resource, context) &&
      conditions.every((condition) => condition(context)),
  }
}

/** Takes the name of an action in lower case: names of actions have no case. */
export function compileActions(element: ActionElement): Matcher {
  const exact = new Set<string>()
  const globs: Matcher[] = []
  for (const text of element.patterns) {
    const pattern = parsePattern(text.toLowerCase(), { wildcards: true, variables: false })
    if (text === '*' || text === '*:*') return () => !element.negated
    if (pattern.hasWildcards) globs.push(compileGlob(pattern.tokens))
    else exact.add(text.toLowerCase())
  }
  return (lowerAction) =>
    (exact.has(lowerAction) || globs.some((matches) => matches(lowerAction))) !== element.negated
}

function compileResources(element: ResourceElement): (resource: string, context: RequestContext) => boolean {
  const matchers = element.patterns.map(compileResource)
  return (resource, context) =>
    matchers.some((matches) => matches(resource, context.variable)) !== element.negated
}
