import { formatIpv4, GiB, MiB, must } from '@mallee/base'
import type { Artifact, AttachedVolume, DomainItem, MetadataOptions } from '@mallee/agent-contract'
import type { CloudSettings } from '../settings.ts'
import { readInterfaces, type InterfaceView } from '../store/network-store.ts'
import type { Reader } from '../store/record.ts'
import { profilesOf } from '../store/profile-association-store.ts'
import { readTags } from '../store/tag-store.ts'
import type { DomainTable, ImageTable, InstanceTable, VolumeTable } from '../store/tables.ts'
import { readVpcCidrs } from '../store/vpc-cidr-store.ts'
import { volumeLimits } from '../store/volume-types.ts'
import { reachedExports } from '../store/volume-store.ts'
import { privateDnsName, publicDnsName } from '../views/instance-view.ts'

/** How long a guest that is to be terminated has to shut itself down before it is ended. */
const graceMs = 5_000

/** The item of one incarnation as its node is to have it. */
export async function domainItem(
  db: Reader,
  settings: CloudSettings,
  instance: InstanceTable,
  domain: Pick<DomainTable, 'incarnation' | 'intent'>,
): Promise<DomainItem> {
  const image = await db
    .selectFrom('image')
    .selectAll()
    .where('id', '=', instance.image_id)
    .executeTakeFirstOrThrow()
  const { interfaces, cidrOf } = await interfacesOf(db, instance)
  const vpc = await db
    .selectFrom('vpc')
    .selectAll()
    .where('id', '=', instance.vpc_id)
    .executeTakeFirstOrThrow()
  const blocks = (await readVpcCidrs(db, [vpc.id])).get(vpc.id) ?? []
  const cidrs = {
    vpcCidr: vpc.cidr,
    ...(blocks.length > 1 ? { vpcCidrs: blocks.map(({ cidr }) => cidr) } : {}),
  }
  const tags = (await readTags(db, instance.account_id, [instance.id])).get(instance.id) ?? []
  const primary = interfaces.find((entry) => entry.device_index === 0)
  return {
    ...causeOf(instance),
    intent: domain.intent,
    instanceId: instance.id,
    incarnation: domain.incarnation,
    graceMs,
    rebootCount: instance.reboot_count,
    consoleCount: instance.console_count,
    accountId: instance.account_id,
    userId: instance.user_id,
    reservationId: instance.reservation_id,
    launchIndex: instance.launch_index,
    launchTimeMs: instance.launched_at,
    uuid: instance.uuid,
    region: settings.region,
    availabilityZone: instance.availability_zone,
    instanceType: instance.instance_type,
    vcpus: instance.vcpus,
    memoryMiB: instance.memory_mib,
    diskGiB: Math.max(instance.disk_gib, 1),
    platform: 'linux',
    architecture: image.architecture,
    rootDeviceName: instance.root_device_name ?? image.root_device_name,
    ...machineOf(instance, image),
    kernel: await artifactById(db, instance.kernel_id),
    ramdisk: await artifactById(db, instance.ramdisk_id),
    keyName: instance.key_name,
    publicKey: instance.public_key,
    userData: instance.user_data,
    privateDnsName: primary ? privateDnsName(settings.region, primary.private_ip) : '',
    publicDnsName: primary ? publicDnsName(settings.region, primary, primary.public_ip) : '',
    interfaces: interfaces.map((entry) => guestInterface(entry, cidrOf.get(entry.subnet_id) ?? '', cidrs)),
    metadata: JSON.parse(instance.metadata_options) as MetadataOptions,
    tags: Object.fromEntries(tags.map((tag) => [tag.Key, tag.Value])),
    // Left out while they say nothing: rows from before they were known make the very items that they made.
    ...(instance.screenshot_count === 0 ? {} : { screenshotCount: instance.screenshot_count }),
    ...(instance.monitoring === 0 ? {} : { monitoring: true }),
    ...(await placementGroupOf(db, instance)),
    ...(await instanceProfileOf(db, instance)),
    ...(await volumesOf(db, instance)),
  }
}

/** Those that it is to have, in their places, and the blocks of their subnets. */
async function interfacesOf(
  db: Reader,
  instance: InstanceTable,
): Promise<{ interfaces: InterfaceView[]; cidrOf: ReadonlyMap<string, string> }> {
  const interfaces = (await readInterfaces(db, { instanceIds: [instance.id] }))
    .filter((entry) => entry.attachment_state !== 'detaching')
    .toSorted((a, b) => (a.device_index ?? 0) - (b.device_index ?? 0))
  const ids = ['', ...interfaces.map((entry) => entry.subnet_id)]
  const subnets = await db.selectFrom('subnet').select(['id', 'cidr']).where('id', 'in', ids).execute()
  return { interfaces, cidrOf: new Map(subnets.map((subnet) => [subnet.id, subnet.cidr])) }
}

