import {
  accessDenied,
  limitExceeded,
  noSuchEntity,
  validationError,
  type IamInput,
  type IamOutput,
} from '@mallee/iam-api'
import { iamQuotas } from '../../identity/iam-quotas.ts'
import { insertAccessKey } from '../../store/account-store.ts'
import type { AccessKeyTable, UserTable } from '../../store/identity-tables.ts'
import type { Reader } from '../../store/record.ts'
import { shownName, userOrRoot } from '../../store/user-store.ts'
import type { ActionContext } from '../define-action.ts'
import { changed, markerPage, type IamActions } from './iam-action.ts'

function keysOf(db: Reader, userId: string): Promise<AccessKeyTable[]> {
  return db.selectFrom('access_key').selectAll().where('user_id', '=', userId).execute()
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateAccessKey.html */
function createAccessKey(
  ctx: ActionContext,
  input: IamInput<'CreateAccessKey'>,
): Promise<IamOutput<'CreateAccessKey'>> {
  return ctx.transaction(async (tx) => {
    const user = await userOrRoot(tx.db, ctx.caller, input.UserName)
    if ((await keysOf(tx.db, user.id)).length >= iamQuotas.accessKeysPerUser)
      throw limitExceeded(`Cannot exceed quota for AccessKeysPerUser: ${iamQuotas.accessKeysPerUser}`)
    const owner = { accountId: user.account_id, userId: user.id }
    const made = await insertAccessKey(tx, ctx.wakes, { ...ctx, ...owner })
    tx.touch(made.accessKeyId, user.id)
    return {
      AccessKey: {
        UserName: shownName(user),
        AccessKeyId: made.accessKeyId,
        Status: 'Active',
        SecretAccessKey: made.secretAccessKey,
        CreateDate: new Date(ctx.nowMs),
      },
    }
  })
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAccessKeys.html */
function listAccessKeys(
  ctx: ActionContext,
  input: IamInput<'ListAccessKeys'>,
): Promise<IamOutput<'ListAccessKeys'>> {
  return ctx.read(async (db) => {
    const user = await userOrRoot(db, ctx.caller, input.UserName)
    const { items, rest } = markerPage(ctx, await keysOf(db, user.id), input, (row) => row.id)
    return {
      AccessKeyMetadata: items.map((row) => ({
        UserName: shownName(user),
        AccessKeyId: row.id,
        Status: row.enabled === 1 ? 'Active' : 'Inactive',
        CreateDate: new Date(row.created_at),
      })),
      ...rest,
    }
  })
}

async function keyNamed(
  ctx: ActionContext,
  db: Reader,
  input: { readonly AccessKeyId: string; readonly UserName?: string | undefined },
): Promise<{ key: AccessKeyTable; user: UserTable }> {
  const user = await userOrRoot(db, ctx.caller, input.UserName)
  const key = (await keysOf(db, user.id)).find(({ id }) => id === input.AccessKeyId)
  if (!key) throw noSuchEntity(`The Access Key with id ${input.AccessKeyId} cannot be found.`)
  return { key, user }
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAccessKey.html */
async function updateAccessKey(ctx: ActionContext, input: IamInput<'UpdateAccessKey'>): Promise<void> {
  if (input.Status !== 'Active' && input.Status !== 'Inactive')
    throw validationError('The Status must be Active or Inactive.')
  await ctx.transaction(async (tx) => {
    const { key, user } = await keyNamed(ctx, tx.db, input)
    await tx.db
      .updateTable('access_key')
      .set({ enabled: input.Status === 'Active' ? 1 : 0 })
      .where('id', '=', key.id)
      .execute()
    changed(ctx, tx, key.id, user.id)
  })
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteAccessKey.html */
async function deleteAccessKey(ctx: ActionContext, input: IamInput<'DeleteAccessKey'>): Promise<void> {
  await ctx.transaction(async (tx) => {
    const { key, user } = await keyNamed(ctx, tx.db, input)
    await tx.db.deleteFrom('access_key').where('id', '=', key.id).execute()
    changed(ctx, tx, key.id, user.id)
  })
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccessKeyLastUsed.html */
function getAccessKeyLastUsed(
  ctx: ActionContext,
  input: IamInput<'GetAccessKeyLastUsed'>,
): Promise<IamOutput<'GetAccessKeyLastUsed'>> {
  return ctx.read(async (db) => {
    const key = await db
      .selectFrom('access_key')
      .innerJoin('user', 'user.id', 'access_key.user_id')
      .selectAll('access_key')
      .select(['user.name', 'user.is_root'])
      .where('access_key.id', '=', input.AccessKeyId)
      .executeTakeFirst()
    // AWS says no more of another account's key than of one that there is not.
    if (key?.account_id !== ctx.caller.accountId)
      throw accessDenied(`The Access Key with id ${input.AccessKeyId} is not one of this account.`)
    return {
      UserName: shownName(key),
      AccessKeyLastUsed: {
        ...(key.used_at === null ? {} : { LastUsedDate: new Date(key.used_at) }),
        ServiceName: key.used_service ?? 'N/A',
        Region: key.used_region ?? 'N/A',
      },
    }
  })
}

export const accessKeyActions = {
  CreateAccessKey: createAccessKey,
  ListAccessKeys: listAccessKeys,
  UpdateAccessKey: updateAccessKey,
  DeleteAccessKey: deleteAccessKey,
  GetAccessKeyLastUsed: getAccessKeyLastUsed,
} satisfies IamActions
