/**
 * Condition keys of resources that are there, as EC2 documents them by resource type.
 * https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html
 */
import type { ContextValue } from '@mallee/iam-policy'
import type { Reader } from '../store/record.ts'
import type { NamedResource } from './named-resources.ts'

export type Conditions = Record<string, ContextValue>

/** What is known of resources of the caller's account, or of images and snapshots of any; nothing of what is not there. */
export async function resourceConditions(
  db: Reader,
  resources: readonly NamedResource[],
  region: string,
): Promise<Map<string, Conditions>> {
  const found = new Map<string, Conditions>(resources.map(({ id }) => [id, {}]))
  if (resources.length === 0) return found
  const tags = await db
    .selectFrom('tag')
    .selectAll()
    .where('resource_id', 'in', [...found.keys()])
    .execute()
  for (const tag of tags) {
    const known = found.get(tag.resource_id)!
    known[`aws:ResourceTag/${tag.key}`] = tag.value
    known[`ec2:ResourceTag/${tag.key}`] = tag.value
  }
  for (const [type, read] of Object.entries(readers)) {
    const ids = resources.filter((resource) => resource.type === type).map(({ id }) => id)
    if (ids.length === 0) continue
    for (const [id, conditions] of await read(db, ids, region)) Object.assign(found.get(id)!, conditions)
  }
  return found
}

type Found = (readonly [id: string, conditions: Conditions])[]
type Read = (db: Reader, ids: readonly string[], region: string) => Promise<Found>

const vpcArn = (region: string, accountId: string, vpcId: string) =>
  `arn:aws:ec2:${region}:${accountId}:vpc/${vpcId}`

const inVpc =
  (table: 'security_group' | 'route_table' | 'network_acl'): Read =>
  async (db, ids, region) => {
    const rows = await db
      .selectFrom(table)
      .select(['id', 'account_id', 'vpc_id'])
      .where('id', 'in', ids)
      .execute()
    return rows.map((row) => [row.id, { 'ec2:Vpc': vpcArn(region, row.account_id, row.vpc_id) }])
  }

const readers: Readonly<Record<string, Read>> = {
  async instance(db, ids) {
    const rows = await db.selectFrom('instance').selectAll().where('id', 'in', ids).execute()
    return rows.map((row) => [
      row.id,
      {
        'ec2:InstanceType': row.instance_type,
        'ec2:AvailabilityZone': row.availability_zone,
        'ec2:RootDeviceType': row.root_device_type,
        'ec2:Tenancy': 'default',
        'ec2:InstanceID': row.id,
      },
    ])
  },
  async volume(db, ids, region) {
    const rows = await db.selectFrom('volume').selectAll().where('id', 'in', ids).execute()
    return rows.map((row) => [
      row.id,
      {
        'ec2:AvailabilityZone': row.availability_zone,
        'ec2:VolumeID': row.id,
        'ec2:VolumeSize': row.size_gib,
        'ec2:VolumeType': row.type,
        'ec2:VolumeIops': row.iops,
        'ec2:Encrypted': row.kms_key_id !== null,
        'ec2:ParentSnapshot': row.snapshot_id && `arn:aws:ec2:${region}::snapshot/${row.snapshot_id}`,
      },
    ])
  },
  async snapshot(db, ids, region) {
    const rows = await db.selectFrom('snapshot').selectAll().where('id', 'in', ids).execute()
    return rows.map((row) => [
      row.id,
      {
        'ec2:Owner': row.account_id,
        'ec2:VolumeSize': row.size_gib,
        'ec2:SnapshotID': row.id,
        'ec2:SnapshotTime': new Date(row.started_at),
        'ec2:ParentVolume': `arn:aws:ec2:${region}:${row.account_id}:volume/${row.volume_id}`,
      },
    ])
  },
  async image(db, ids) {
    const rows = await db.selectFrom('image').selectAll().where('id', 'in', ids).execute()
    return rows.map((row) => [
      row.id,
      {
        'ec2:ImageID': row.id,
        'ec2:ImageType': row.kind,
        'ec2:Owner': row.account_id,
        'ec2:Public': row.is_public === 1,
        'ec2:RootDeviceType': row.root_device_type,
      },
    ])
  },
  async subnet(db, ids, region) {
    const rows = await db.selectFrom('subnet').selectAll().where('id', 'in', ids).execute()
    return rows.map((row) => [
      row.id,
      {
        'ec2:AvailabilityZone': row.availability_zone,
        'ec2:SubnetID': row.id,
        'ec2:Vpc': vpcArn(region, row.account_id, row.vpc_id),
      },
    ])
  },
  async vpc(db, ids) {
    const rows = await db.selectFrom('vpc').select(['id', 'tag']).where('id', 'in', ids).execute()
    return rows.map((row) => [row.id, { 'ec2:VpcID': row.id, 'ec2:Tenancy': 'default' }])
  },
  'security-group': async (db, ids, region) => {
    const found = await inVpc('security_group')(db, ids, region)
    return found.map(([id, conditions]) => [id, { ...conditions, 'ec2:SecurityGroupID': id }])
  },
  'route-table': inVpc('route_table'),
  'network-acl': inVpc('network_acl'),
  'vpc-peering-connection': async (db, ids, region) => {
    const rows = await db.selectFrom('vpc_peering').selectAll().where('id', 'in', ids).execute()
    return rows.map((row) => [
      row.id,
      {
        'ec2:RequesterVpc': vpcArn(region, row.account_id, row.requester_vpc_id),
        'ec2:AccepterVpc': vpcArn(region, row.accepter_account_id, row.accepter_vpc_id),
      },
    ])
  },
  'network-interface': async (db, ids, region) => {
    const rows = await db.selectFrom('network_interface').selectAll().where('id', 'in', ids).execute()
    return rows.map((row) => [
      row.id,
      {
        'ec2:AvailabilityZone': row.availability_zone,
        'ec2:NetworkInterfaceID': row.id,
        'ec2:Subnet': `arn:aws:ec2:${region}:${row.account_id}:subnet/${row.subnet_id}`,
        'ec2:Vpc': vpcArn(region, row.account_id, row.vpc_id),
      },
    ])
  },
}
