import { newToken } from '@mallee/base'
import { deleteConflict, entityAlreadyExists, type IamInput, type IamOutput } from '@mallee/iam-api'
import { iamArn } from '../../identity/arns.ts'
import { deleteRoleRows } from '../../store/identity/delete-identities.ts'
import { hasAttachments, hasInlinePolicies, roleNamed } from '../../store/identity/holder-store.ts'
import { requireRoom } from '../../store/identity/account-quotas.ts'
import { putTags, tagsOf } from '../../store/identity/identity-tag-store.ts'
import { boundaryOf, setBoundary } from '../../store/identity/managed-policy-store.ts'
import { replaceTrusted } from '../../store/identity/trusted-principals.ts'
import type { RoleTable } from '../../store/identity-tables.ts'
import type { Reader } from '../../store/record.ts'
import { isNameTaken } from '../../store/user-store.ts'
import { roleView, wholeRoleView } from '../../views/identity-views.ts'
import type { ActionContext } from '../define-action.ts'
import { changed, markerPage, type IamActions } from './iam-action.ts'
import { checkTrust, requirePrincipals } from './trust-policies.ts'

const usualSessionSeconds = 3600

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html */
function createRole(ctx: ActionContext, input: IamInput<'CreateRole'>): Promise<IamOutput<'CreateRole'>> {
  const trust = checkTrust(input.AssumeRolePolicyDocument)
  return ctx.transaction(async (tx) => {
    await requirePrincipals(tx.db, trust)
    const { accountId } = ctx.caller
    if (await isNameTaken(tx.db, 'iam_role', accountId, input.RoleName))
      throw entityAlreadyExists(`Role with name ${input.RoleName} already exists.`)
    await requireRoom(tx.db, accountId, 'iam_role')
    const role: RoleTable = {
      id: newToken('AROA', 17, ctx.random),
      account_id: accountId,
      name: input.RoleName,
      path: input.Path ?? '/',
      description: input.Description ?? null,
      trust_policy: input.AssumeRolePolicyDocument,
      session_seconds: input.MaxSessionDuration ?? usualSessionSeconds,
      used_at: null,
      used_region: null,
      created_at: ctx.nowMs,
    }
    await tx.db.insertInto('iam_role').values(role).execute()
    await putTags(tx, role.id, input.Tags, 'Role')
    await setBoundary(tx, role, input.PermissionsBoundary)
    changed(ctx, tx, role.id)
    return { Role: roleView(role, { tags: input.Tags, boundary: input.PermissionsBoundary }) }
  })
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRole.html */
function getRole(ctx: ActionContext, input: IamInput<'GetRole'>): Promise<IamOutput<'GetRole'>> {
  return ctx.read(async (db) => {
    const role = await roleNamed(db, ctx.caller.accountId, input.RoleName)
    return { Role: await wholeRole(db, role) }
  })
}

async function wholeRole(db: Reader, role: RoleTable) {
  return wholeRoleView(role, { tags: await tagsOf(db, role.id), boundary: await boundaryOf(db, role.id) })
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRoles.html */
function listRoles(ctx: ActionContext, input: IamInput<'ListRoles'>): Promise<IamOutput<'ListRoles'>> {
  return ctx.read(async (db) => {
    const rows = await db
      .selectFrom('iam_role')
      .selectAll()
      .where('account_id', '=', ctx.caller.accountId)
      .execute()
    const inPath = rows.filter((row) => row.path.startsWith(input.PathPrefix ?? '/'))
    const { items, rest } = markerPage(ctx, inPath, input, (row) => row.name)
    return { Roles: items.map((row) => roleView(row)), ...rest }
  })
}

/** Changes what is given of a role and answers it as it is then. */
function change(
  ctx: ActionContext,
  name: string,
  changes: Partial<Pick<RoleTable, 'description' | 'session_seconds' | 'trust_policy'>>,
) {
  return ctx.transaction(async (tx) => {
    const role = await roleNamed(tx.db, ctx.caller.accountId, name)
    if (Object.keys(changes).length > 0)
      await tx.db.updateTable('iam_role').set(changes).where('id', '=', role.id).execute()
    changed(ctx, tx, role.id)
    return wholeRole(tx.db, { ...role, ...changes })
  })
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateRole.html */
async function updateRole(
  ctx: ActionContext,
  input: IamInput<'UpdateRole'>,
): Promise<IamOutput<'UpdateRole'>> {
  await change(ctx, input.RoleName, {
    ...(input.Description === undefined ? {} : { description: input.Description }),
    ...(input.MaxSessionDuration === undefined ? {} : { session_seconds: input.MaxSessionDuration }),
  })
  return {}
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteRole.html */
async function deleteRole(ctx: ActionContext, input: IamInput<'DeleteRole'>): Promise<void> {
  await ctx.transaction(async (tx) => {
    const role = await roleNamed(tx.db, ctx.caller.accountId, input.RoleName)
    const left = await leftOf(tx.db, role.id)
    if (left) throw deleteConflict(`Cannot delete entity, must ${left} first.`)
    await deleteRoleRows(tx, role.id)
    await replaceTrusted(tx, iamArn('role', role), role.id)
    changed(ctx, tx, role.id)
  })
}

async function leftOf(db: Reader, roleId: string): Promise<string | null> {
  const profile = await db
    .selectFrom('iam_instance_profile')
    .select('id')
    .where('role_id', '=', roleId)
    .executeTakeFirst()
  if (profile) return 'remove roles from instance profile'
  if (await hasInlinePolicies(db, roleId)) return 'delete policies'
  return (await hasAttachments(db, roleId)) ? 'detach all policies' : null
}

export const roleActions = {
  CreateRole: createRole,
  GetRole: getRole,
  ListRoles: listRoles,
  UpdateRole: updateRole,
  UpdateRoleDescription: async (ctx, input) => ({
    Role: await change(ctx, input.RoleName, { description: input.Description }),
  }),
  UpdateAssumeRolePolicy: async (ctx, input) => {
    const trust = checkTrust(input.PolicyDocument)
    await ctx.read((db) => requirePrincipals(db, trust))
    await change(ctx, input.RoleName, { trust_policy: input.PolicyDocument })
  },
  DeleteRole: deleteRole,
} satisfies IamActions
