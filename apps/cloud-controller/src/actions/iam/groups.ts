import { newToken } from '@mallee/base'
import {
  deleteConflict,
  entityAlreadyExists,
  limitExceeded,
  type IamInput,
  type IamOutput,
} from '@mallee/iam-api'
import { iamQuotas } from '../../identity/iam-quotas.ts'
import { requireRoom } from '../../store/identity/account-quotas.ts'
import { deleteGroupRows } from '../../store/identity/delete-identities.ts'
import { groupNamed, hasAttachments, hasInlinePolicies } from '../../store/identity/holder-store.ts'
import type { GroupTable, UserTable } from '../../store/identity-tables.ts'
import type { Reader } from '../../store/record.ts'
import { isNameTaken, userNamed } from '../../store/user-store.ts'
import { groupView, userView } from '../../views/identity-views.ts'
import type { ActionContext } from '../define-action.ts'
import { changed, markerPage, type IamActions } from './iam-action.ts'

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateGroup.html */
function createGroup(ctx: ActionContext, input: IamInput<'CreateGroup'>): Promise<IamOutput<'CreateGroup'>> {
  return ctx.transaction(async (tx) => {
    const { accountId } = ctx.caller
    await refuseTaken(tx.db, accountId, input.GroupName)
    await requireRoom(tx.db, accountId, 'iam_group')
    const group: GroupTable = {
      id: newToken('AGPA', 17, ctx.random),
      account_id: accountId,
      name: input.GroupName,
      path: input.Path ?? '/',
      created_at: ctx.nowMs,
    }
    await tx.db.insertInto('iam_group').values(group).execute()
    changed(ctx, tx, group.id)
    return { Group: groupView(group) }
  })
}

async function refuseTaken(db: Reader, accountId: string, name: string): Promise<void> {
  if (await isNameTaken(db, 'iam_group', accountId, name))
    throw entityAlreadyExists(`Group with name ${name} already exists.`)
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetGroup.html */
function getGroup(ctx: ActionContext, input: IamInput<'GetGroup'>): Promise<IamOutput<'GetGroup'>> {
  return ctx.read(async (db) => {
    const group = await groupNamed(db, ctx.caller.accountId, input.GroupName)
    const { items, rest } = markerPage(ctx, await membersOf(db, group.id), input, (row) => row.name)
    return { Group: groupView(group), Users: items.map((row) => userView(row)), ...rest }
  })
}

function membersOf(db: Reader, groupId: string): Promise<UserTable[]> {
  return db
    .selectFrom('iam_group_member')
    .innerJoin('user', 'user.id', 'iam_group_member.user_id')
    .selectAll('user')
    .where('group_id', '=', groupId)
    .execute()
}

/** The groups that a user is in. */
export function groupsOf(db: Reader, userId: string): Promise<GroupTable[]> {
  return db
    .selectFrom('iam_group_member')
    .innerJoin('iam_group', 'iam_group.id', 'iam_group_member.group_id')
    .selectAll('iam_group')
    .where('user_id', '=', userId)
    .orderBy('iam_group.name')
    .execute()
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListGroups.html */
function listGroups(ctx: ActionContext, input: IamInput<'ListGroups'>): Promise<IamOutput<'ListGroups'>> {
  return ctx.read(async (db) => {
    const rows = await db
      .selectFrom('iam_group')
      .selectAll()
      .where('account_id', '=', ctx.caller.accountId)
      .execute()
    const inPath = rows.filter((row) => row.path.startsWith(input.PathPrefix ?? '/'))
    const { items, rest } = markerPage(ctx, inPath, input, (row) => row.name)
    return { Groups: items.map(groupView), ...rest }
  })
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListGroupsForUser.html */
function listGroupsForUser(
  ctx: ActionContext,
  input: IamInput<'ListGroupsForUser'>,
): Promise<IamOutput<'ListGroupsForUser'>> {
  return ctx.read(async (db) => {
    const user = await userNamed(db, ctx.caller.accountId, input.UserName)
    const { items, rest } = markerPage(ctx, await groupsOf(db, user.id), input, (row) => row.name)
    return { Groups: items.map(groupView), ...rest }
  })
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateGroup.html */
async function updateGroup(ctx: ActionContext, input: IamInput<'UpdateGroup'>): Promise<void> {
  await ctx.transaction(async (tx) => {
    const group = await groupNamed(tx.db, ctx.caller.accountId, input.GroupName)
    const name = input.NewGroupName ?? group.name
    if (name.toLowerCase() !== group.name.toLowerCase()) await refuseTaken(tx.db, group.account_id, name)
    const path = input.NewPath ?? group.path
    await tx.db.updateTable('iam_group').set({ name, path }).where('id', '=', group.id).execute()
    changed(ctx, tx, group.id)
  })
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteGroup.html */
async function deleteGroup(ctx: ActionContext, input: IamInput<'DeleteGroup'>): Promise<void> {
  await ctx.transaction(async (tx) => {
    const group = await groupNamed(tx.db, ctx.caller.accountId, input.GroupName)
    const left = async () => {
      if ((await membersOf(tx.db, group.id)).length > 0) return 'remove users from group'
      if (await hasInlinePolicies(tx.db, group.id)) return 'delete policies'
      return (await hasAttachments(tx.db, group.id)) ? 'detach all policies' : null
    }
    const what = await left()
    if (what) throw deleteConflict(`Cannot delete entity, must ${what} first.`)
    await deleteGroupRows(tx, group.id)
    changed(ctx, tx, group.id)
  })
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_AddUserToGroup.html */
async function addUserToGroup(ctx: ActionContext, input: IamInput<'AddUserToGroup'>): Promise<void> {
  await ctx.transaction(async (tx) => {
    const group = await groupNamed(tx.db, ctx.caller.accountId, input.GroupName)
    const user = await userNamed(tx.db, ctx.caller.accountId, input.UserName)
    changed(ctx, tx, group.id, user.id)
    const groups = await groupsOf(tx.db, user.id)
    // Whoever is in it is so after the call as well: AWS answers success.
    if (groups.some(({ id }) => id === group.id)) return
    if (groups.length >= iamQuotas.groupsPerUser)
      throw limitExceeded(`Cannot exceed quota for GroupsPerUser: ${iamQuotas.groupsPerUser}`)
    await tx.db.insertInto('iam_group_member').values({ group_id: group.id, user_id: user.id }).execute()
  })
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_RemoveUserFromGroup.html */
async function removeUserFromGroup(
  ctx: ActionContext,
  input: IamInput<'RemoveUserFromGroup'>,
): Promise<void> {
  await ctx.transaction(async (tx) => {
    const group = await groupNamed(tx.db, ctx.caller.accountId, input.GroupName)
    const user = await userNamed(tx.db, ctx.caller.accountId, input.UserName)
    await tx.db
      .deleteFrom('iam_group_member')
      .where('group_id', '=', group.id)
      .where('user_id', '=', user.id)
      .execute()
    changed(ctx, tx, group.id, user.id)
  })
}

export const groupActions = {
  CreateGroup: createGroup,
  GetGroup: getGroup,
  ListGroups: listGroups,
  ListGroupsForUser: listGroupsForUser,
  UpdateGroup: updateGroup,
  DeleteGroup: deleteGroup,
  AddUserToGroup: addUserToGroup,
  RemoveUserFromGroup: removeUserFromGroup,
} satisfies IamActions
