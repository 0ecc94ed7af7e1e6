import type { DiskImportTable } from './disk-import-store.ts'
import type { Reader, Tx } from './record.ts'
import type { ImageTable, InstanceTable } from './tables.ts'

/**
 * An ImportInstance. Its disks are imported each as ImportVolume would; the instance is made when all of them are volumes.
 * Until then nothing of it is to be seen, but what it will need is promised to it: a share of the account's quota, the
 * address, its security groups.
 */
export interface InstanceImportTable {
  id: string
  account_id: string
  /** That the instance will have. */
  instance_id: string
  /** Of the image that it will be said to be of, which nobody can launch. */
  image_id: string
  architecture: ImageTable['architecture']
  /** The instance's row as it was asked for, as JSON of `PlannedInstance`. */
  planned: string
  /** As JSON. */
  group_ids: string
  subnet_id: string
  /** Promised to it; null of one from before that was done where none was asked for. */
  private_ip: number | null
  vcpus: number
  description: string
  created_at: number
  request_id: string | null
  trace_parent: string | null
  /**
   * - `converting`: a disk of it is not yet a volume;
   * - `ending`: failed or cancelled, and something of a disk may be left;
   * - `completed`, `failed`, `cancelled`.
   */
  phase: 'converting' | 'ending' | 'completed' | 'failed' | 'cancelled'
  /** Why it failed; null of one that was cancelled. */
  message: string | null
  cancel_reason: string | null
}

/** What is known of an instance before it is there. */
export type PlannedInstance = Omit<InstanceTable, 'usage_revision' | 'state_changed_at' | 'launched_at'>

export function getInstanceImport(db: Reader, id: string): Promise<InstanceImportTable | undefined> {
  return db.selectFrom('instance_import').selectAll().where('id', '=', id).executeTakeFirst()
}

/** Of one account; all where no ids are given. */
export function listInstanceImports(
  db: Reader,
  accountId: string,
  ids: readonly string[],
): Promise<InstanceImportTable[]> {
  return db
    .selectFrom('instance_import')
    .selectAll()
    .where('account_id', '=', accountId)
    .$if(ids.length > 0, (query) => query.where('id', 'in', ids))
    .execute()
}

/** In the order in which they were named, that of the root first. */
export function disksOfImport(db: Reader, id: string): Promise<DiskImportTable[]> {
  return db
    .selectFrom('disk_import')
    .selectAll()
    .where('instance_import_id', '=', id)
    .orderBy('disk_index')
    .execute()
}

export async function moveInstanceImport(
  tx: Tx,
  id: string,
  changes: Partial<Pick<InstanceImportTable, 'phase' | 'message' | 'cancel_reason'>>,
): Promise<void> {
  await tx.db.updateTable('instance_import').set(changes).where('id', '=', id).execute()
}

/** What instances that are not there yet will use of an account's quota. */
export async function promisedUse(
  db: Reader,
  accountId: string,
): Promise<{ instances: number; vcpus: number }> {
  const rows = await db
    .selectFrom('instance_import')
    .select('vcpus')
    .where('account_id', '=', accountId)
    .where('phase', '=', 'converting')
    .execute()
  return { instances: rows.length, vcpus: rows.reduce((sum, { vcpus }) => sum + vcpus, 0) }
}

/** Addresses of a subnet that instances which are not there yet will have. */
export async function promisedAddresses(db: Reader, subnetId: string): Promise<number[]> {
  const rows = await db
    .selectFrom('instance_import')
    .select('private_ip')
    .where('subnet_id', '=', subnetId)
    .where('private_ip', 'is not', null)
    .where('phase', '=', 'converting')
    .execute()
  return rows.map((row) => row.private_ip!)
}

/** Whether an instance that is not there yet will be in a subnet. */
export async function isSubnetPromised(db: Reader, subnetId: string): Promise<boolean> {
  const found = await db
    .selectFrom('instance_import')
    .select('id')
    .where('subnet_id', '=', subnetId)
    .where('phase', '=', 'converting')
    .executeTakeFirst()
  return found !== undefined
}

/** Whether an instance that is not there yet will be in a security group. */
export async function isGroupPromised(db: Reader, groupId: string): Promise<boolean> {
  const found = await db
    .selectFrom('instance_import')
    .select('id')
    .where('group_ids', 'like', `%"${groupId}"%`)
    .where('phase', '=', 'converting')
    .executeTakeFirst()
  return found !== undefined
}
