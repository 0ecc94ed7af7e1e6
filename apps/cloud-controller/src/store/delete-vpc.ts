import { removeFlowLogsOf } from './flow-log-store.ts'
import { peersNaming } from './peer-groups.ts'
import { deleteTagsOf } from './tag-store.ts'
import type { Reader, Tx } from './record.ts'
import type { VpcTable } from './network-tables.ts'

/** Whether there is anything in a VPC that its owner made, or that is in use: with that it is not deleted. */
export async function vpcIsInUse(db: Reader, vpcId: string): Promise<boolean> {
  for (const table of ['subnet', 'internet_gateway', 'network_interface'] as const) {
    const row = await db.selectFrom(table).select('id').where('vpc_id', '=', vpcId).executeTakeFirst()
    if (row) return true
  }
  const group = await db
    .selectFrom('security_group')
    .select('id')
    .where('vpc_id', '=', vpcId)
    .where('name', '!=', 'default')
    .executeTakeFirst()
  const acl = await db
    .selectFrom('network_acl')
    .select('id')
    .where('vpc_id', '=', vpcId)
    .where('is_default', '=', 0)
    .executeTakeFirst()
  return (
    group !== undefined ||
    acl !== undefined ||
    (await hasFurtherTables(db, vpcId)) ||
    (await isNamed(db, vpcId))
  )
}

async function hasFurtherTables(db: Reader, vpcId: string): Promise<boolean> {
  const tables = await db.selectFrom('route_table').select('id').where('vpc_id', '=', vpcId).execute()
  return tables.length > 1
}

/** Whether a rule of a peered VPC's group names its default group. */
async function isNamed(db: Reader, vpcId: string): Promise<boolean> {
  const groups = await db.selectFrom('security_group').select('id').where('vpc_id', '=', vpcId).execute()
  return (
    (
      await peersNaming(
        db,
        groups.map((group) => group.id),
      )
    ).length > 0
  )
}

/** With all that was made with it; what it is peered with stays, and the peerings end. */
export async function deleteVpcRows(
  tx: Tx,
  vpc: VpcTable,
  ended: { by: string; nowMs: number },
): Promise<void> {
  const { db } = tx
  const own = <T extends 'route_table' | 'network_acl' | 'security_group'>(table: T) =>
    db
      .selectFrom(table as 'route_table')
      .select('id')
      .where('vpc_id', '=', vpc.id)
  await endPeerings(tx, vpc.id, ended)
  const made = [
    ...(await own('route_table').execute()),
    ...(await own('network_acl').execute()),
    ...(await own('security_group').execute()),
  ]
  const rules = await db
    .selectFrom('security_group_rule')
    .select('id')
    .where('group_id', 'in', own('security_group'))
    .execute()
  for (const row of [...made, ...rules, vpc]) await deleteTagsOf(tx, row.id)
  await removeFlowLogsOf(tx, [vpc.id])
  await db.deleteFrom('route_table_association').where('vpc_id', '=', vpc.id).execute()
  await db.deleteFrom('route').where('route_table_id', 'in', own('route_table')).execute()
  await db.deleteFrom('route_table').where('vpc_id', '=', vpc.id).execute()
  await db.deleteFrom('network_acl_entry').where('acl_id', 'in', own('network_acl')).execute()
  await db.deleteFrom('network_acl').where('vpc_id', '=', vpc.id).execute()
  await db.deleteFrom('security_group_rule').where('group_id', 'in', own('security_group')).execute()
  await db.deleteFrom('security_group').where('vpc_id', '=', vpc.id).execute()
  await db.deleteFrom('vpc_cidr').where('vpc_id', '=', vpc.id).execute()
  await db.deleteFrom('vpc').where('id', '=', vpc.id).execute()
}

async function endPeerings(tx: Tx, vpcId: string, ended: { by: string; nowMs: number }): Promise<void> {
  await tx.db
    .updateTable('vpc_peering')
    .set({ status: 'deleted', message: `Deleted by ${ended.by}`, ended_at: ended.nowMs, expires_at: null })
    .where((eb) => eb.or([eb('requester_vpc_id', '=', vpcId), eb('accepter_vpc_id', '=', vpcId)]))
    .where('status', 'in', ['pending-acceptance', 'active'])
    .execute()
}

/** What a subnet is associated with goes with it. */
export async function deleteSubnetRows(tx: Tx, subnetId: string): Promise<void> {
  await deleteTagsOf(tx, subnetId)
  await removeFlowLogsOf(tx, [subnetId])
  await tx.db.deleteFrom('route_table_association').where('subnet_id', '=', subnetId).execute()
  await tx.db.deleteFrom('network_acl_association').where('subnet_id', '=', subnetId).execute()
  await tx.db.deleteFrom('subnet').where('id', '=', subnetId).execute()
}
