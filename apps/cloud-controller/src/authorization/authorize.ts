/** Whether a caller may do what it asks: its policies are read anew for each request, compiled once for each text. */
import { allowEverything, evaluate, PolicyCache, type ContextValue, type PolicySet } from '@mallee/iam-policy'
import type { CompiledPolicy, Decision, PolicyRequest } from '@mallee/iam-policy'
import type { Reader } from '../store/record.ts'
import { policyTextsOnce, type PolicyText } from '../store/principal-store.ts'
import type { Caller } from '../identity/caller.ts'
import { passwordPolicyOf } from '../store/identity/login-store.ts'

/** One thing that must be allowed; where a request needs several, each must be. */
export interface Ask {
  /** `ec2:RunInstances` */
  readonly action: string
  /** An ARN, or `*`. */
  readonly resource: string
  readonly context: Readonly<Record<string, ContextValue>>
  /** Whose it is; the caller's account where not said. */
  readonly resourceAccountId?: string
  /** A role's trust policy, or what else is on the resource. */
  readonly resourcePolicy?: CompiledPolicy
}

export interface Refusal {
  readonly request: PolicyRequest
  readonly decision: Decision
}

const cache = new PolicyCache()

/** The caller's own policies, made ready. */
export async function policySetOf(db: Reader, caller: Caller): Promise<PolicySet> {
  const texts = await policyTextsOnce(db, caller)
  const ready = ({ id, document }: PolicyText) => cache.get('identity', id, document)
  const password = texts.identity ? await ofPasswordPolicy(db, caller) : []
  return {
    identity: texts.identity ? [...texts.identity, ...password].map(ready) : [allowEverything],
    boundary: texts.boundary && ready(texts.boundary),
    session: caller.session?.policies?.map((document) => cache.get('identity', 'session policy', document)),
    account: texts.account.map(ready),
  }
}

/**
 * What an account that lets its users change their passwords grants each of them.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_passwords_enable-user-change.html
 */
async function ofPasswordPolicy(db: Reader, { accountId, principal }: Caller): Promise<PolicyText[]> {
  if (principal.kind !== 'user') return []
  const policy = await passwordPolicyOf(db, accountId)
  return policy?.AllowUsersToChangePassword === true
    ? [{ id: 'AllowUsersToChangePassword', document: changesOwnPassword(principal.arn) }]
    : []
}

const changesOwnPassword = (userArn: string) =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      { Effect: 'Allow', Action: 'iam:ChangePassword', Resource: userArn },
      { Effect: 'Allow', Action: 'iam:GetAccountPasswordPolicy', Resource: '*' },
    ],
  })

export const trustPolicy = (roleArn: string, document: string): CompiledPolicy =>
  cache.get('trust', roleArn, document)

/** Whether there can be anything that this caller may not do in its own account. */
export const isUnrestricted = (caller: Caller, { account, session }: PolicySet): boolean =>
  caller.principal.kind === 'root' && (account ?? []).length === 0 && !session

/** The first of these that is not allowed; null where all are. */
export function firstRefusal(caller: Caller, policies: PolicySet, asks: readonly Ask[]): Refusal | null {
  for (const { action, resource, context, resourceAccountId, resourcePolicy } of asks) {
    const request: PolicyRequest = {
      principal: caller.principal,
      resourceAccountId: resourceAccountId ?? caller.accountId,
      ...{ action, resource, context },
    }
    const decision = evaluate(request, resourcePolicy ? { ...policies, resource: resourcePolicy } : policies)
    if (decision.outcome !== 'allow') return { request, decision }
  }
  return null
}
