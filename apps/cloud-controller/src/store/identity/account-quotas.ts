/** How many users, groups, roles … an account may have: AWS's quota, or a narrower limit of the account's own policies. */
import { limitExceeded } from '@mallee/iam-api'
import { splitQuotaPolicy } from '@mallee/iam-policy'
import { iamQuotas } from '../../identity/iam-quotas.ts'
import type { Reader } from '../record.ts'
import { countOf, type NamedTable } from '../user-store.ts'

interface Kind {
  /** AWS's word for the quota. */
  readonly name: string
  readonly most: number
  /** Eucalyptus' key of a limit. */
  readonly key: string | null
}

const kinds = {
  user: { name: 'UsersPerAccount', most: iamQuotas.users, key: 'iam:quota-usernumber' },
  iam_group: { name: 'GroupsPerAccount', most: iamQuotas.groups, key: 'iam:quota-groupnumber' },
  iam_role: { name: 'RolesPerAccount', most: iamQuotas.roles, key: 'iam:quota-rolenumber' },
  iam_policy: { name: 'PoliciesPerAccount', most: iamQuotas.policies, key: null },
  iam_instance_profile: {
    name: 'InstanceProfilesPerAccount',
    most: iamQuotas.instanceProfiles,
    key: 'iam:quota-instanceprofilenumber',
  },
  iam_server_certificate: {
    name: 'ServerCertificatesPerAccount',
    most: iamQuotas.serverCertificates,
    key: 'iam:quota-servercertificatenumber',
  },
  iam_oidc_provider: { name: 'OpenIdConnectProvidersPerAccount', most: iamQuotas.oidcProviders, key: null },
} satisfies { readonly [Table in NamedTable | 'iam_oidc_provider']?: Kind }

/** The keys of limits that are held to here. */
export const accountQuotaKeys: ReadonlySet<string> = new Set(
  Object.values(kinds).flatMap(({ key }) => key ?? []),
)

/** Throws LimitExceeded where there may be no one more; in the transaction that makes it. */
export async function requireRoom(db: Reader, accountId: string, table: keyof typeof kinds): Promise<void> {
  const { name, most, key } = kinds[table]
  // The root is a row of users, and none of them.
  const used = (await countOf(db, table, accountId)) - (table === 'user' ? 1 : 0)
  const limit = Math.min(most, key === null ? most : await limitOf(db, accountId, key))
  if (used >= limit) throw limitExceeded(`Cannot exceed quota for ${name}: ${limit}`)
}

async function limitOf(db: Reader, accountId: string, key: string): Promise<number> {
  const rows = await db
    .selectFrom('iam_inline_policy')
    .select('document')
    .where('owner_id', '=', accountId)
    .execute()
  const limits = rows.flatMap(({ document }) => splitQuotaPolicy(document).limits)
  return Math.min(...limits.filter((limit) => limit.key === key).map((limit) => limit.most), Infinity)
}
