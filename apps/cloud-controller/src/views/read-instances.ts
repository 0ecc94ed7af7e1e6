import type { Ec2 } from '@mallee/ec2-api'
import type { Reader } from '../store/record.ts'
import { readInterfaces } from '../store/network-store.ts'
import { profilesOf } from '../store/profile-association-store.ts'
import { readTags } from '../store/tag-store.ts'
import type { InstanceTable, PlacementGroupTable, VolumeAttachmentTable } from '../store/tables.ts'
import { instanceView, type InstanceRows } from './instance-view.ts'

/** Gathers what the views of these instances need, in a fixed number of reads. */
export async function readInstanceRows(
  db: Reader,
  accountId: string | null,
  instances: readonly InstanceTable[],
): Promise<InstanceRows[]> {
  const ids = instances.map((instance) => instance.id)
  const interfaces = Map.groupBy(await interfacesOf(db, accountId, ids), (entry) => entry.instance_id)
  const tags = await readTags(db, accountId, ids)
  const imageIds = [...new Set(instances.map((instance) => instance.image_id))]
  const images =
    imageIds.length > 0 ? await db.selectFrom('image').selectAll().where('id', 'in', imageIds).execute() : []
  const groups = await placementGroupsOf(db, instances)
  const profiles = await profilesOf(db, ids)
  const volumes = Map.groupBy(await attachmentsOf(db, ids), (row) => row.instance_id)
  const byImage = new Map(images.map((image) => [image.id, image]))
  return instances.map((instance) => ({
    instance,
    interfaces: interfaces.get(instance.id) ?? [],
    image: byImage.get(instance.image_id),
    placementGroup:
      instance.placement_group_id === null ? undefined : groups.get(instance.placement_group_id),
    profile: profiles.get(instance.id),
    tags: tags.get(instance.id) ?? [],
    volumes: volumes.get(instance.id) ?? [],
  }))
}

/**
 * Each living instance with the tag `euca:node`, which names its node: what the cloud's admin is told where everything
 * is asked for, as Eucalyptus did, and by which euserv-describe-node-controllers finds the instances of each node.
 */
export async function withNodeTags(db: Reader, rows: readonly InstanceRows[]): Promise<InstanceRows[]> {
  const nodeOf = ({ instance }: InstanceRows) => (instance.state === 'terminated' ? null : instance.node_id)
  const ids = [...new Set(rows.map(nodeOf))].filter((id) => id !== null)
  if (ids.length === 0) return [...rows]
  const nodes = await db.selectFrom('agent').select(['id', 'name']).where('id', 'in', ids).execute()
  const names = new Map<string | null, string>(nodes.map(({ id, name }) => [id, name]))
  return rows.map((row) => {
    const name = names.get(nodeOf(row))
    return name === undefined ? row : { ...row, tags: [...row.tags, { Key: 'euca:node', Value: name }] }
  })
}

async function placementGroupsOf(db: Reader, instances: readonly InstanceTable[]) {
  const ids = new Set(instances.map((instance) => instance.placement_group_id).filter((id) => id !== null))
  if (ids.size === 0) return new Map<string, PlacementGroupTable>()
  const groups = await db
    .selectFrom('placement_group')
    .selectAll()
    .where('id', 'in', [...ids])
    .execute()
  return new Map(groups.map((group) => [group.id, group]))
}

async function attachmentsOf(db: Reader, ids: readonly string[]): Promise<VolumeAttachmentTable[]> {
  if (ids.length === 0) return []
  return db
    .selectFrom('volume_attachment')
    .selectAll()
    .$if(ids.length <= wholeAccount, (query) => query.where('instance_id', 'in', ids))
    .orderBy('is_root', 'desc')
    .orderBy('device')
    .execute()
}

/** More than any page has: then one read of the whole account beats looking up each id. */
const wholeAccount = 2000

function interfacesOf(db: Reader, accountId: string | null, ids: readonly string[]) {
  const owner = accountId === null ? {} : { accountId }
  return ids.length > wholeAccount
    ? readInterfaces(db, owner)
    : readInterfaces(db, { ...owner, instanceIds: ids })
}

/** Reservations in the order of their instances, each with its instances by launch index. */
export function reservationViews(rows: readonly InstanceRows[], region: string): Ec2.Reservation[] {
  return [...Map.groupBy(rows, (entry) => entry.instance.reservation_id)].map(([reservationId, members]) => ({
    ReservationId: reservationId,
    OwnerId: members[0]!.instance.account_id,
    Groups: [],
    Instances: members
      .toSorted((a, b) => a.instance.launch_index - b.instance.launch_index)
      .map((entry) => instanceView(entry, region)),
  }))
}
