/** Which instance profile an instance has: at most one. */
import { newId, type Random } from '@mallee/base'
import { invalidParameterValue } from '@mallee/ec2-api'
import { iamArn, parseIamArn } from '../identity/arns.ts'
import type { Wakes } from '../wakes.ts'
import type { InstanceProfileTable, ProfileAssociationTable } from './identity-tables.ts'
import type { Reader, Tx } from './record.ts'

/** An instance's profile as EC2 shows it. */
export interface ProfileOfInstance {
  readonly association: ProfileAssociationTable
  readonly profile: { readonly arn: string; readonly id: string; readonly roleId: string | null }
}

/** By instance; instances without one are left out. */
export async function profilesOf(
  db: Reader,
  instanceIds: readonly string[],
): Promise<Map<string, ProfileOfInstance>> {
  const found = new Map<string, ProfileOfInstance>()
  for (let start = 0; start < instanceIds.length; start += 500) {
    const rows = await db
      .selectFrom('iam_profile_association')
      .innerJoin('iam_instance_profile', 'iam_instance_profile.id', 'iam_profile_association.profile_id')
      .selectAll('iam_profile_association')
      .select(['iam_instance_profile.name', 'iam_instance_profile.path', 'iam_instance_profile.role_id'])
      .where('instance_id', 'in', instanceIds.slice(start, start + 500))
      .execute()
    for (const { name, path, role_id: roleId, ...association } of rows) {
      const arn = iamArn('instance-profile', { account_id: association.account_id, name, path })
      found.set(association.instance_id, {
        association,
        profile: { arn, id: association.profile_id, roleId },
      })
    }
  }
  return found
}

/** By its ARN or its name; throws InvalidParameterValue where the account has none such. */
export async function requireProfile(
  db: Reader,
  accountId: string,
  named: { readonly Arn?: string | undefined; readonly Name?: string | undefined },
): Promise<InstanceProfileTable> {
  if (named.Arn !== undefined && named.Name !== undefined)
    throw invalidParameterValue('An instance profile is named by its ARN or by its name, not by both.')
  const parsed = named.Arn === undefined ? null : parseIamArn(named.Arn)
  const isOurs = parsed?.type === 'instance-profile' && parsed.accountId === accountId
  const name = named.Arn === undefined ? named.Name : isOurs ? parsed.name : undefined
  const row =
    name === undefined
      ? undefined
      : await db
          .selectFrom('iam_instance_profile')
          .selectAll()
          .where('account_id', '=', accountId)
          .where('name', '=', name)
          .executeTakeFirst()
  if (row && (parsed === null || parsed.path === row.path)) return row
  throw named.Arn === undefined
    ? invalidParameterValue(
        `Value (${(named.Name ?? '').slice(0, 128)}) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name`,
      )
    : invalidParameterValue(
        `Value (${named.Arn.slice(0, 256)}) for parameter iamInstanceProfile.arn is invalid. Invalid IAM Instance Profile ARN`,
      )
}

export async function associateProfile(
  tx: Tx,
  wakes: Wakes,
  options: {
    readonly instanceId: string
    readonly profile: InstanceProfileTable
    readonly random: Random
    readonly nowMs: number
  },
): Promise<ProfileAssociationTable> {
  const { instanceId, profile, random, nowMs } = options
  const row: ProfileAssociationTable = {
    id: newId('profileAssociation', random),
    account_id: profile.account_id,
    instance_id: instanceId,
    profile_id: profile.id,
    state: 'associated',
    changed_at: nowMs,
  }
  await tx.db.insertInto('iam_profile_association').values(row).execute()
  tx.afterCommit(() => wakes.instance(instanceId))
  return row
}

/** Whatever profile an instance has, it has no more. */
export async function dropProfileOf(tx: Tx, instanceId: string): Promise<void> {
  await tx.db.deleteFrom('iam_profile_association').where('instance_id', '=', instanceId).execute()
}
