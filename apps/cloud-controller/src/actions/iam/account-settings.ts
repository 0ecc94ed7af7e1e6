/** What is the account's own: its alias and what it demands of passwords. */
import {
  entityAlreadyExists,
  noSuchEntity,
  validationError,
  type IamInput,
  type IamOutput,
} from '@mallee/iam-api'
import { emptyPasswordPolicy, type PasswordPolicy } from '../../identity/password-policy.ts'
import { passwordPolicyOf } from '../../store/identity/login-store.ts'
import type { ActionContext } from '../define-action.ts'
import { changed, markerPage, type IamActions } from './iam-action.ts'

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateAccountAlias.html: it takes the place of one before. */
async function createAccountAlias(ctx: ActionContext, input: IamInput<'CreateAccountAlias'>): Promise<void> {
  const { AccountAlias: alias } = input
  if (/^\d{12}$/.test(alias)) throw validationError('An alias cannot be written as the id of an account.')
  await ctx.transaction(async (tx) => {
    const { accountId } = ctx.caller
    const named = await tx.db.selectFrom('account').select('id').where('name', '=', alias).executeTakeFirst()
    const taken = await tx.db
      .selectFrom('iam_account_alias')
      .select('account_id')
      .where('alias', '=', alias)
      .executeTakeFirst()
    if ((named && named.id !== accountId) || (taken && taken.account_id !== accountId))
      throw entityAlreadyExists(`The account alias ${alias} already exists.`)
    await tx.db
      .insertInto('iam_account_alias')
      .values({ account_id: accountId, alias })
      .onConflict((conflict) => conflict.column('account_id').doUpdateSet({ alias }))
      .execute()
    changed(ctx, tx, accountId)
  })
}

async function deleteAccountAlias(ctx: ActionContext, input: IamInput<'DeleteAccountAlias'>): Promise<void> {
  await ctx.transaction(async (tx) => {
    const removed = await tx.db
      .deleteFrom('iam_account_alias')
      .where('account_id', '=', ctx.caller.accountId)
      .where('alias', '=', input.AccountAlias)
      .executeTakeFirst()
    if (removed.numDeletedRows === 0n)
      throw noSuchEntity(`The account alias ${input.AccountAlias} cannot be found.`)
    changed(ctx, tx, ctx.caller.accountId)
  })
}

function listAccountAliases(
  ctx: ActionContext,
  input: IamInput<'ListAccountAliases'>,
): Promise<IamOutput<'ListAccountAliases'>> {
  return ctx.read(async (db) => {
    const rows = await db
      .selectFrom('iam_account_alias')
      .select('alias')
      .where('account_id', '=', ctx.caller.accountId)
      .execute()
    const { items, rest } = markerPage(ctx, rows, input, (row) => row.alias)
    return { AccountAliases: items.map((row) => row.alias), ...rest }
  })
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAccountPasswordPolicy.html: what is not named is as nobody said. */
async function updatePasswordPolicy(
  ctx: ActionContext,
  input: IamInput<'UpdateAccountPasswordPolicy'>,
): Promise<void> {
  const given = Object.entries(input).filter(([, value]) => value !== undefined)
  const policy: PasswordPolicy = { ...emptyPasswordPolicy, ...Object.fromEntries(given) }
  const body = JSON.stringify(policy)
  await ctx.transaction(async (tx) => {
    await tx.db
      .insertInto('iam_password_policy')
      .values({ account_id: ctx.caller.accountId, body })
      .onConflict((conflict) => conflict.column('account_id').doUpdateSet({ body }))
      .execute()
    tx.touch(ctx.caller.accountId)
  })
}

const noPolicy = (accountId: string) =>
  noSuchEntity(`The Password Policy with domain name ${accountId} cannot be found.`)

function getPasswordPolicy(ctx: ActionContext): Promise<IamOutput<'GetAccountPasswordPolicy'>> {
  return ctx.read(async (db) => {
    const policy = await passwordPolicyOf(db, ctx.caller.accountId)
    if (!policy) throw noPolicy(ctx.caller.accountId)
    const { MaxPasswordAge: age, PasswordReusePrevention: reuse, ...rest } = policy
    return {
      PasswordPolicy: {
        ...rest,
        ExpirePasswords: age > 0,
        ...(age > 0 ? { MaxPasswordAge: age } : {}),
        ...(reuse > 0 ? { PasswordReusePrevention: reuse } : {}),
      },
    }
  })
}

async function deletePasswordPolicy(ctx: ActionContext): Promise<void> {
  await ctx.transaction(async (tx) => {
    const removed = await tx.db
      .deleteFrom('iam_password_policy')
      .where('account_id', '=', ctx.caller.accountId)
      .executeTakeFirst()
    if (removed.numDeletedRows === 0n) throw noPolicy(ctx.caller.accountId)
    tx.touch(ctx.caller.accountId)
  })
}

export const accountSettingActions = {
  CreateAccountAlias: createAccountAlias,
  DeleteAccountAlias: deleteAccountAlias,
  ListAccountAliases: listAccountAliases,
  UpdateAccountPasswordPolicy: updatePasswordPolicy,
  GetAccountPasswordPolicy: getPasswordPolicy,
  DeleteAccountPasswordPolicy: deletePasswordPolicy,
} satisfies IamActions
