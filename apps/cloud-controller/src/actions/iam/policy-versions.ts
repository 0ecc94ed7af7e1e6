import {
  deleteConflict,
  limitExceeded,
  noSuchEntity,
  type Iam,
  type IamInput,
  type IamOutput,
} from '@mallee/iam-api'
import { iamQuotas } from '../../identity/iam-quotas.ts'
import { awsPoliciesMadeMs } from '../../identity/aws-managed-policies.ts'
import { managedPolicyNamed, type ManagedPolicy } from '../../store/identity/managed-policy-store.ts'
import type { PolicyVersionTable } from '../../store/identity-tables.ts'
import type { Reader } from '../../store/record.ts'
import { encodedDocument } from '../../views/identity-views.ts'
import type { ActionContext } from '../define-action.ts'
import { changed, markerPage, type IamActions } from './iam-action.ts'
import { checkManagedDocument, ownPolicy } from './managed-policies.ts'

type Version = Pick<PolicyVersionTable, 'version' | 'document' | 'created_at'>

/** Oldest first. */
export async function versionsOf(db: Reader, policy: ManagedPolicy): Promise<Version[]> {
  if (!policy.own) return [{ version: 1, document: policy.aws.document, created_at: awsPoliciesMadeMs }]
  return db
    .selectFrom('iam_policy_version')
    .selectAll()
    .where('policy_id', '=', policy.own.id)
    .orderBy('version')
    .execute()
}

/** Without the document, as CreatePolicyVersion and lists answer it. */
function versionView(version: Version, standard: number): Iam.PolicyVersion {
  return {
    VersionId: `v${version.version}`,
    IsDefaultVersion: version.version === standard,
    CreateDate: new Date(version.created_at),
  }
}

export const wholeVersionView = (version: Version, policy: ManagedPolicy): Iam.PolicyVersion => ({
  ...versionView(version, policy.own?.default_version ?? 1),
  Document: encodedDocument(version.document),
})

async function versionNamed(db: Reader, policy: ManagedPolicy, id: string): Promise<Version> {
  const found = (await versionsOf(db, policy)).find(({ version }) => `v${version}` === id)
  if (!found) throw noSuchEntity(`Policy ${policy.arn} version ${id} does not exist or is not attachable.`)
  return found
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreatePolicyVersion.html */
function createPolicyVersion(
  ctx: ActionContext,
  input: IamInput<'CreatePolicyVersion'>,
): Promise<IamOutput<'CreatePolicyVersion'>> {
  checkManagedDocument(input.PolicyDocument)
  return ctx.transaction(async (tx) => {
    const own = await ownPolicy(tx.db, ctx.caller.accountId, input.PolicyArn)
    const versions = await versionsOf(tx.db, { arn: input.PolicyArn, own })
    if (versions.length >= iamQuotas.versionsPerPolicy)
      throw limitExceeded(
        `A managed policy can have up to ${iamQuotas.versionsPerPolicy} versions. Before you create a new version, you must delete an existing version.`,
      )
    const version = own.latest_version + 1
    const row = { policy_id: own.id, version, document: input.PolicyDocument, created_at: ctx.nowMs }
    await tx.db.insertInto('iam_policy_version').values(row).execute()
    const standard = input.SetAsDefault ? version : own.default_version
    await tx.db
      .updateTable('iam_policy')
      .set({ latest_version: version, default_version: standard, updated_at: ctx.nowMs })
      .where('id', '=', own.id)
      .execute()
    changed(ctx, tx, own.id)
    return { PolicyVersion: versionView(row, standard) }
  })
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetPolicyVersion.html */
function getPolicyVersion(
  ctx: ActionContext,
  input: IamInput<'GetPolicyVersion'>,
): Promise<IamOutput<'GetPolicyVersion'>> {
  return ctx.read(async (db) => {
    const policy = await managedPolicyNamed(db, ctx.caller.accountId, input.PolicyArn)
    return { PolicyVersion: wholeVersionView(await versionNamed(db, policy, input.VersionId), policy) }
  })
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListPolicyVersions.html */
function listPolicyVersions(
  ctx: ActionContext,
  input: IamInput<'ListPolicyVersions'>,
): Promise<IamOutput<'ListPolicyVersions'>> {
  return ctx.read(async (db) => {
    const policy = await managedPolicyNamed(db, ctx.caller.accountId, input.PolicyArn)
    // Newest first, as AWS has them.
    const keyOf = (row: Version) => String(999_999_999 - row.version).padStart(9, '0')
    const { items, rest } = markerPage(ctx, await versionsOf(db, policy), input, keyOf)
    const standard = policy.own?.default_version ?? 1
    return { Versions: items.map((row) => versionView(row, standard)), ...rest }
  })
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeletePolicyVersion.html */
async function deletePolicyVersion(
  ctx: ActionContext,
  input: IamInput<'DeletePolicyVersion'>,
): Promise<void> {
  await ctx.transaction(async (tx) => {
    const own = await ownPolicy(tx.db, ctx.caller.accountId, input.PolicyArn)
    const { version } = await versionNamed(tx.db, { arn: input.PolicyArn, own }, input.VersionId)
    if (version === own.default_version)
      throw deleteConflict('Cannot delete the default version of a policy.')
    await tx.db
      .deleteFrom('iam_policy_version')
      .where('policy_id', '=', own.id)
      .where('version', '=', version)
      .execute()
    changed(ctx, tx, own.id)
  })
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_SetDefaultPolicyVersion.html */
async function setDefaultPolicyVersion(
  ctx: ActionContext,
  input: IamInput<'SetDefaultPolicyVersion'>,
): Promise<void> {
  await ctx.transaction(async (tx) => {
    const own = await ownPolicy(tx.db, ctx.caller.accountId, input.PolicyArn)
    const { version } = await versionNamed(tx.db, { arn: input.PolicyArn, own }, input.VersionId)
    await tx.db
      .updateTable('iam_policy')
      .set({ default_version: version, updated_at: ctx.nowMs })
      .where('id', '=', own.id)
      .execute()
    changed(ctx, tx, own.id)
  })
}

export const policyVersionActions = {
  CreatePolicyVersion: createPolicyVersion,
  GetPolicyVersion: getPolicyVersion,
  ListPolicyVersions: listPolicyVersions,
  DeletePolicyVersion: deletePolicyVersion,
  SetDefaultPolicyVersion: setDefaultPolicyVersion,
} satisfies IamActions
