/** Policies that are parts of a user, a group or a role. https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutUserPolicy.html */
import { limitExceeded, noSuchEntity } from '@mallee/iam-api'
import { iamQuotas } from '../../identity/iam-quotas.ts'
import { holderNamed, type HolderKind } from '../../store/identity/holder-store.ts'
import { encodedDocument } from '../../views/identity-views.ts'
import type { ActionContext } from '../define-action.ts'
import {
  changed,
  checkHeldDocument,
  markerPage,
  policySize,
  type IamActions,
  type MarkerInput,
} from './iam-action.ts'

/** Of all inline policies of one together, in characters without white space. */
const mostCharacters: Readonly<Record<HolderKind, number>> = {
  user: iamQuotas.userPolicySize,
  group: iamQuotas.groupPolicySize,
  role: iamQuotas.rolePolicySize,
}

interface PolicyInput {
  readonly PolicyName: string
  readonly PolicyDocument: string
}

async function put(ctx: ActionContext, kind: HolderKind, holderName: string, input: PolicyInput) {
  const { PolicyName: name, PolicyDocument: document } = input
  checkHeldDocument(document, kind)
  await ctx.transaction(async (tx) => {
    const holder = await holderNamed(tx.db, kind, ctx.caller.accountId, holderName)
    await tx.db
      .insertInto('iam_inline_policy')
      .values({ owner_id: holder.id, name, document })
      .onConflict((conflict) => conflict.columns(['owner_id', 'name']).doUpdateSet({ document }))
      .execute()
    const all = await tx.db
      .selectFrom('iam_inline_policy')
      .select('document')
      .where('owner_id', '=', holder.id)
      .execute()
    const size = all.reduce((sum, row) => sum + policySize(row.document), 0)
    if (size > mostCharacters[kind])
      throw limitExceeded(
        `Maximum policy size of ${mostCharacters[kind]} bytes exceeded for ${kind} ${holder.name}`,
      )
    changed(ctx, tx, holder.id)
  })
}

function get(ctx: ActionContext, kind: HolderKind, holderName: string, name: string) {
  return ctx.read(async (db) => {
    const holder = await holderNamed(db, kind, ctx.caller.accountId, holderName)
    const row = await db
      .selectFrom('iam_inline_policy')
      .select('document')
      .where('owner_id', '=', holder.id)
      .where('name', '=', name)
      .executeTakeFirst()
    if (!row) throw noSuchPolicy(kind, name)
    return { PolicyName: name, PolicyDocument: encodedDocument(row.document) }
  })
}

const noSuchPolicy = (kind: HolderKind, name: string) =>
  noSuchEntity(`The ${kind} policy with name ${name} cannot be found.`)

async function remove(ctx: ActionContext, kind: HolderKind, holderName: string, name: string) {
  await ctx.transaction(async (tx) => {
    const holder = await holderNamed(tx.db, kind, ctx.caller.accountId, holderName)
    const removed = await tx.db
      .deleteFrom('iam_inline_policy')
      .where('owner_id', '=', holder.id)
      .where('name', '=', name)
      .executeTakeFirst()
    if (removed.numDeletedRows === 0n) throw noSuchPolicy(kind, name)
    changed(ctx, tx, holder.id)
  })
}

function list(ctx: ActionContext, kind: HolderKind, holderName: string, input: MarkerInput) {
  return ctx.read(async (db) => {
    const holder = await holderNamed(db, kind, ctx.caller.accountId, holderName)
    const rows = await db
      .selectFrom('iam_inline_policy')
      .select('name')
      .where('owner_id', '=', holder.id)
      .execute()
    const { items, rest } = markerPage(ctx, rows, input, (row) => row.name)
    return { PolicyNames: items.map((row) => row.name), ...rest }
  })
}

export const inlinePolicyActions = {
  PutUserPolicy: (ctx, input) => put(ctx, 'user', input.UserName, input),
  PutGroupPolicy: (ctx, input) => put(ctx, 'group', input.GroupName, input),
  PutRolePolicy: (ctx, input) => put(ctx, 'role', input.RoleName, input),
  GetUserPolicy: async (ctx, { UserName, PolicyName }) => ({
    UserName,
    ...(await get(ctx, 'user', UserName, PolicyName)),
  }),
  GetGroupPolicy: async (ctx, { GroupName, PolicyName }) => ({
    GroupName,
    ...(await get(ctx, 'group', GroupName, PolicyName)),
  }),
  GetRolePolicy: async (ctx, { RoleName, PolicyName }) => ({
    RoleName,
    ...(await get(ctx, 'role', RoleName, PolicyName)),
  }),
  DeleteUserPolicy: (ctx, input) => remove(ctx, 'user', input.UserName, input.PolicyName),
  DeleteGroupPolicy: (ctx, input) => remove(ctx, 'group', input.GroupName, input.PolicyName),
  DeleteRolePolicy: (ctx, input) => remove(ctx, 'role', input.RoleName, input.PolicyName),
  ListUserPolicies: (ctx, input) => list(ctx, 'user', input.UserName, input),
  ListGroupPolicies: (ctx, input) => list(ctx, 'group', input.GroupName, input),
  ListRolePolicies: (ctx, input) => list(ctx, 'role', input.RoleName, input),
} satisfies IamActions
