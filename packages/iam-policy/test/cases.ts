/** Short ways to say a policy and a request, for the tests. */
import { compilePolicy, type CompiledPolicy } from '../src/compile-policy.ts'
import { evaluate, type PolicySet } from '../src/evaluate.ts'
import { parsePolicy } from '../src/parse-policy.ts'
import type { Policy, PolicyKind } from '../src/policy.ts'
import type { ContextValue, PolicyRequest, Principal } from '../src/request.ts'

export type Plain = Record<string, unknown>

/** One statement, several, or a whole document. */
export function parsed(kind: PolicyKind, content: Plain | readonly Plain[]): Policy {
  const isDocument = !Array.isArray(content) && 'Statement' in content
  const document = isDocument ? content : { Version: '2012-10-17', Statement: content }
  return parsePolicy(JSON.stringify(document), { kind, maxBytes: 20_480 })
}

export const identity = (content: Plain | readonly Plain[]) => compilePolicy(parsed('identity', content))
export const resource = (content: Plain | readonly Plain[]) => compilePolicy(parsed('resource', content))
export const trust = (content: Plain | readonly Plain[]) => compilePolicy(parsed('trust', content))

export function root(accountId: string): Principal {
  return { kind: 'root', accountId, arn: `arn:aws:iam::${accountId}:root`, userId: accountId }
}

export function user(
  accountId: string,
  userName: string,
  tags: Record<string, string> = {},
): Extract<Principal, { kind: 'user' }> {
  const arn = `arn:aws:iam::${accountId}:user/${userName}`
  return { kind: 'user', accountId, arn, userId: 'AIDAEXAMPLEEXAMPLE', userName, tags }
}

export function session(
  accountId: string,
  role: string,
  name: string,
): Extract<Principal, { kind: 'role-session' }> {
  return {
    kind: 'role-session',
    accountId,
    arn: `arn:aws:sts::${accountId}:assumed-role/${role}/${name}`,
    userId: `AROAEXAMPLEEXAMPLE:${name}`,
    roleArn: `arn:aws:iam::${accountId}:role/${role}`,
  }
}

export function federated(accountId: string, name: string): Extract<Principal, { kind: 'federated' }> {
  return {
    kind: 'federated',
    accountId,
    arn: `arn:aws:sts::${accountId}:federated-user/${name}`,
    userId: `${accountId}:${name}`,
    issuerArn: `arn:aws:iam::${accountId}:user/${name}`,
  }
}

export const anonymous: Principal = { kind: 'anonymous' }

export function ask(
  principal: Principal,
  action: string,
  about: string,
  options: { readonly owner?: string; readonly context?: Record<string, ContextValue> } = {},
): PolicyRequest {
  const own = 'accountId' in principal ? principal.accountId : '111122223333'
  return {
    principal,
    action,
    resource: about,
    resourceAccountId: options.owner ?? own,
    context: options.context ?? {},
  }
}

export function outcome(request: PolicyRequest, policies: PolicySet): string {
  return evaluate(request, policies).outcome
}

/** Whether one condition block holds in this context. */
export function holds(
  condition: Plain,
  context: Record<string, ContextValue>,
  options: { readonly principal?: Principal; readonly version?: string } = {},
): boolean {
  const statement = { Effect: 'Allow', Action: '*', Resource: '*', Condition: condition }
  const policy: CompiledPolicy = identity({ Version: options.version ?? '2012-10-17', Statement: statement })
  const request = ask(options.principal ?? user('111122223333', 'bob'), 'test:Test', '*', { context })
  return outcome(request, { identity: [policy] }) === 'allow'
}
