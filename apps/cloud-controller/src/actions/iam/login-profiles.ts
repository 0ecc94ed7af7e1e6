import {
  accessDenied,
  entityAlreadyExists,
  entityTemporarilyUnmodifiable,
  invalidUserType,
  noSuchEntity,
  passwordPolicyViolation,
  validationError,
  type Iam,
  type IamInput,
  type IamOutput,
} from '@mallee/iam-api'
import { isPasswordExpired, passwordFault, type PasswordPolicy } from '../../identity/password-policy.ts'
import { hashPassword, verifyPassword } from '../../identity/passwords.ts'
import { loginProfileOf, passwordPolicyOf } from '../../store/identity/login-store.ts'
import type { LoginProfileTable, UserTable } from '../../store/identity-tables.ts'
import type { Reader } from '../../store/record.ts'
import { shownName, userNamed, userOrRoot } from '../../store/user-store.ts'
import type { ActionContext, ActionTransaction } from '../define-action.ts'
import type { IamActions } from './iam-action.ts'

/** As many as a policy may forbid. */
const rememberedPasswords = 24

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateLoginProfile.html */
async function createLoginProfile(
  ctx: ActionContext,
  input: IamInput<'CreateLoginProfile'>,
): Promise<IamOutput<'CreateLoginProfile'>> {
  const password = input.Password
  if (password === undefined) throw validationError('The Password is needed.')
  await ctx.read(async (db) => {
    await withoutProfile(ctx, db, input.UserName)
    refuseFaulty(password, await passwordPolicyOf(db, ctx.caller.accountId), ctx.caller.accountName)
  })
  const hash = await hashPassword(password)
  return ctx.transaction(async (tx) => {
    const user = await withoutProfile(ctx, tx.db, input.UserName)
    const row: LoginProfileTable = {
      user_id: user.id,
      password_hash: hash,
      must_change: input.PasswordResetRequired ? 1 : 0,
      failures: 0,
      locked_until: null,
      created_at: ctx.nowMs,
      changed_at: ctx.nowMs,
      former: '[]',
    }
    await tx.db.insertInto('iam_login_profile').values(row).execute()
    tx.touch(user.id)
    return { LoginProfile: view(user, row) }
  })
}

async function withoutProfile(ctx: ActionContext, db: Reader, name: string | undefined): Promise<UserTable> {
  const user = await userOrRoot(db, ctx.caller, name)
  if (await loginProfileOf(db, user.id))
    throw entityAlreadyExists(`Login Profile for user ${shownName(user)} already exists.`)
  return user
}

function refuseFaulty(password: string, policy: PasswordPolicy | null, accountName: string): void {
  const fault = passwordFault(password, policy, accountName)
  if (fault) throw passwordPolicyViolation(`${fault}.`)
}

const view = (user: UserTable, row: LoginProfileTable): Iam.LoginProfile => ({
  UserName: shownName(user),
  CreateDate: new Date(row.created_at),
  PasswordResetRequired: row.must_change === 1,
})

