/** Rows of users, groups, roles and policies with all that hangs on them and on nothing else. */
import type { Tx } from '../record.ts'
import { removeTags } from './identity-tag-store.ts'

/** Whatever it still has goes with it: whether it may have anything is asked before. */
export async function deleteUserRows({ db, ...tx }: Tx, userId: string): Promise<void> {
  for (const table of ['access_key', 'signing_certificate', 'iam_login_profile', 'iam_group_member'] as const)
    await db
      .deleteFrom(table as 'access_key')
      .where('user_id', '=', userId)
      .execute()
  await db
    .updateTable('iam_mfa_device')
    .set({ user_id: null, enabled_at: null })
    .where('user_id', '=', userId)
    .execute()
  await deleteHoldings({ ...tx, db }, userId)
  await db.deleteFrom('user').where('id', '=', userId).execute()
}

export async function deleteGroupRows(tx: Tx, groupId: string): Promise<void> {
  await tx.db.deleteFrom('iam_group_member').where('group_id', '=', groupId).execute()
  await deleteHoldings(tx, groupId)
  await tx.db.deleteFrom('iam_group').where('id', '=', groupId).execute()
}

export async function deleteRoleRows(tx: Tx, roleId: string): Promise<void> {
  await tx.db
    .updateTable('iam_instance_profile')
    .set({ role_id: null })
    .where('role_id', '=', roleId)
    .execute()
  await deleteHoldings(tx, roleId)
  await tx.db.deleteFrom('iam_role').where('id', '=', roleId).execute()
}

export async function deletePolicyRows(tx: Tx, policyId: string): Promise<void> {
  await removeTags(tx, policyId, null)
  await tx.db.deleteFrom('iam_policy_version').where('policy_id', '=', policyId).execute()
  await tx.db.deleteFrom('iam_policy').where('id', '=', policyId).execute()
}

/** Policies, boundary and tags of a user, a group or a role. */
async function deleteHoldings(tx: Tx, ownerId: string): Promise<void> {
  for (const table of ['iam_inline_policy', 'iam_attachment', 'iam_boundary', 'iam_tag'] as const)
    await tx.db
      .deleteFrom(table as 'iam_tag')
      .where('owner_id', '=', ownerId)
      .execute()
}
