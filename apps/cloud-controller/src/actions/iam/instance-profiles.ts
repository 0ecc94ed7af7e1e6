import { newToken } from '@mallee/base'
import {
  deleteConflict,
  entityAlreadyExists,
  limitExceeded,
  noSuchEntity,
  type IamInput,
  type IamOutput,
} from '@mallee/iam-api'
import { roleNamed } from '../../store/identity/holder-store.ts'
import { requireRoom } from '../../store/identity/account-quotas.ts'
import { putTags, removeTags, tagsOf } from '../../store/identity/identity-tag-store.ts'
import { instanceProfileNamed } from '../../store/identity/instance-profile-store.ts'
import type { InstanceProfileTable, RoleTable } from '../../store/identity-tables.ts'
import type { Reader } from '../../store/record.ts'
import { isNameTaken } from '../../store/user-store.ts'
import { instanceProfileView } from '../../views/identity-views.ts'
import type { ActionContext, ActionTransaction } from '../define-action.ts'
import { changed, markerPage, type IamActions, type MarkerInput } from './iam-action.ts'

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateInstanceProfile.html */
function createInstanceProfile(
  ctx: ActionContext,
  input: IamInput<'CreateInstanceProfile'>,
): Promise<IamOutput<'CreateInstanceProfile'>> {
  return ctx.transaction(async (tx) => {
    const { accountId } = ctx.caller
    const name = input.InstanceProfileName
    if (await isNameTaken(tx.db, 'iam_instance_profile', accountId, name))
      throw entityAlreadyExists(`Instance Profile ${name} already exists.`)
    await requireRoom(tx.db, accountId, 'iam_instance_profile')
    const profile: InstanceProfileTable = {
      id: newToken('AIPA', 17, ctx.random),
      account_id: accountId,
      name,
      path: input.Path ?? '/',
      role_id: null,
      created_at: ctx.nowMs,
    }
    await tx.db.insertInto('iam_instance_profile').values(profile).execute()
    await putTags(tx, profile.id, input.Tags, 'InstanceProfile')
    changed(ctx, tx, profile.id)
    return { InstanceProfile: instanceProfileView(profile, undefined, input.Tags) }
  })
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetInstanceProfile.html */
function getInstanceProfile(
  ctx: ActionContext,
  input: IamInput<'GetInstanceProfile'>,
): Promise<IamOutput<'GetInstanceProfile'>> {
  return ctx.read(async (db) => {
    const profile = await instanceProfileNamed(db, ctx.caller.accountId, input.InstanceProfileName)
    const roles = await rolesOf(db, profile.account_id)
    const tags = await tagsOf(db, profile.id)
    return { InstanceProfile: instanceProfileView(profile, roles.get(profile.role_id ?? ''), tags) }
  })
}

/** The roles of an account by their ids. */
export async function rolesOf(db: Reader, accountId: string): Promise<ReadonlyMap<string, RoleTable>> {
  const rows = await db.selectFrom('iam_role').selectAll().where('account_id', '=', accountId).execute()
  return new Map(rows.map((row) => [row.id, row]))
}

async function list(
  ctx: ActionContext,
  input: MarkerInput,
  isMeant: (profile: InstanceProfileTable) => boolean,
) {
  return ctx.read(async (db) => {
    const { accountId } = ctx.caller
    const rows = await db
      .selectFrom('iam_instance_profile')
      .selectAll()
      .where('account_id', '=', accountId)
      .execute()
    const roles = await rolesOf(db, accountId)
    const { items, rest } = markerPage(ctx, rows.filter(isMeant), input, (row) => row.name)
    return {
      InstanceProfiles: items.map((row) => instanceProfileView(row, roles.get(row.role_id ?? ''))),
      ...rest,
    }
  })
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteInstanceProfile.html */
async function deleteInstanceProfile(
  ctx: ActionContext,
  input: IamInput<'DeleteInstanceProfile'>,
): Promise<void> {
  await ctx.transaction(async (tx) => {
    const profile = await instanceProfileNamed(tx.db, ctx.caller.accountId, input.InstanceProfileName)
    if (profile.role_id !== null)
      throw deleteConflict('Cannot delete entity, must remove roles from instance profile first.')
    // AWS deletes one that instances have, whose credentials end then.
    await tx.db.deleteFrom('iam_profile_association').where('profile_id', '=', profile.id).execute()
    await removeTags(tx, profile.id, null)
    await tx.db.deleteFrom('iam_instance_profile').where('id', '=', profile.id).execute()
    changed(ctx, tx, profile.id)
  })
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_AddRoleToInstanceProfile.html */
async function addRole(ctx: ActionContext, input: IamInput<'AddRoleToInstanceProfile'>): Promise<void> {
  await ctx.transaction(async (tx) => {
    const profile = await instanceProfileNamed(tx.db, ctx.caller.accountId, input.InstanceProfileName)
    const role = await roleNamed(tx.db, ctx.caller.accountId, input.RoleName)
    if (profile.role_id !== null)
      throw limitExceeded('Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1')
    await setRole(ctx, tx, profile, role.id)
  })
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_RemoveRoleFromInstanceProfile.html */
async function removeRole(
  ctx: ActionContext,
  input: IamInput<'RemoveRoleFromInstanceProfile'>,
): Promise<void> {
  await ctx.transaction(async (tx) => {
    const profile = await instanceProfileNamed(tx.db, ctx.caller.accountId, input.InstanceProfileName)
    const role = await roleNamed(tx.db, ctx.caller.accountId, input.RoleName)
    if (profile.role_id !== role.id)
      throw noSuchEntity(`Role ${role.name} in instance profile ${profile.name} cannot be found.`)
    await setRole(ctx, tx, profile, null)
  })
}

async function setRole(
  ctx: ActionContext,
  tx: ActionTransaction,
  profile: InstanceProfileTable,
  roleId: string | null,
): Promise<void> {
  await tx.db
    .updateTable('iam_instance_profile')
    .set({ role_id: roleId })
    .where('id', '=', profile.id)
    .execute()
  changed(ctx, tx, profile.id, ...(roleId === null ? [] : [roleId]))
}

export const instanceProfileActions = {
  CreateInstanceProfile: createInstanceProfile,
  GetInstanceProfile: getInstanceProfile,
  ListInstanceProfiles: (ctx, input) =>
    list(ctx, input, (profile) => profile.path.startsWith(input.PathPrefix ?? '/')),
  ListInstanceProfilesForRole: async (ctx, input) => {
    const role = await ctx.read((db) => roleNamed(db, ctx.caller.accountId, input.RoleName))
    return list(ctx, input, (profile) => profile.role_id === role.id)
  },
  DeleteInstanceProfile: deleteInstanceProfile,
  AddRoleToInstanceProfile: addRole,
  RemoveRoleFromInstanceProfile: removeRole,
} satisfies IamActions
