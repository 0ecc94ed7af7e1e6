/** The policies of users, groups and roles with where each comes from, for those who explain and list them. */
import type { Iam } from '@mallee/iam-api'
import type { Reader } from '../record.ts'
import type { Holder, HolderKind } from './holder-store.ts'
import { boundaryOf, defaultDocument, findManagedPolicy } from './managed-policy-store.ts'

export interface HeldPolicy {
  /** AWS's name of it: that of a managed policy, `user_NAME_POLICY` of an inline one. */
  readonly id: string
  readonly type: Iam.PolicySourceType
  readonly document: string
}

/** Its own policies, inline and attached; of a user those of its groups too. */
export async function heldPolicies(db: Reader, kind: HolderKind, holder: Holder): Promise<HeldPolicy[]> {
  const own = [...(await inlineOf(db, kind, holder)), ...(await attachedTo(db, holder))]
  if (kind !== 'user') return own
  const groups = await db
    .selectFrom('iam_group_member')
    .innerJoin('iam_group', 'iam_group.id', 'iam_group_member.group_id')
    .selectAll('iam_group')
    .where('user_id', '=', holder.id)
    .orderBy('iam_group.name')
    .execute()
  for (const group of groups) own.push(...(await heldPolicies(db, 'group', group)))
  return own
}

async function inlineOf(db: Reader, kind: HolderKind, holder: Holder): Promise<HeldPolicy[]> {
  const rows = await db
    .selectFrom('iam_inline_policy')
    .selectAll()
    .where('owner_id', '=', holder.id)
    .orderBy('name')
    .execute()
  return rows.map(({ name, document }) => ({ id: `${kind}_${holder.name}_${name}`, type: kind, document }))
}

async function attachedTo(db: Reader, holder: Holder): Promise<HeldPolicy[]> {
  const rows = await db
    .selectFrom('iam_attachment')
    .select('policy_arn')
    .where('owner_id', '=', holder.id)
    .orderBy('policy_arn')
    .execute()
  const found: HeldPolicy[] = []
  for (const { policy_arn: arn } of rows) {
    const policy = await managed(db, holder.account_id, arn)
    if (policy) found.push(policy)
  }
  return found
}

async function managed(db: Reader, accountId: string, arn: string): Promise<HeldPolicy | null> {
  const policy = await findManagedPolicy(db, accountId, arn)
  if (!policy) return null
  const type = policy.own ? 'user-managed' : 'aws-managed'
  return { id: (policy.own ?? policy.aws).name, type, document: await defaultDocument(db, policy) }
}

export async function heldBoundary(db: Reader, holder: Holder): Promise<HeldPolicy | null> {
  const arn = await boundaryOf(db, holder.id)
  return arn === null ? null : managed(db, holder.account_id, arn)
}

/** Eucalyptus' policies of a whole account. */
export async function accountPolicies(db: Reader, accountId: string): Promise<HeldPolicy[]> {
  const rows = await db
    .selectFrom('iam_inline_policy')
    .selectAll()
    .where('owner_id', '=', accountId)
    .orderBy('name')
    .execute()
  return rows.map(({ name, document }) => ({ id: `account_${name}`, type: 'none', document }))
}
