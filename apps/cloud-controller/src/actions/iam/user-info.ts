/** Eucalyptus' free texts about users, and the state of a directory that none is synchronised with. */
import { validationError } from '@mallee/iam-api'
import { userOrRoot } from '../../store/user-store.ts'
import type { UserTable } from '../../store/identity-tables.ts'
import { requireCloudAdmin, type EucalyptusIamAction } from './accounts.ts'

const mostInfos = 50

const infosOf = (user: UserTable): ReadonlyMap<string, string> =>
  new Map(Object.entries(JSON.parse(user.info ?? '{}') as Record<string, string>))

const getUserInfo: EucalyptusIamAction<'GetUserInfo'> = (ctx, input) =>
  ctx.read(async (db) => {
    const infos = [...infosOf(await userOrRoot(db, ctx.caller, input.UserName))]
    const chosen = infos.filter(([key]) => input.InfoKey === undefined || key === input.InfoKey)
    return { Infos: chosen.map(([Key, Value]) => ({ Key, Value })) }
  })

/** Without a value the text is deleted. */
const updateUserInfo: EucalyptusIamAction<'UpdateUserInfo'> = (ctx, input) =>
  ctx.transaction(async (tx) => {
    const user = await userOrRoot(tx.db, ctx.caller, input.UserName)
    const infos = new Map(infosOf(user))
    if (input.InfoValue === undefined) infos.delete(input.InfoKey)
    else infos.set(input.InfoKey, input.InfoValue)
    if (infos.size > mostInfos) throw validationError(`A user has ${mostInfos} texts at most.`)
    const info = JSON.stringify(Object.fromEntries(infos))
    await tx.db.updateTable('user').set({ info }).where('id', '=', user.id).execute()
    tx.touch(user.id)
  })

const getLdapSyncStatus: EucalyptusIamAction<'GetLdapSyncStatus'> = (ctx) => {
  requireCloudAdmin(ctx)
  return Promise.resolve({ SyncEnabled: false, InSync: false })
}

export const userInfoActions = {
  GetUserInfo: getUserInfo,
  UpdateUserInfo: updateUserInfo,
  GetLdapSyncStatus: getLdapSyncStatus,
}
