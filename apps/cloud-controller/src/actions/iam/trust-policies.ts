/** Who may assume a role: checked as AWS does, which takes no principal that there is not. */
import { limitExceeded, malformedPolicyDocument } from '@mallee/iam-api'
import type { Policy, PrincipalPattern } from '@mallee/iam-policy'
import { parseIamArn } from '../../identity/arns.ts'
import { iamQuotas } from '../../identity/iam-quotas.ts'
import type { Reader } from '../../store/record.ts'
import { checkDocument, policySize } from './iam-action.ts'

/** Its form and its size. Throws MalformedPolicyDocument and LimitExceeded. */
export function checkTrust(document: string): Policy {
  const policy = checkDocument(document, 'trust')
  if (policySize(document) > iamQuotas.trustPolicySize)
    throw limitExceeded(`Cannot exceed quota for ACLSizePerRole: ${iamQuotas.trustPolicySize}`)
  return policy
}

/** That there are the accounts, users and roles that it names; sessions and whom a provider knows cannot be looked up. */
export async function requirePrincipals(db: Reader, policy: Policy): Promise<void> {
  for (const { principals } of policy.statements)
    for (const pattern of principals?.patterns ?? []) {
      const missing = await missingPrincipal(db, pattern)
      if (missing !== null) throw malformedPolicyDocument(`Invalid principal in policy: "AWS":"${missing}"`)
    }
}

async function missingPrincipal(db: Reader, pattern: PrincipalPattern): Promise<string | null> {
  if (pattern.kind === 'account') {
    const { accountId: id } = pattern
    const account = await db.selectFrom('account').select('id').where('id', '=', id).executeTakeFirst()
    return account ? null : id
  }
  if (pattern.kind !== 'arn') return null
  const parsed = parseIamArn(pattern.arn)
  const table = parsed?.type === 'user' ? 'user' : parsed?.type === 'role' ? 'iam_role' : null
  if (!parsed || !table) return null
  const row = await db
    .selectFrom(table as 'iam_role')
    .select('path')
    .where('account_id', '=', parsed.accountId)
    .where('name', '=', parsed.name)
    .executeTakeFirst()
  return row?.path === parsed.path ? null : pattern.arn
}
