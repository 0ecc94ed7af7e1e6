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
