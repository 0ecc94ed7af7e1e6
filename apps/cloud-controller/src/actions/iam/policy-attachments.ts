/** Managed policies on users, groups and roles, and the boundaries of users and roles. */
import { limitExceeded, noSuchEntity, type Iam, type IamInput, type IamOutput } from '@mallee/iam-api'
import { iamQuotas } from '../../identity/iam-quotas.ts'
import { holderNamed, type HolderKind } from '../../store/identity/holder-store.ts'
import {
  findManagedPolicy,
  managedPolicyNamed,
  ownersOf,
  removeBoundary,
  setBoundary,
} from '../../store/identity/managed-policy-store.ts'
import { readInSlices } from '../../store/read-in-slices.ts'
import type { Reader } from '../../store/record.ts'
import type { ActionContext } from '../define-action.ts'
import { changed, markerPage, type IamActions, type MarkerInput } from './iam-action.ts'

const quotaNames = { user: 'PoliciesPerUser', group: 'PoliciesPerGroup', role: 'PoliciesPerRole' } as const

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_AttachUserPolicy.html */
async function attach(ctx: ActionContext, kind: HolderKind, name: string, arn: string) {
  await ctx.transaction(async (tx) => {
    const holder = await holderNamed(tx.db, kind, ctx.caller.accountId, name)
    if (!(await findManagedPolicy(tx.db, ctx.caller.accountId, arn)))
      throw noSuchEntity(`Policy ${arn} does not exist or is not attachable.`)
    changed(ctx, tx, holder.id)
    const rows = await attachedTo(tx.db, holder.id)
    if (rows.includes(arn)) return
    if (rows.length >= iamQuotas.attachedPolicies)
      throw limitExceeded(`Cannot exceed quota for ${quotaNames[kind]}: ${iamQuotas.attachedPolicies}`)
    await tx.db
      .insertInto('iam_attachment')
      .values({ owner_id: holder.id, policy_arn: arn, attached_at: ctx.nowMs })
      .execute()
  })
}

