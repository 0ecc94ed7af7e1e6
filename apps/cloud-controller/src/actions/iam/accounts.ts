/** Eucalyptus' calls about accounts, which only the cloud's administrators may make. */
import { newToken } from '@mallee/base'
import {
  accessDenied,
  deleteConflict,
  entityAlreadyExists,
  noSuchEntity,
  validationError,
  type EucalyptusIamOperations,
} from '@mallee/iam-api'
import { accountNamed, createAccount, isAlias } from '../../store/account-store.ts'
import { deleteAccountRows, identitiesLeft, resourcesLeft } from '../../store/identity/delete-account.ts'
import type { Reader } from '../../store/record.ts'
import type { AccountTable } from '../../store/tables.ts'
import { encodedDocument } from '../../views/identity-views.ts'
import type { ActionContext } from '../define-action.ts'
import { changed, checkHeldDocument, markerPage, policySize } from './iam-action.ts'

type Input<N extends keyof EucalyptusIamOperations> = EucalyptusIamOperations[N]['input']
type Output<N extends keyof EucalyptusIamOperations> = Promise<EucalyptusIamOperations[N]['output']>
export type EucalyptusIamAction<N extends keyof EucalyptusIamOperations> = (
  ctx: ActionContext,
  input: Input<N>,
) => Output<N>

/** Of one policy, in characters without white space. */
const mostCharacters = 16_384

export function requireCloudAdmin({ caller, action }: ActionContext): void {
  if (!caller.isCloudAdmin)
    throw accessDenied(`Only administrators of the cloud are authorized to perform: iam:${action}`)
}

const accountView = (account: Pick<AccountTable, 'id' | 'name' | 'created_at'>) => ({
  AccountName: account.name,
  AccountId: account.id,
  CreateDate: new Date(account.created_at),
})

function makeAccount(ctx: ActionContext, input: Input<'CreateAccount'>): Output<'CreateAccount'> {
  requireCloudAdmin(ctx)
  // An id could not be told from a name.
  if (input.AccountName !== undefined && /^\d{12}$/.test(input.AccountName))
    throw validationError('An account cannot be called as an id of an account is written.')
  return ctx.transaction(async (tx) => {
    const { availabilityZones: zones } = ctx.settings
    const name = input.AccountName ?? newToken('account-', 12, ctx.random).toLowerCase()
    // Accounts are found by their names and by their aliases: one text leads to one account.
    if (await isAlias(tx.db, name)) throw entityAlreadyExists(`There is an account with the alias ${name}.`)
    const made = await createAccount(tx, ctx.wakes, { ...ctx, name, email: null, zones })
    // Its root's keys are made by whoever asks for them: a secret that nobody was told would be one for ever.
    await tx.db.deleteFrom('access_key').where('id', '=', made.accessKeyId).execute()
    changed(ctx, tx, made.accountId)
    return { Account: accountView({ id: made.accountId, name, created_at: ctx.nowMs }) }
  })
}

function listAccounts(ctx: ActionContext): Output<'ListAccounts'> {
  requireCloudAdmin(ctx)
  return ctx.read(async (db) => {
    const rows = await db.selectFrom('account').selectAll().orderBy('name').execute()
    return { Accounts: rows.map(accountView) }
  })
}

/** Resources keep an account whatever is asked; users, groups, roles and policies go with it when `Recursive` says so. */
async function deleteAccount(ctx: ActionContext, input: Input<'DeleteAccount'>): Output<'DeleteAccount'> {
  requireCloudAdmin(ctx)
  await ctx.transaction(async (tx) => {
    const account = await accountNamed(tx.db, input.AccountName)
    if (account.name === ctx.settings.adminAccountName)
      throw accessDenied("The administrators' own account cannot be deleted.")
    const left = [
      ...(await resourcesLeft(tx.db, account.id)),
      ...(input.Recursive ? [] : await identitiesLeft(tx.db, account.id)),
    ]
    if (left.length > 0)
      throw deleteConflict(`Cannot delete the account ${account.name}: it still has ${left.join(', ')}.`)
    await deleteAccountRows(tx, account, ctx.nowMs)
    changed(ctx, tx, account.id)
  })
}

async function putAccountPolicy(
  ctx: ActionContext,
  input: Input<'PutAccountPolicy'>,
): Output<'PutAccountPolicy'> {
  requireCloudAdmin(ctx)
  const { PolicyName: name, PolicyDocument: document } = input
  checkHeldDocument(document, 'account')
  if (policySize(document) > mostCharacters)
    throw validationError(`A policy of an account has ${mostCharacters} characters at most.`)
  await ctx.transaction(async (tx) => {
    const account = await accountNamed(tx.db, input.AccountName)
    await tx.db
      .insertInto('iam_inline_policy')
      .values({ owner_id: account.id, name, document })
      .onConflict((conflict) => conflict.columns(['owner_id', 'name']).doUpdateSet({ document }))
      .execute()
    changed(ctx, tx, account.id)
  })
}

function getAccountPolicy(ctx: ActionContext, input: Input<'GetAccountPolicy'>): Output<'GetAccountPolicy'> {
  requireCloudAdmin(ctx)
  return ctx.read(async (db) => {
    const account = await accountNamed(db, input.AccountName)
    const found = (await policiesOf(db, account.id)).find((row) => row.name === input.PolicyName)
    if (!found) throw noSuchPolicy(input.PolicyName)
    return {
      AccountName: account.name,
      PolicyName: found.name,
      PolicyDocument: encodedDocument(found.document),
    }
  })
}

const noSuchPolicy = (name: string) => noSuchEntity(`The account policy with name ${name} cannot be found.`)

function policiesOf(db: Reader, accountId: string) {
  return db.selectFrom('iam_inline_policy').selectAll().where('owner_id', '=', accountId).execute()
}

async function deleteAccountPolicy(
  ctx: ActionContext,
  input: Input<'DeleteAccountPolicy'>,
): Output<'DeleteAccountPolicy'> {
  requireCloudAdmin(ctx)
  await ctx.transaction(async (tx) => {
    const account = await accountNamed(tx.db, input.AccountName)
    const removed = await tx.db
      .deleteFrom('iam_inline_policy')
      .where('owner_id', '=', account.id)
      .where('name', '=', input.PolicyName)
      .executeTakeFirst()
    if (removed.numDeletedRows === 0n) throw noSuchPolicy(input.PolicyName)
    changed(ctx, tx, account.id)
  })
}

function listAccountPolicies(
  ctx: ActionContext,
  input: Input<'ListAccountPolicies'>,
): Output<'ListAccountPolicies'> {
  requireCloudAdmin(ctx)
  return ctx.read(async (db) => {
    const account = await accountNamed(db, input.AccountName)
    const rows = await policiesOf(db, account.id)
    const { items, rest } = markerPage(ctx, rows, input, (row) => row.name)
    return { PolicyNames: items.map((row) => row.name), ...rest }
  })
}

export const accountActions = {
  CreateAccount: makeAccount,
  ListAccounts: listAccounts,
  DeleteAccount: deleteAccount,
  PutAccountPolicy: putAccountPolicy,
  GetAccountPolicy: getAccountPolicy,
  DeleteAccountPolicy: deleteAccountPolicy,
  ListAccountPolicies: listAccountPolicies,
} satisfies { [N in keyof EucalyptusIamOperations]?: EucalyptusIamAction<N> }
