/** An account's end: what may not be left, and what goes with it. */
import { deleteSubnetRows, deleteVpcRows } from '../delete-vpc.ts'
import { deleteTagsOf } from '../tag-store.ts'
import type { Reader, Tx } from '../record.ts'
import { bucketsLeft } from './buckets-left.ts'
import { deleteGroupRows, deletePolicyRows, deleteRoleRows, deleteUserRows } from './delete-identities.ts'
import { removeTags } from './identity-tag-store.ts'

/** What only its owner may give up: nothing of it is deleted with an account. */
const resources = {
  instance: 'instances',
  volume: 'volumes',
  snapshot: 'snapshots',
  image: 'images',
  network_interface: 'network interfaces',
  nat_gateway: 'NAT gateways',
  prefix_list: 'prefix lists',
  launch_template: 'launch templates',
  placement_group: 'placement groups',
  key_pair: 'key pairs',
  flow_log: 'flow logs',
  instance_import: 'imports of instances',
} as const

/** What IAM keeps of an account beside its root. */
const identities = {
  iam_group: 'groups',
  iam_role: 'roles',
  iam_policy: 'policies',
  iam_instance_profile: 'instance profiles',
  iam_server_certificate: 'server certificates',
  iam_oidc_provider: 'OIDC providers',
  iam_mfa_device: 'MFA devices',
} as const

/** In words, each kind once: `instances`, `VPCs`. */
export async function resourcesLeft(db: Reader, accountId: string): Promise<string[]> {
  const left = await kindsLeft(db, accountId, resources)
  const address = await db
    .selectFrom('address')
    .select('public_ip')
    .where('account_id', '=', accountId)
    .executeTakeFirst()
  const network = await db
    .selectFrom('vpc')
    .select('id')
    .where('account_id', '=', accountId)
    .where('is_default', '=', 0)
    .executeTakeFirst()
  const bundling = await db
    .selectFrom('bundle_task')
    .select('id')
    .where('account_id', '=', accountId)
    .executeTakeFirst()
  return [
    ...left,
    ...(address ? ['addresses'] : []),
    ...(network ? ['VPCs'] : []),
    ...(bundling ? ['bundle tasks'] : []),
    ...((await bucketsLeft(db, accountId)).length > 0 ? ['buckets'] : []),
  ]
}

export async function identitiesLeft(db: Reader, accountId: string): Promise<string[]> {
  const user = await db
    .selectFrom('user')
    .select('id')
    .where('account_id', '=', accountId)
    .where('is_root', '=', 0)
    .executeTakeFirst()
  return [...(user ? ['users'] : []), ...(await kindsLeft(db, accountId, identities))]
}

async function kindsLeft(
  db: Reader,
  accountId: string,
  kinds: Readonly<Record<string, string>>,
): Promise<string[]> {
  const left: string[] = []
  for (const [table, word] of Object.entries(kinds)) {
    const row = await db
      .selectFrom(table as 'iam_group')
      .select('id')
      .where('account_id', '=', accountId)
      .executeTakeFirst()
    if (row) left.push(word)
  }
  return left
}

/** All rows of an account that has no resources any more, its events and usage aside, which are told for ever. */
export async function deleteAccountRows(tx: Tx, account: { id: string }, nowMs: number): Promise<void> {
  await deleteDefaultNetwork(tx, account.id, nowMs)
  await deleteIdentities(tx, account.id)
  const { db } = tx
  for (const table of [
    ...(['vpc_peering', 'dhcp_options', 'reservation', 'quota', 'client_token', 'tag', 'manifest'] as const),
    ...(['status_report', 'import_task', 'disk_import', 'ebs_encryption', 'volume_modification'] as const),
    ...(['image_permission', 'snapshot_permission', 'quota_request', 'trail', 'trail_file'] as const),
  ])
    await db
      .deleteFrom(table as 'quota')
      .where('account_id', '=', account.id)
      .execute()
  await db.deleteFrom('account').where('id', '=', account.id).execute()
}

async function deleteDefaultNetwork(tx: Tx, accountId: string, nowMs: number): Promise<void> {
  const { db } = tx
  const of = (table: 'subnet' | 'internet_gateway') =>
    db
      .selectFrom(table as 'subnet')
      .select('id')
      .where('account_id', '=', accountId)
      .execute()
  for (const { id } of await of('subnet')) await deleteSubnetRows(tx, id)
  for (const { id } of await of('internet_gateway')) await deleteTagsOf(tx, id)
  await db.deleteFrom('internet_gateway').where('account_id', '=', accountId).execute()
  const vpcs = await db.selectFrom('vpc').selectAll().where('account_id', '=', accountId).execute()
  for (const vpc of vpcs) await deleteVpcRows(tx, vpc, { by: accountId, nowMs })
}

async function deleteIdentities(tx: Tx, accountId: string): Promise<void> {
  const { db } = tx
  const idsOf = async (table: 'user' | keyof typeof identities) =>
    (
      await db
        .selectFrom(table as 'iam_group')
        .select('id')
        .where('account_id', '=', accountId)
        .execute()
    ).map((row) => row.id)
  for (const id of await idsOf('iam_group')) await deleteGroupRows(tx, id)
  for (const id of await idsOf('iam_role')) await deleteRoleRows(tx, id)
  for (const id of await idsOf('iam_policy')) await deletePolicyRows(tx, id)
  for (const id of await idsOf('user')) await deleteUserRows(tx, id)
  await db.deleteFrom('iam_profile_association').where('account_id', '=', accountId).execute()
  for (const table of [
    ...(['iam_instance_profile', 'iam_server_certificate', 'iam_oidc_provider', 'iam_mfa_device'] as const),
  ]) {
    for (const id of await idsOf(table)) await removeTags(tx, id, null)
    await db
      .deleteFrom(table as 'iam_mfa_device')
      .where('account_id', '=', accountId)
      .execute()
  }
  for (const table of ['iam_account_alias', 'iam_password_policy', 'iam_credential_report'] as const)
    await db
      .deleteFrom(table as 'iam_account_alias')
      .where('account_id', '=', accountId)
      .execute()
  await db.deleteFrom('iam_inline_policy').where('owner_id', '=', accountId).execute()
}