async function profileNamed(db: Reader, user: UserTable): Promise<LoginProfileTable> {
  const row = await loginProfileOf(db, user.id)
  if (!row) throw noSuchEntity(`Login Profile for User ${shownName(user)} cannot be found.`)
  return row
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetLoginProfile.html */
function getLoginProfile(
  ctx: ActionContext,
  input: IamInput<'GetLoginProfile'>,
): Promise<IamOutput<'GetLoginProfile'>> {
  return ctx.read(async (db) => {
    const user = await userOrRoot(db, ctx.caller, input.UserName)
    return { LoginProfile: view(user, await profileNamed(db, user)) }
  })
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateLoginProfile.html */
async function updateLoginProfile(ctx: ActionContext, input: IamInput<'UpdateLoginProfile'>): Promise<void> {
  const password = input.Password
  const known = await ctx.read(async (db) => {
    const user = await userOrRoot(db, ctx.caller, input.UserName)
    return { user, row: await profileNamed(db, user), policy: await passwordPolicyOf(db, user.account_id) }
  })
  const hash = password === undefined ? null : await newHash(ctx, password, known)
  await ctx.transaction(async (tx) => {
    const row = await profileNamed(tx.db, known.user)
    if (hash !== null) await setPassword(ctx, tx, row, hash)
    if (input.PasswordResetRequired !== undefined)
      await tx.db
        .updateTable('iam_login_profile')
        .set({ must_change: input.PasswordResetRequired ? 1 : 0 })
        .where('user_id', '=', row.user_id)
        .execute()
    tx.touch(row.user_id)
  })
}

/** The hash of a password that the account's policy allows after those before it. */
async function newHash(
  ctx: ActionContext,
  password: string,
  known: { readonly row: LoginProfileTable; readonly policy: PasswordPolicy | null },
): Promise<string> {
  const { row, policy } = known
  refuseFaulty(password, policy, ctx.caller.accountName)
  const before = [row.password_hash, ...(JSON.parse(row.former) as string[])]
  for (const hash of before.slice(0, policy?.PasswordReusePrevention ?? 0))
    if (await verifyPassword(password, hash))
      throw passwordPolicyViolation('Password should not be one that was used before.')
  return hashPassword(password)
}

/** A new password ends a lock-out, and is nobody's to change again unless that is asked. */
async function setPassword(
  ctx: ActionContext,
  tx: ActionTransaction,
  row: LoginProfileTable,
  hash: string,
): Promise<void> {
  const former = [row.password_hash, ...(JSON.parse(row.former) as string[])].slice(0, rememberedPasswords)
  await tx.db
    .updateTable('iam_login_profile')
    .set({
      password_hash: hash,
      former: JSON.stringify(former),
      failures: 0,
      locked_until: null,
      changed_at: ctx.nowMs,
    })
    .where('user_id', '=', row.user_id)
    .execute()
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteLoginProfile.html */
async function deleteLoginProfile(ctx: ActionContext, input: IamInput<'DeleteLoginProfile'>): Promise<void> {
  await ctx.transaction(async (tx) => {
    const user = await userOrRoot(tx.db, ctx.caller, input.UserName)
    await profileNamed(tx.db, user)
    await tx.db.deleteFrom('iam_login_profile').where('user_id', '=', user.id).execute()
    tx.touch(user.id)
  })
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_ChangePassword.html */
async function changePassword(ctx: ActionContext, input: IamInput<'ChangePassword'>): Promise<void> {
  const known = await ctx.read(async (db) => {
    const user = await self(ctx, db)
    return { row: await profileNamed(db, user), policy: await passwordPolicyOf(db, user.account_id) }
  })
  const { row, policy } = known
  if (policy?.HardExpiry && isPasswordExpired(policy, row.changed_at, ctx.nowMs))
    throw accessDenied('The password has expired, and only an administrator can set a new one.')
  if (!(await verifyPassword(input.OldPassword, row.password_hash)))
    throw accessDenied('The old password was incorrect.')
  const hash = await newHash(ctx, input.NewPassword, known)
  await ctx.transaction(async (tx) => {
    const now = await profileNamed(tx.db, await self(ctx, tx.db))
    // The old one was proven of that which was read.
    if (now.password_hash !== row.password_hash)
      throw entityTemporarilyUnmodifiable('The password was changed meanwhile. Please try again.')
    await setPassword(ctx, tx, now, hash)
    await tx.db
      .updateTable('iam_login_profile')
      .set({ must_change: 0 })
      .where('user_id', '=', now.user_id)
      .execute()
    tx.touch(now.user_id)
  })
}

/** The IAM user that asks; a root's password is not changed so. */
async function self(ctx: ActionContext, db: Reader): Promise<UserTable> {
  const user = await userOrRoot(db, ctx.caller, undefined)
  if (user.is_root === 1) throw invalidUserType('Only an IAM user can change its own password.')
  return userNamed(db, user.account_id, user.name)
}

export const loginProfileActions = {
  CreateLoginProfile: createLoginProfile,
  GetLoginProfile: getLoginProfile,
  UpdateLoginProfile: updateLoginProfile,
  DeleteLoginProfile: deleteLoginProfile,
  ChangePassword: changePassword,
} satisfies IamActions
