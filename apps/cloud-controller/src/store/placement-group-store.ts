/** Placement groups, and where their instances are: read in the transaction that launches into one, so that two launches at once see each other. */
import type { GroupMember } from '../scheduler/group-placement.ts'
import type { Reader } from './record.ts'
import type { PlacementGroupTable } from './tables.ts'

export async function listPlacementGroups(
  db: Reader,
  accountId: string | null,
): Promise<PlacementGroupTable[]> {
  return db
    .selectFrom('placement_group')
    .selectAll()
    .$if(accountId !== null, (query) => query.where('account_id', '=', accountId!))
    .execute()
}

export async function findPlacementGroup(
  db: Reader,
  accountId: string,
  by: { id: string } | { name: string },
): Promise<PlacementGroupTable | undefined> {
  return db
    .selectFrom('placement_group')
    .selectAll()
    .where('account_id', '=', accountId)
    .$if('id' in by, (query) => query.where('id', '=', (by as { id: string }).id))
    .$if('name' in by, (query) => query.where('name', '=', (by as { name: string }).name))
    .executeTakeFirst()
}

/** Its instances that are not terminated, or all but one; one that is on its way down still holds its place. */
export async function groupMembers(db: Reader, groupId: string, except = ''): Promise<GroupMember[]> {
  const rows = await db
    .selectFrom('instance')
    .select(['node_id', 'availability_zone', 'partition_number'])
    .where('placement_group_id', '=', groupId)
    .where('state', '<>', 'terminated')
    .where('id', '<>', except)
    .execute()
  return rows.map((row) => ({
    nodeId: row.node_id ?? '',
    availabilityZone: row.availability_zone,
    partition: row.partition_number,
  }))
}
