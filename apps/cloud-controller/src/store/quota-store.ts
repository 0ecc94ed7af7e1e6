import { policyLimits, type QuotaOwner } from '../identity/policy-limits.ts'
import type { UsageKind } from './audit-tables.ts'
import type { Reader } from './record.ts'

/** What a new account may have; AWS's own defaults where it publishes them, in units of the resource. */
export const defaultQuotas = {
  instances: 100,
  vcpus: 256,
  'key-pairs': 5000,
  'security-groups': 2500,
  'rules-per-group': 60,
  'groups-per-interface': 5,
  images: 1000,
  'tags-per-resource': 50,
  'launch-templates': 5000,
  'versions-per-launch-template': 10_000,
  'placement-groups': 500,
  volumes: 5000,
  'volume-gib': 51_200,
  snapshots: 10_000,
  vpcs: 100,
  'vpc-cidrs': 5,
  'subnets-per-vpc': 200,
  'internet-gateways': 100,
  'route-tables-per-vpc': 200,
  'routes-per-table': 500,
  'network-acls-per-vpc': 200,
  'entries-per-acl': 40,
  'nat-gateways-per-zone': 40,
  'network-interfaces': 5000,
  'addresses-per-interface': 30,
  'elastic-addresses': 100,
  'vpc-peerings-per-vpc': 50,
  'prefix-lists': 100,
  'entries-per-prefix-list': 1000,
  'flow-logs-per-resource': 2,
} as const
export type QuotaName = keyof typeof defaultQuotas

/** Read inside the transaction that claims the resource, so that two clients at once cannot both fit. */
export async function quotaOf(db: Reader, accountId: string, name: QuotaName): Promise<number> {
  const row = await db
    .selectFrom('quota')
    .select('value')
    .where('account_id', '=', accountId)
    .where('name', '=', name)
    .executeTakeFirst()
  return row?.value ?? defaultQuotas[name]
}

/**
 * How many more of something the caller may have where `used` are used by its account, and the limit that says so: the account's
 * quota, or a narrower one of the policies of the account or of the user.
 */
export async function quotaRoom(
  db: Reader,
  owner: QuotaOwner,
  name: QuotaName,
  used: number,
): Promise<{ readonly room: number; readonly most: number }> {
  const most = await quotaOf(db, owner.accountId, name)
  let narrowest = { room: most - used, most }
  for (const limit of await policyLimits(db, owner)) {
    if (limit.name !== name) continue
    const taken = limit.of === 'account' ? used : await usedByUser(db, owner, name, used)
    const room = limit.most - taken
    if (room < narrowest.room) narrowest = { room, most: limit.most }
  }
  return narrowest
}

/**
 * The one gate that whatever an account can have too many of goes through, in the transaction that claims it: throws what `error`
 * makes of the limit where `used` and `asked` together are beyond it.
 */
export async function requireQuota(
  db: Reader,
  owner: QuotaOwner,
  name: QuotaName,
  used: number,
  error: (most: number) => Error,
  asked = 1,
): Promise<void> {
  const { room, most } = await quotaRoom(db, owner, name, used)
  if (asked > room) throw error(most)
}

const usageKinds: Partial<Record<QuotaName, UsageKind>> = {
  volumes: 'volume',
  'volume-gib': 'volume',
  snapshots: 'snapshot',
  'elastic-addresses': 'address',
}

/** What one user of an account has. Where nobody wrote down who made what, all of the account counts: never too few. */
async function usedByUser(db: Reader, owner: QuotaOwner, name: QuotaName, used: number): Promise<number> {
  if (name === 'instances' || name === 'vcpus') {
    const row = await db
      .selectFrom('instance')
      .select((eb) => [eb.fn.countAll<number>().as('instances'), eb.fn.sum<number>('vcpus').as('vcpus')])
      .where('account_id', '=', owner.accountId)
      .where('user_id', '=', owner.userId)
      .where('state', '!=', 'terminated')
      .executeTakeFirstOrThrow()
    return Number(row[name] ?? 0)
  }
  const kind = usageKinds[name]
  if (kind === undefined) return used
  const row = await db
    .selectFrom('usage_interval')
    .select((eb) => [eb.fn.countAll<number>().as('count'), eb.fn.sum<number>('quantity').as('gib')])
    .where('account_id', '=', owner.accountId)
    .where('user_id', '=', owner.userId)
    .where('kind', '=', kind)
    .where('ended_at', 'is', null)
    .executeTakeFirstOrThrow()
  return Number((name === 'volume-gib' ? row.gib : row.count) ?? 0)
}