/** Left out where unknown, so that rows from before that was known make the very items they made. */
export function causeOf(row: { request_id: string | null; trace_parent: string | null }) {
  return {
    ...(row.request_id === null ? {} : { requestId: row.request_id }),
    ...(row.trace_parent === null ? {} : { traceparent: row.trace_parent }),
  }
}

async function placementGroupOf(
  db: Reader,
  { placement_group_id: id, partition_number: partition }: InstanceTable,
): Promise<Pick<DomainItem, 'placementGroup'>> {
  if (id === null) return {}
  const group = await db.selectFrom('placement_group').select('name').where('id', '=', id).executeTakeFirst()
  return group ? { placementGroup: { name: group.name, partition } } : {}
}

async function instanceProfileOf(
  db: Reader,
  instance: InstanceTable,
): Promise<Pick<DomainItem, 'instanceProfile'>> {
  const found = (await profilesOf(db, [instance.id])).get(instance.id)
  return found ? { instanceProfile: { arn: found.profile.arn, id: found.profile.id } } : {}
}

function machineOf(
  instance: InstanceTable,
  image: ImageTable,
): Pick<DomainItem, 'machine'> & Partial<DomainItem> {
  return instance.root_device_type === 'ebs'
    ? { machine: null, imageId: image.id }
    : { machine: artifactOf(image) }
}

/** Those that can be reached from its node now; left out where there are none. */
async function volumesOf(db: Reader, instance: InstanceTable): Promise<Pick<DomainItem, 'volumes'>> {
  const ready = await reachedExports(db, instance.id)
  if (ready.size === 0) return {}
  const rows = await db
    .selectFrom('volume_attachment')
    .innerJoin('volume', 'volume.id', 'volume_attachment.volume_id')
    .selectAll('volume')
    .select([
      'volume_attachment.id as attachment_id',
      'volume_attachment.device',
      'volume_attachment.is_root',
    ])
    .where('volume_attachment.instance_id', '=', instance.id)
    .where('volume_attachment.state', '!=', 'detaching')
    .orderBy('volume_attachment.is_root', 'desc')
    .orderBy('volume_attachment.device')
    .execute()
  const volumes = rows.flatMap((row): AttachedVolume[] => {
    const reached = ready.get(row.attachment_id)
    if (reached?.node_id !== instance.node_id) return []
    return [
      {
        attachmentId: reached.id,
        volumeId: row.id,
        device: row.device,
        root: row.is_root === 1,
        sizeBytes: Math.min(row.size_gib * GiB, row.observed_size_bytes ?? row.size_gib * GiB),
        ...limitsOf(row),
      },
    ]
  })
  return volumes.length === 0 ? {} : { volumes }
}

/** What a volume's type admits: a class of service, kept by the hypervisor. */
function limitsOf(volume: VolumeTable): { iops: number; bytesPerSecond: number } {
  const burst = volumeLimits(volume)
  return { iops: burst.iops, bytesPerSecond: burst.mibPerSecond * MiB }
}

function artifactOf(image: ImageTable): Artifact {
  return {
    imageId: image.id,
    bucket: image.bucket,
    key: image.object_key,
    sha256: must(image.sha256, `the digest of ${image.id}`),
    sizeBytes: must(image.size_bytes, `the size of ${image.id}`),
    format: must(image.format, `the format of ${image.id}`),
    // Left out of a disk's, so that items from before layouts were known keep their digest.
    ...(image.layout === 'partition' ? { layout: image.layout } : {}),
  }
}

async function artifactById(db: Reader, id: string | null): Promise<Artifact | null> {
  if (id === null) return null
  return artifactOf(await db.selectFrom('image').selectAll().where('id', '=', id).executeTakeFirstOrThrow())
}

function guestInterface(
  entry: InterfaceView,
  subnetCidr: string,
  cidrs: Pick<DomainItem['interfaces'][number], 'vpcCidr' | 'vpcCidrs'>,
): DomainItem['interfaces'][number] {
  return {
    interfaceId: entry.id,
    attachmentId: entry.attachment_id ?? '',
    deviceIndex: entry.device_index ?? 0,
    mac: entry.mac,
    privateIp: formatIpv4(entry.private_ip),
    publicIp: entry.public_ip === null ? null : formatIpv4(entry.public_ip),
    subnetId: entry.subnet_id,
    subnetCidr,
    vpcId: entry.vpc_id,
    ...cidrs,
    securityGroupIds: entry.groups.map((group) => group.id),
    securityGroupNames: entry.groups.map((group) => group.name),
    ...secondaryOf(entry),
  }
}

/** Left out where there are none. */
function secondaryOf(entry: InterfaceView): Pick<DomainItem['interfaces'][number], 'secondary'> {
  const others = entry.addresses.filter((address) => address.is_primary === 0)
  if (others.length === 0) return {}
  return {
    secondary: others.map((address) => ({
      privateIp: formatIpv4(address.private_ip),
      publicIp: address.public_ip === null ? null : formatIpv4(address.public_ip),
    })),
  }
}
