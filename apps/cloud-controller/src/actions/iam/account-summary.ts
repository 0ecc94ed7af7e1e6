import type { IamOutput } from '@mallee/iam-api'
import { iamQuotas } from '../../identity/iam-quotas.ts'
import { loginProfileOf } from '../../store/identity/login-store.ts'
import { devicesOf } from '../../store/identity/mfa-store.ts'
import type { Reader } from '../../store/record.ts'
import { countOf, rootOf } from '../../store/user-store.ts'
import type { ActionContext } from '../define-action.ts'
import type { IamActions } from './iam-action.ts'

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountSummary.html */
function getAccountSummary(ctx: ActionContext): Promise<IamOutput<'GetAccountSummary'>> {
  return ctx.read(async (db) => {
    const { accountId } = ctx.caller
    const counts = { ...(await countsOf(db, accountId)), ...(await rootCounts(db, accountId)) }
    return { SummaryMap: { ...counts, ...quotas } }
  })
}

const quotas = {
  UsersQuota: iamQuotas.users,
  GroupsQuota: iamQuotas.groups,
  GroupsPerUserQuota: iamQuotas.groupsPerUser,
  RolesQuota: iamQuotas.roles,
  InstanceProfilesQuota: iamQuotas.instanceProfiles,
  PoliciesQuota: iamQuotas.policies,
  PolicySizeQuota: iamQuotas.policySize,
  VersionsPerPolicyQuota: iamQuotas.versionsPerPolicy,
  PolicyVersionsInUseQuota: iamQuotas.policies * iamQuotas.versionsPerPolicy,
  AttachedPoliciesPerUserQuota: iamQuotas.attachedPolicies,
  AttachedPoliciesPerGroupQuota: iamQuotas.attachedPolicies,
  AttachedPoliciesPerRoleQuota: iamQuotas.attachedPolicies,
  UserPolicySizeQuota: iamQuotas.userPolicySize,
  GroupPolicySizeQuota: iamQuotas.groupPolicySize,
  RolePolicySizeQuota: iamQuotas.rolePolicySize,
  AssumeRolePolicySizeQuota: iamQuotas.trustPolicySize,
  ServerCertificatesQuota: iamQuotas.serverCertificates,
  AccessKeysPerUserQuota: iamQuotas.accessKeysPerUser,
  SigningCertificatesPerUserQuota: iamQuotas.signingCertificatesPerUser,
  /** 1: session tokens of the global endpoint. */
  GlobalEndpointTokenVersion: 1,
}

async function countsOf(db: Reader, accountId: string): Promise<Record<string, number>> {
  const devices = await db
    .selectFrom('iam_mfa_device')
    .select('user_id')
    .where('account_id', '=', accountId)
    .execute()
  const versions = await db
    .selectFrom('iam_policy_version')
    .innerJoin('iam_policy', 'iam_policy.id', 'iam_policy_version.policy_id')
    .select('iam_policy_version.version')
    .where('account_id', '=', accountId)
    .execute()
  return {
    // The root has a row and is no user.
    Users: (await countOf(db, 'user', accountId)) - 1,
    Groups: await countOf(db, 'iam_group', accountId),
    Roles: await countOf(db, 'iam_role', accountId),
    InstanceProfiles: await countOf(db, 'iam_instance_profile', accountId),
    Policies: await countOf(db, 'iam_policy', accountId),
    PolicyVersionsInUse: versions.length,
    ServerCertificates: await countOf(db, 'iam_server_certificate', accountId),
    Providers: await countOf(db, 'iam_oidc_provider', accountId),
    MFADevices: devices.length,
    MFADevicesInUse: devices.filter((row) => row.user_id !== null).length,
  }
}

/** What the root has: 1 or 0. */
async function rootCounts(db: Reader, accountId: string): Promise<Record<string, number>> {
  const { id } = await rootOf(db, accountId)
  const has = async (table: 'access_key' | 'signing_certificate') => {
    const row = await db
      .selectFrom(table as 'access_key')
      .select('id')
      .where('user_id', '=', id)
      .executeTakeFirst()
    return row ? 1 : 0
  }
  return {
    AccountAccessKeysPresent: await has('access_key'),
    AccountSigningCertificatesPresent: await has('signing_certificate'),
    AccountPasswordPresent: (await loginProfileOf(db, id)) ? 1 : 0,
    AccountMFAEnabled: (await devicesOf(db, id)).length > 0 ? 1 : 0,
  }
}

export const accountSummaryActions = { GetAccountSummary: getAccountSummary } satisfies IamActions
