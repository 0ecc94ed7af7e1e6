import type { AwsError } from '@mallee/aws-protocol'
import { unauthorizedOperation } from '@mallee/ec2-api'
import { ebsAccessDenied } from '@mallee/ebs-api'
import { accessDenied } from '@mallee/iam-api'
import type { ContextValue } from '@mallee/iam-policy'
import type { Caller } from '../identity/caller.ts'
import { authorizationMessage, encodeMessage, policyWords } from './authorization-message.ts'
import { firstRefusal, isUnrestricted, policySetOf, type Ask, type Refusal } from './authorize.ts'
import type { Keyring } from '../identity/keyring.ts'
import type { Reader } from '../store/record.ts'
import { requestConditions } from './request-conditions.ts'
import type { Visit } from '../http/visit.ts'

/** What is asked for, with the conditions of the request in it; read only where somebody's policies may forbid it. */
export type AsksOf = (
  db: Reader,
  conditions: Readonly<Record<string, ContextValue>>,
) => Promise<readonly Ask[]> | readonly Ask[]

type Words = 'ec2' | 'query' | 'ebs'

/**
 * The room between decoding and doing: throws the service's refusal, with the statement that decided sealed in it.
 * EC2 and the others say it in different words.
 */
export async function requireAllowed(
  visit: Visit,
  caller: Caller,
  words: Words,
  asksOf: AsksOf,
): Promise<void> {
  const { record, settings, keyring } = visit.deps
  const refusal = await record.read(async (db) => {
    const policies = await policySetOf(db, caller)
    if (isUnrestricted(caller, policies)) return null
    const conditions = requestConditions(visit.request, caller.session, {
      nowMs: visit.nowMs,
      region: settings.region,
    })
    return firstRefusal(caller, policies, await asksOf(db, conditions))
  })
  if (refusal) throw refusalError(refusal, words, keyring)
}

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html */
export function refusalError(refusal: Refusal, words: Words, keyring: Keyring): AwsError {
  const { request, decision } = refusal
  const encoded = encodeMessage(keyring, authorizationMessage(request, decision))
  const [denied] = decision.statements
  const why =
    decision.outcome === 'explicitDeny'
      ? `with an explicit deny in ${article(policyWords[denied!.place])}`
      : `because no ${policyWords[decision.lacking!]} allows the ${request.action} action`
  const who = 'arn' in request.principal ? request.principal.arn : 'anonymous'
  const on = request.resource === '*' ? '' : ` on resource: ${request.resource}`
  const text = `User: ${who} is not authorized to perform: ${request.action}${on} ${why}`
  if (words === 'ebs') return ebsAccessDenied(`${text}.`)
  return words === 'ec2'
    ? unauthorizedOperation(
        `You are not authorized to perform this operation. ${text}. Encoded authorization failure message: ${encoded}`,
      )
    : accessDenied(`${text}. Encoded authorization failure message: ${encoded}`)
}

const article = (words: string) => `${/^[aeiou]/.test(words) ? 'an' : 'a'} ${words}`
