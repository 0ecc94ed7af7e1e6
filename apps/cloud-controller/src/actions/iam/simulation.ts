/** What policies would decide, asked of the evaluator that decides in truth. */
import { must } from '@mallee/base'
import { invalidInput, type Iam } from '@mallee/iam-api'
import {
  compilePolicy,
  contextKeysOf,
  evaluate,
  splitQuotaPolicy,
  statementPositions,
  type ContextScalar,
  type ContextValue,
  type Decision,
  type Policy,
  type PolicyRequest,
  type Principal,
} from '@mallee/iam-policy'
import type { HeldPolicy } from '../../store/identity/held-policies.ts'
import { checkDocument, orMalformed } from './iam-action.ts'

export interface Simulated {
  readonly identity: readonly HeldPolicy[]
  readonly boundary: HeldPolicy | null
  readonly resource: HeldPolicy | null
  /** Of the account: what they deny counts. */
  readonly account: readonly HeldPolicy[]
  readonly principal: Principal
  readonly resourceAccountId: string
  readonly context: Readonly<Record<string, ContextValue>>
}

/** Without Eucalyptus' limits, which decide nothing here. */
export function policyOf(
  { document }: Pick<HeldPolicy, 'document'>,
  kind: 'identity' | 'resource' = 'identity',
): Policy {
  const { policy } = orMalformed(() => splitQuotaPolicy(document))
  return policy === null
    ? { kind, version: '2012-10-17', id: null, statements: [] }
    : checkDocument(policy, kind)
}

/** A simulator of these policies: they are parsed once. Throws MalformedPolicyDocument. */
export function simulator(simulated: Simulated) {
  const { boundary, resource } = simulated
  const identity = simulated.identity.map((held) => policyOf(held))
  const account = simulated.account.map((held) => policyOf(held))
  const limit = boundary && policyOf(boundary)
  const ofResource = resource && policyOf(resource, 'resource')
  const policies = {
    identity: identity.map((policy, at) => compilePolicy(policy, String(at))),
    account: account.map((policy, at) => compilePolicy(policy, String(at))),
    boundary: limit && compilePolicy(limit, 'boundary'),
    resource: ofResource && compilePolicy(ofResource, 'resource'),
  }
  const all = [...identity, ...account, ...(limit ? [limit] : []), ...(ofResource ? [ofResource] : [])]
  const missing = missingKeys(contextKeysOf(all), simulated)
  return (action: string, resourceArn: string): Iam.EvaluationResult => {
    const { principal, resourceAccountId, context } = simulated
    const request: PolicyRequest = { principal, action, resource: resourceArn, resourceAccountId, context }
    const decision = evaluate(request, policies)
    const shared = {
      MatchedStatements: decision.statements.map((statement) => matched(statement, simulated)),
      MissingContextValues: missing,
      ...(policies.boundary
        ? { PermissionsBoundaryDecisionDetail: boundaryDetail(request, policies.boundary) }
        : {}),
    }
    const outcome = words[decision.outcome]
    return {
      EvalActionName: action,
      EvalResourceName: resourceArn,
      EvalDecision: outcome,
      ...shared,
      ResourceSpecificResults: [{ EvalResourceName: resourceArn, EvalResourceDecision: outcome, ...shared }],
    }
  }
}

const words = { allow: 'allowed', explicitDeny: 'explicitDeny', implicitDeny: 'implicitDeny' } as const

function boundaryDetail(request: PolicyRequest, boundary: ReturnType<typeof compilePolicy>) {
  const alone = evaluate(request, { identity: [boundary] })
  return { AllowedByPermissionsBoundary: alone.outcome === 'allow' }
}

function matched(statement: Decision['statements'][number], simulated: Simulated): Iam.Statement {
  const { place, policyId, statementIndex: index } = statement
  const held = must(
    place === 'boundary' || place === 'resource'
      ? simulated[place]
      : simulated[place === 'account' ? 'account' : 'identity'][Number(policyId)],
    'the policy that decided',
  )
  // Where limits were taken out, a statement is not the one of that number in the text.
  const isWhole = splitQuotaPolicy(held.document).limits.length === 0
  const at = isWhole ? statementPositions(held.document)[index] : undefined
  return {
    SourcePolicyId: held.id,
    SourcePolicyType: held.type,
    ...(at
      ? {
          StartPosition: { Line: at.start.line, Column: at.start.column },
          EndPosition: { Line: at.end.line, Column: at.end.column },
        }
      : {}),
  }
}

/** Keys that the policies ask for and that neither the request nor the principal has. */
function missingKeys(asked: readonly string[], { principal, context }: Simulated): string[] {
  const given = new Set(Object.keys(context).map((key) => key.toLowerCase()))
  const tags = 'tags' in principal ? Object.keys(principal.tags ?? {}) : []
  for (const key of tags) given.add(`aws:principaltag/${key.toLowerCase()}`)
  for (const key of ['aws:userid', 'aws:principalarn', 'aws:principalaccount', 'aws:principaltype'])
    given.add(key)
  if (principal.kind === 'user' && principal.userName !== '') given.add('aws:username')
  return asked.filter((key) => !given.has(key.toLowerCase()))
}

/** The values of a request's ContextEntries, by their types. */
export function contextOf(entries: readonly Iam.ContextEntry[] | undefined): Record<string, ContextValue> {
  const context: Record<string, ContextValue> = {}
  for (const { ContextKeyName: name, ContextKeyValues: values = [], ContextKeyType: type } of entries ?? []) {
    if (name === undefined || type === undefined) throw invalidInput('A context entry has a name and a type.')
    const read = values.map((value) => scalar(value, type.replace('List', '')))
    if (type.endsWith('List')) context[name] = read
    else if (read.length === 1) context[name] = read[0]!
    else throw invalidInput(`The context key ${name} of the type ${type} has one value.`)
  }
  return context
}

function scalar(value: string, type: string): ContextScalar {
  if (type === 'numeric') {
    if (!/^-?\d+(?:\.\d+)?$/.test(value)) throw invalidInput(`The value ${value.slice(0, 100)} is no number.`)
    return Number(value)
  }
  if (type === 'boolean') {
    if (!/^(?:true|false)$/i.test(value))
      throw invalidInput(`The value ${value.slice(0, 100)} is no boolean.`)
    return value.toLowerCase() === 'true'
  }
  if (type !== 'date') return value
  const date = new Date(/^\d+$/.test(value) ? Number(value) * 1000 : value)
  if (Number.isNaN(date.getTime())) throw invalidInput(`The value ${value.slice(0, 100)} is no date.`)
  return date
}