async function attachedTo(db: Reader, ownerId: string): Promise<string[]> {
  const rows = await db
    .selectFrom('iam_attachment')
    .select('policy_arn')
    .where('owner_id', '=', ownerId)
    .orderBy('policy_arn')
    .execute()
  return rows.map((row) => row.policy_arn)
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_DetachUserPolicy.html */
async function detach(ctx: ActionContext, kind: HolderKind, name: string, arn: string) {
  await ctx.transaction(async (tx) => {
    const holder = await holderNamed(tx.db, kind, ctx.caller.accountId, name)
    const removed = await tx.db
      .deleteFrom('iam_attachment')
      .where('owner_id', '=', holder.id)
      .where('policy_arn', '=', arn)
      .executeTakeFirst()
    if (removed.numDeletedRows === 0n) throw noSuchEntity(`Policy ${arn} was not found.`)
    changed(ctx, tx, holder.id)
  })
}

const nameOf = (arn: string) => arn.slice(arn.lastIndexOf('/') + 1)

/** The path of a policy by its ARN, which has it before the name. */
const pathOf = (arn: string) => arn.slice(arn.indexOf('/'), arn.lastIndexOf('/') + 1)

export async function attachedViews(db: Reader, ownerId: string): Promise<Iam.AttachedPolicy[]> {
  return (await attachedTo(db, ownerId)).map((arn) => ({ PolicyName: nameOf(arn), PolicyArn: arn }))
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAttachedUserPolicies.html */
function listAttached(
  ctx: ActionContext,
  kind: HolderKind,
  name: string,
  input: MarkerInput & { readonly PathPrefix?: string | undefined },
) {
  return ctx.read(async (db) => {
    const holder = await holderNamed(db, kind, ctx.caller.accountId, name)
    const all = await attachedTo(db, holder.id)
    const inPath = all.filter((arn) => pathOf(arn).startsWith(input.PathPrefix ?? '/'))
    // An ARN with a long path would not fit into a Marker.
    const keyOf = (arn: string) => `${nameOf(arn)} ${arn.includes('::aws:') ? 'aws' : 'own'}`
    const { items, rest } = markerPage(ctx, inPath, input, keyOf)
    return {
      AttachedPolicies: items.map((arn) => ({ PolicyName: nameOf(arn), PolicyArn: arn })),
      ...rest,
    }
  })
}

interface Entity {
  readonly kind: HolderKind
  readonly id: string
  readonly name: string
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListEntitiesForPolicy.html */
function listEntitiesForPolicy(
  ctx: ActionContext,
  input: IamInput<'ListEntitiesForPolicy'>,
): Promise<IamOutput<'ListEntitiesForPolicy'>> {
  return ctx.read(async (db) => {
    const { arn } = await managedPolicyNamed(db, ctx.caller.accountId, input.PolicyArn)
    const usage = input.PolicyUsageFilter
    const ids = [
      ...(usage === 'PermissionsBoundary' ? [] : await ownersOf(db, 'iam_attachment', arn)),
      ...(usage === 'PermissionsPolicy' ? [] : await ownersOf(db, 'iam_boundary', arn)),
    ]
    const kinds = (['group', 'user', 'role'] as const).filter(
      (kind) => input.EntityFilter === undefined || input.EntityFilter.toLowerCase() === kind,
    )
    const found: Entity[] = []
    for (const kind of kinds)
      found.push(...(await entitiesAmong(db, kind, ids, ctx.caller.accountId, input.PathPrefix ?? '/')))
    const { items, rest } = markerPage(ctx, found, input, (entity) => `${entity.kind} ${entity.name}`)
    const of = (kind: HolderKind) => items.filter((entity) => entity.kind === kind)
    return {
      PolicyGroups: of('group').map(({ id, name }) => ({ GroupName: name, GroupId: id })),
      PolicyUsers: of('user').map(({ id, name }) => ({ UserName: name, UserId: id })),
      PolicyRoles: of('role').map(({ id, name }) => ({ RoleName: name, RoleId: id })),
      ...rest,
    }
  })
}

const tables = { user: 'user', group: 'iam_group', role: 'iam_role' } as const

async function entitiesAmong(
  db: Reader,
  kind: HolderKind,
  ids: readonly string[],
  accountId: string,
  pathPrefix: string,
): Promise<Entity[]> {
  const rows = await readInSlices([...new Set(ids)], (slice) =>
    db
      .selectFrom(tables[kind] as 'iam_group')
      .select(['id', 'name', 'path'])
      .where('account_id', '=', accountId)
      .where('id', 'in', slice)
      .execute(),
  )
  return rows.filter((row) => row.path.startsWith(pathPrefix)).map(({ id, name }) => ({ kind, id, name }))
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutUserPermissionsBoundary.html */
async function putBoundary(ctx: ActionContext, kind: 'user' | 'role', name: string, arn: string) {
  await ctx.transaction(async (tx) => {
    const holder = await holderNamed(tx.db, kind, ctx.caller.accountId, name)
    await setBoundary(tx, holder, arn)
    changed(ctx, tx, holder.id)
  })
}

async function deleteBoundary(ctx: ActionContext, kind: 'user' | 'role', name: string) {
  await ctx.transaction(async (tx) => {
    const holder = await holderNamed(tx.db, kind, ctx.caller.accountId, name)
    if (!(await removeBoundary(tx, holder.id)))
      throw noSuchEntity(`The ${kind} ${name} does not have a permissions boundary.`)
    changed(ctx, tx, holder.id)
  })
}

export const attachmentActions = {
  AttachUserPolicy: (ctx, input) => attach(ctx, 'user', input.UserName, input.PolicyArn),
  AttachGroupPolicy: (ctx, input) => attach(ctx, 'group', input.GroupName, input.PolicyArn),
  AttachRolePolicy: (ctx, input) => attach(ctx, 'role', input.RoleName, input.PolicyArn),
  DetachUserPolicy: (ctx, input) => detach(ctx, 'user', input.UserName, input.PolicyArn),
  DetachGroupPolicy: (ctx, input) => detach(ctx, 'group', input.GroupName, input.PolicyArn),
  DetachRolePolicy: (ctx, input) => detach(ctx, 'role', input.RoleName, input.PolicyArn),
  ListAttachedUserPolicies: (ctx, input) => listAttached(ctx, 'user', input.UserName, input),
  ListAttachedGroupPolicies: (ctx, input) => listAttached(ctx, 'group', input.GroupName, input),
  ListAttachedRolePolicies: (ctx, input) => listAttached(ctx, 'role', input.RoleName, input),
  ListEntitiesForPolicy: listEntitiesForPolicy,
  PutUserPermissionsBoundary: (ctx, input) =>
    putBoundary(ctx, 'user', input.UserName, input.PermissionsBoundary),
  PutRolePermissionsBoundary: (ctx, input) =>
    putBoundary(ctx, 'role', input.RoleName, input.PermissionsBoundary),
  DeleteUserPermissionsBoundary: (ctx, input) => deleteBoundary(ctx, 'user', input.UserName),
  DeleteRolePermissionsBoundary: (ctx, input) => deleteBoundary(ctx, 'role', input.RoleName),
} satisfies IamActions
