/** All of an account's identities with their policies. https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html */
import type { Iam, IamInput, IamOutput } from '@mallee/iam-api'
import type { ManagedPolicy } from '../../store/identity/managed-policy-store.ts'
import { boundaryOf } from '../../store/identity/managed-policy-store.ts'
import { tagsOf } from '../../store/identity/identity-tag-store.ts'
import type { GroupTable, InstanceProfileTable, RoleTable, UserTable } from '../../store/identity-tables.ts'
import type { Reader } from '../../store/record.ts'
import {
  boundaryView,
  encodedDocument,
  groupView,
  instanceProfileView,
  userView,
  wholeRoleView,
} from '../../views/identity-views.ts'
import type { ActionContext } from '../define-action.ts'
import { groupsOf } from './groups.ts'
import { markerPage, type IamActions } from './iam-action.ts'
import { allPolicies, policyUses, policyView, type PolicyUses } from './managed-policies.ts'
import { attachedViews } from './policy-attachments.ts'
import { versionsOf, wholeVersionView } from './policy-versions.ts'

type Thing =
  | { readonly kind: 'User'; readonly name: string; readonly row: UserTable }
  | { readonly kind: 'Group'; readonly name: string; readonly row: GroupTable }
  | { readonly kind: 'Role'; readonly name: string; readonly row: RoleTable }
  | {
      readonly kind: 'LocalManagedPolicy' | 'AWSManagedPolicy'
      readonly name: string
      readonly row: ManagedPolicy
    }

function getDetails(
  ctx: ActionContext,
  input: IamInput<'GetAccountAuthorizationDetails'>,
): Promise<IamOutput<'GetAccountAuthorizationDetails'>> {
  return ctx.read(async (db) => {
    const { accountId } = ctx.caller
    const uses = await policyUses(db, accountId)
    const filter = input.Filter && input.Filter.length > 0 ? input.Filter : null
    const things = (await thingsOf(db, accountId, uses)).filter(
      ({ kind }) => filter === null || filter.includes(kind),
    )
    const { items, rest } = markerPage(ctx, things, input, ({ kind, name }) => `${kind} ${name}`)
    const users: Iam.UserDetail[] = []
    const groups: Iam.GroupDetail[] = []
    const roles: Iam.RoleDetail[] = []
    const policies: Iam.ManagedPolicyDetail[] = []
    for (const thing of items) {
      if (thing.kind === 'User') users.push(await userDetail(db, thing.row))
      else if (thing.kind === 'Group') groups.push(await groupDetail(db, thing.row))
      else if (thing.kind === 'Role') roles.push(await roleDetail(db, thing.row))
      else policies.push(await policyDetail(db, thing.row, uses))
    }
    return {
      UserDetailList: users,
      GroupDetailList: groups,
      RoleDetailList: roles,
      Policies: policies,
      ...rest,
    }
  })
}

/** Of AWS's policies those that are in use. */
async function thingsOf(db: Reader, accountId: string, uses: PolicyUses): Promise<Thing[]> {
  const users = await db
    .selectFrom('user')
    .selectAll()
    .where('account_id', '=', accountId)
    .where('is_root', '=', 0)
    .execute()
  const groups = await db.selectFrom('iam_group').selectAll().where('account_id', '=', accountId).execute()
  const roles = await db.selectFrom('iam_role').selectAll().where('account_id', '=', accountId).execute()
  const policies = (await allPolicies(db, accountId)).filter(
    ({ arn, own }) => own || uses.attached.has(arn) || uses.boundaries.has(arn),
  )
  return [
    ...users.map((row): Thing => ({ kind: 'User', name: row.name, row })),
    ...groups.map((row): Thing => ({ kind: 'Group', name: row.name, row })),
    ...roles.map((row): Thing => ({ kind: 'Role', name: row.name, row })),
    ...policies.map((row): Thing => {
      const kind = row.own ? 'LocalManagedPolicy' : 'AWSManagedPolicy'
      return { kind, name: (row.own ?? row.aws).name, row }
    }),
  ]
}

async function inlineOf(db: Reader, ownerId: string): Promise<Iam.PolicyDetail[]> {
  const rows = await db
    .selectFrom('iam_inline_policy')
    .selectAll()
    .where('owner_id', '=', ownerId)
    .orderBy('name')
    .execute()
  return rows.map(({ name, document }) => ({ PolicyName: name, PolicyDocument: encodedDocument(document) }))
}

/** The boundary and tags of a user or a role. */
async function furtherOf(db: Reader, ownerId: string) {
  const boundary = boundaryView(await boundaryOf(db, ownerId))
  return { Tags: await tagsOf(db, ownerId), ...(boundary ? { PermissionsBoundary: boundary } : {}) }
}

async function userDetail(db: Reader, row: UserTable): Promise<Iam.UserDetail> {
  const { PasswordLastUsed: _, ...view } = userView(row)
  return {
    ...view,
    UserPolicyList: await inlineOf(db, row.id),
    GroupList: (await groupsOf(db, row.id)).map(({ name }) => name),
    AttachedManagedPolicies: await attachedViews(db, row.id),
    ...(await furtherOf(db, row.id)),
  }
}

async function groupDetail(db: Reader, row: GroupTable): Promise<Iam.GroupDetail> {
  return {
    ...groupView(row),
    GroupPolicyList: await inlineOf(db, row.id),
    AttachedManagedPolicies: await attachedViews(db, row.id),
  }
}

async function roleDetail(db: Reader, row: RoleTable): Promise<Iam.RoleDetail> {
  const profiles: InstanceProfileTable[] = await db
    .selectFrom('iam_instance_profile')
    .selectAll()
    .where('role_id', '=', row.id)
    .orderBy('name')
    .execute()
  const { Description: _, MaxSessionDuration: __, ...view } = wholeRoleView(row, {})
  return {
    ...view,
    InstanceProfileList: profiles.map((profile) => instanceProfileView(profile, row)),
    RolePolicyList: await inlineOf(db, row.id),
    AttachedManagedPolicies: await attachedViews(db, row.id),
    ...(await furtherOf(db, row.id)),
  }
}

async function policyDetail(
  db: Reader,
  policy: ManagedPolicy,
  uses: PolicyUses,
): Promise<Iam.ManagedPolicyDetail> {
  const versions = await versionsOf(db, policy)
  const { description } = policy.own ?? policy.aws
  return {
    ...policyView(policy, uses),
    ...(description === null ? {} : { Description: description }),
    PolicyVersionList: versions.toReversed().map((version) => wholeVersionView(version, policy)),
  }
}

export const authorizationDetailActions = {
  GetAccountAuthorizationDetails: getDetails,
} satisfies IamActions
