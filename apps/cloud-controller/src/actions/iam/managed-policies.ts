import { newToken } from '@mallee/base'
import {
  accessDenied,
  deleteConflict,
  entityAlreadyExists,
  limitExceeded,
  type Iam,
  type IamInput,
  type IamOutput,
} from '@mallee/iam-api'
import { iamQuotas } from '../../identity/iam-quotas.ts'
import { awsManagedPolicies, awsPoliciesMadeMs } from '../../identity/aws-managed-policies.ts'
import { deletePolicyRows } from '../../store/identity/delete-identities.ts'
import { requireRoom } from '../../store/identity/account-quotas.ts'
import { putTags, tagsOf } from '../../store/identity/identity-tag-store.ts'
import {
  managedPolicyNamed,
  ownersOf,
  ownPolicyArn,
  usesByArn,
  type ManagedPolicy,
} from '../../store/identity/managed-policy-store.ts'
import type { PolicyTable } from '../../store/identity-tables.ts'
import type { Reader } from '../../store/record.ts'
import { isNameTaken } from '../../store/user-store.ts'
import type { ActionContext } from '../define-action.ts'
import { changed, checkDocument, markerPage, policySize, type IamActions } from './iam-action.ts'

export function checkManagedDocument(document: string): void {
  checkDocument(document)
  if (policySize(document) > iamQuotas.policySize)
    throw limitExceeded(`Cannot exceed quota for PolicySize: ${iamQuotas.policySize}`)
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreatePolicy.html */
function createPolicy(
  ctx: ActionContext,
  input: IamInput<'CreatePolicy'>,
): Promise<IamOutput<'CreatePolicy'>> {
  checkManagedDocument(input.PolicyDocument)
  return ctx.transaction(async (tx) => {
    const { accountId } = ctx.caller
    if (await isNameTaken(tx.db, 'iam_policy', accountId, input.PolicyName))
      throw entityAlreadyExists(
        `A policy called ${input.PolicyName} already exists. Duplicate names are not allowed.`,
      )
    await requireRoom(tx.db, accountId, 'iam_policy')
    const policy: PolicyTable = {
      id: newToken('ANPA', 17, ctx.random),
      account_id: accountId,
      name: input.PolicyName,
      path: input.Path ?? '/',
      description: input.Description ?? null,
      default_version: 1,
      latest_version: 1,
      created_at: ctx.nowMs,
      updated_at: ctx.nowMs,
    }
    await tx.db.insertInto('iam_policy').values(policy).execute()
    await tx.db
      .insertInto('iam_policy_version')
      .values({ policy_id: policy.id, version: 1, document: input.PolicyDocument, created_at: ctx.nowMs })
      .execute()
    await putTags(tx, policy.id, input.Tags, 'Policy')
    changed(ctx, tx, policy.id)
    const managed = { arn: ownPolicyArn(policy), own: policy }
    return { Policy: { ...policyView(managed, noUses), ...(input.Tags ? { Tags: input.Tags } : {}) } }
  })
}

/** How often policies are used in the account, by their ARNs. */
export interface PolicyUses {
  readonly attached: ReadonlyMap<string, number>
  readonly boundaries: ReadonlyMap<string, number>
}

const noUses: PolicyUses = { attached: new Map(), boundaries: new Map() }

export async function policyUses(db: Reader, accountId: string): Promise<PolicyUses> {
  return {
    attached: await usesByArn(db, 'iam_attachment', accountId),
    boundaries: await usesByArn(db, 'iam_boundary', accountId),
  }
}

/** Without description and tags, as lists have it. */
export function policyView(policy: ManagedPolicy, uses: PolicyUses): Iam.Policy {
  const { id, name, path } = policy.own ?? policy.aws
  return {
    PolicyName: name,
    PolicyId: id,
    Arn: policy.arn,
    Path: path,
    DefaultVersionId: `v${policy.own?.default_version ?? 1}`,
    AttachmentCount: uses.attached.get(policy.arn) ?? 0,
    PermissionsBoundaryUsageCount: uses.boundaries.get(policy.arn) ?? 0,
    IsAttachable: true,
    CreateDate: new Date(policy.own?.created_at ?? awsPoliciesMadeMs),
    UpdateDate: new Date(policy.own?.updated_at ?? awsPoliciesMadeMs),
  }
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetPolicy.html */
function getPolicy(ctx: ActionContext, input: IamInput<'GetPolicy'>): Promise<IamOutput<'GetPolicy'>> {
  return ctx.read(async (db) => {
    const policy = await managedPolicyNamed(db, ctx.caller.accountId, input.PolicyArn)
    const { description, id } = policy.own ?? policy.aws
    const tags = policy.own ? await tagsOf(db, id) : []
    return {
      Policy: {
        ...policyView(policy, await policyUses(db, ctx.caller.accountId)),
        ...(description === null ? {} : { Description: description }),
        ...(tags.length > 0 ? { Tags: tags } : {}),
      },
    }
  })
}

/** The account's policies and, unless `scope` says otherwise, AWS's. */
export async function allPolicies(
  db: Reader,
  accountId: string,
  scope: Iam.policyScopeType = 'All',
): Promise<ManagedPolicy[]> {
  const aws: ManagedPolicy[] = [...awsManagedPolicies].map(([arn, policy]) => ({
    arn,
    own: null,
    aws: policy,
  }))
  if (scope === 'AWS') return aws
  const rows = await db.selectFrom('iam_policy').selectAll().where('account_id', '=', accountId).execute()
  const own = rows.map((row) => ({ arn: ownPolicyArn(row), own: row }))
  return scope === 'Local' ? own : [...own, ...aws]
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListPolicies.html */
function listPolicies(
  ctx: ActionContext,
  input: IamInput<'ListPolicies'>,
): Promise<IamOutput<'ListPolicies'>> {
  return ctx.read(async (db) => {
    const { accountId } = ctx.caller
    const uses = await policyUses(db, accountId)
    const { PolicyUsageFilter: usage, OnlyAttached: onlyAttached } = input
    const counts = (arn: string) =>
      (usage === 'PermissionsBoundary' ? 0 : (uses.attached.get(arn) ?? 0)) +
      (usage === 'PermissionsPolicy' ? 0 : (uses.boundaries.get(arn) ?? 0))
    const chosen = (await allPolicies(db, accountId, input.Scope)).filter(
      (policy) =>
        (policy.own ?? policy.aws).path.startsWith(input.PathPrefix ?? '/') &&
        (!(onlyAttached || usage) || counts(policy.arn) > 0),
    )
    // Names are the account's own: AWS may have one of the same.
    const keyOf = (policy: ManagedPolicy) => (policy.own ? `0 ${policy.own.name}` : `1 ${policy.aws.name}`)
    const { items, rest } = markerPage(ctx, chosen, input, keyOf)
    return { Policies: items.map((policy) => policyView(policy, uses)), ...rest }
  })
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeletePolicy.html */
async function deletePolicy(ctx: ActionContext, input: IamInput<'DeletePolicy'>): Promise<void> {
  await ctx.transaction(async (tx) => {
    const policy = await ownPolicy(tx.db, ctx.caller.accountId, input.PolicyArn)
    const used = [
      ...(await ownersOf(tx.db, 'iam_attachment', input.PolicyArn)),
      ...(await ownersOf(tx.db, 'iam_boundary', input.PolicyArn)),
    ]
    if (used.length > 0) throw deleteConflict('Cannot delete a policy attached to entities.')
    const versions = await tx.db
      .selectFrom('iam_policy_version')
      .select('version')
      .where('policy_id', '=', policy.id)
      .execute()
    if (versions.length > 1)
      throw deleteConflict(
        "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.",
      )
    await deletePolicyRows(tx, policy.id)
    changed(ctx, tx, policy.id)
  })
}

/** One that the account may change. AWS's are nobody's to change. */
export async function ownPolicy(db: Reader, accountId: string, arn: string): Promise<PolicyTable> {
  const { own } = await managedPolicyNamed(db, accountId, arn)
  if (!own) throw accessDenied(`Cannot perform the operation on the AWS managed policy ${arn}.`)
  return own
}

export const managedPolicyActions = {
  CreatePolicy: createPolicy,
  GetPolicy: getPolicy,
  ListPolicies: listPolicies,
  DeletePolicy: deletePolicy,
} satisfies IamActions
