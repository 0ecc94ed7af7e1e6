/** Managed policies, the account's own and AWS's, and what they are attached to. */
import { noSuchEntity } from '@mallee/iam-api'
import { iamArn, parseIamArn } from '../../identity/arns.ts'
import { awsManagedPolicies, type AwsManagedPolicy } from '../../identity/aws-managed-policies.ts'
import type { PolicyTable } from '../identity-tables.ts'
import type { Reader, Tx } from '../record.ts'

/** One's own has a row; one of AWS's is a constant. */
export type ManagedPolicy =
  | { readonly arn: string; readonly own: PolicyTable }
  | { readonly arn: string; readonly own: null; readonly aws: AwsManagedPolicy }

/** By its ARN; null where the account has none such and AWS has not either. */
export async function findManagedPolicy(
  db: Reader,
  accountId: string,
  arn: string,
): Promise<ManagedPolicy | null> {
  const aws = awsManagedPolicies.get(arn)
  if (aws) return { arn, own: null, aws }
  const parsed = parseIamArn(arn)
  if (!parsed || parsed.type !== 'policy' || parsed.accountId !== accountId) return null
  const own = await db
    .selectFrom('iam_policy')
    .selectAll()
    .where('account_id', '=', accountId)
    .where('name', '=', parsed.name)
    .executeTakeFirst()
  return own?.path === parsed.path ? { arn, own } : null
}

export async function managedPolicyNamed(db: Reader, accountId: string, arn: string): Promise<ManagedPolicy> {
  const found = await findManagedPolicy(db, accountId, arn)
  if (!found) throw noSuchEntity(`Policy ${arn} was not found.`)
  return found
}

/** The text of the version that counts. */
export async function defaultDocument(db: Reader, policy: ManagedPolicy): Promise<string> {
  if (!policy.own) return policy.aws.document
  const row = await db
    .selectFrom('iam_policy_version')
    .select('document')
    .where('policy_id', '=', policy.own.id)
    .where('version', '=', policy.own.default_version)
    .executeTakeFirstOrThrow()
  return row.document
}

export const ownPolicyArn = (policy: PolicyTable): string => iamArn('policy', policy)

/** Ids of the users, groups and roles of an account to which a policy is attached. AWS's are everybody's. */
export async function ownersOf(
  db: Reader,
  table: 'iam_attachment' | 'iam_boundary',
  arn: string,
): Promise<string[]> {
  const rows = await db
    .selectFrom(table as 'iam_boundary')
    .select('owner_id')
    .where('policy_arn', '=', arn)
    .execute()
  return rows.map((row) => row.owner_id)
}

/** How often each policy is attached, or is a boundary, in an account. */
export async function usesByArn(
  db: Reader,
  table: 'iam_attachment' | 'iam_boundary',
  accountId: string,
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>()
  for (const owner of ['user', 'iam_group', 'iam_role'] as const) {
    const rows = await db
      .selectFrom(table as 'iam_boundary')
      .innerJoin(owner as 'iam_group', `${owner as 'iam_group'}.id`, `${table as 'iam_boundary'}.owner_id`)
      .select('policy_arn')
      .where(`${owner as 'iam_group'}.account_id`, '=', accountId)
      .execute()
    for (const { policy_arn: arn } of rows) counts.set(arn, (counts.get(arn) ?? 0) + 1)
  }
  return counts
}

export async function boundaryOf(db: Reader, ownerId: string): Promise<string | null> {
  const row = await db
    .selectFrom('iam_boundary')
    .select('policy_arn')
    .where('owner_id', '=', ownerId)
    .executeTakeFirst()
  return row?.policy_arn ?? null
}

/** Puts a policy of the account, or of AWS, as the most that the owner's own may allow. */
export async function setBoundary(
  tx: Tx,
  owner: { readonly id: string; readonly account_id: string },
  arn: string | undefined,
): Promise<void> {
  if (arn === undefined) return
  if (!(await findManagedPolicy(tx.db, owner.account_id, arn)))
    throw noSuchEntity(`Scope ARN: ${arn} does not exist or is not attachable.`)
  await removeBoundary(tx, owner.id)
  await tx.db.insertInto('iam_boundary').values({ owner_id: owner.id, policy_arn: arn }).execute()
}

export async function removeBoundary(tx: Tx, ownerId: string): Promise<boolean> {
  const removed = await tx.db.deleteFrom('iam_boundary').where('owner_id', '=', ownerId).executeTakeFirst()
  return removed.numDeletedRows > 0n
}
