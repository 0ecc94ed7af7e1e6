import { deleteConflict, entityAlreadyExists, type IamInput, type IamOutput } from '@mallee/iam-api'
import { newToken } from '@mallee/base'
import { boundaryOf, setBoundary } from '../../store/identity/managed-policy-store.ts'
import { hasAttachments, hasInlinePolicies } from '../../store/identity/holder-store.ts'
import { requireRoom } from '../../store/identity/account-quotas.ts'
import { putTags, tagsOf } from '../../store/identity/identity-tag-store.ts'
import { iamArn } from '../../identity/arns.ts'
import { deleteUserRows } from '../../store/identity/delete-identities.ts'
import { replaceTrusted } from '../../store/identity/trusted-principals.ts'
import type { UserTable } from '../../store/identity-tables.ts'
import type { Reader } from '../../store/record.ts'
import { isNameTaken, userNamed, userOrRoot } from '../../store/user-store.ts'
import { rootView, userView } from '../../views/identity-views.ts'
import type { ActionContext } from '../define-action.ts'
import { changed, markerPage, type IamActions } from './iam-action.ts'

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateUser.html */
function createUser(ctx: ActionContext, input: IamInput<'CreateUser'>): Promise<IamOutput<'CreateUser'>> {
  return ctx.transaction(async (tx) => {
    const { accountId } = ctx.caller
    await refuseTaken(tx.db, accountId, input.UserName)
    await requireRoom(tx.db, accountId, 'user')
    const user: UserTable = {
      id: newToken('AIDA', 17, ctx.random),
      account_id: accountId,
      name: input.UserName,
      path: input.Path ?? '/',
      is_root: 0,
      password_used_at: null,
      info: null,
      created_at: ctx.nowMs,
    }
    await tx.db.insertInto('user').values(user).execute()
    await putTags(tx, user.id, input.Tags, 'User')
    await setBoundary(tx, user, input.PermissionsBoundary)
    changed(ctx, tx, user.id)
    return { User: userView(user, { tags: input.Tags, boundary: input.PermissionsBoundary }) }
  })
}

async function refuseTaken(db: Reader, accountId: string, name: string): Promise<void> {
  if (await isNameTaken(db, 'user', accountId, name))
    throw entityAlreadyExists(`User with name ${name} already exists.`)
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetUser.html */
function getUser(ctx: ActionContext, input: IamInput<'GetUser'>): Promise<IamOutput<'GetUser'>> {
  return ctx.read(async (db) => {
    const user = await userOrRoot(db, ctx.caller, input.UserName)
    if (user.is_root === 1) return { User: rootView(user, input.UserName) }
    const further = { tags: await tagsOf(db, user.id), boundary: await boundaryOf(db, user.id) }
    return { User: userView(user, further) }
  })
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListUsers.html */
function listUsers(ctx: ActionContext, input: IamInput<'ListUsers'>): Promise<IamOutput<'ListUsers'>> {
  return ctx.read(async (db) => {
    const rows = await db
      .selectFrom('user')
      .selectAll()
      .where('account_id', '=', ctx.caller.accountId)
      .where('is_root', '=', 0)
      .execute()
    const inPath = rows.filter((row) => row.path.startsWith(input.PathPrefix ?? '/'))
    const { items, rest } = markerPage(ctx, inPath, input, (row) => row.name)
    return { Users: items.map((row) => userView(row)), ...rest }
  })
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateUser.html */
async function updateUser(ctx: ActionContext, input: IamInput<'UpdateUser'>): Promise<void> {
  await ctx.transaction(async (tx) => {
    const user = await userNamed(tx.db, ctx.caller.accountId, input.UserName)
    const name = input.NewUserName ?? user.name
    if (name.toLowerCase() !== user.name.toLowerCase()) await refuseTaken(tx.db, user.account_id, name)
    const path = input.NewPath ?? user.path
    await tx.db.updateTable('user').set({ name, path }).where('id', '=', user.id).execute()
    await replaceTrusted(tx, iamArn('user', user), iamArn('user', { ...user, name, path }))
    changed(ctx, tx, user.id)
  })
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteUser.html */
async function deleteUser(ctx: ActionContext, input: IamInput<'DeleteUser'>): Promise<void> {
  await ctx.transaction(async (tx) => {
    const user = await userNamed(tx.db, ctx.caller.accountId, input.UserName)
    const left = await leftOf(tx.db, user.id)
    if (left) throw deleteConflict(`Cannot delete entity, must ${left} first.`)
    await deleteUserRows(tx, user.id)
    await replaceTrusted(tx, iamArn('user', user), user.id)
    changed(ctx, tx, user.id)
  })
}

/** The first thing that a user has and must lose before it is deleted; null where there is none. */
async function leftOf(db: Reader, userId: string): Promise<string | null> {
  const owned = [
    ['access_key', 'delete access keys'],
    ['signing_certificate', 'delete signing certificates'],
    ['iam_login_profile', 'delete login profile'],
    ['iam_mfa_device', 'deactivate MFA device'],
    ['iam_group_member', 'remove users from group'],
  ] as const
  for (const [table, what] of owned) {
    const row = await db
      .selectFrom(table as 'access_key')
      .select('user_id')
      .where('user_id', '=', userId)
      .executeTakeFirst()
    if (row) return what
  }
  if (await hasInlinePolicies(db, userId)) return 'delete policies'
  return (await hasAttachments(db, userId)) ? 'detach all policies' : null
}

export const userActions = {
  CreateUser: createUser,
  GetUser: getUser,
  ListUsers: listUsers,
  UpdateUser: updateUser,
  DeleteUser: deleteUser,
} satisfies IamActions
