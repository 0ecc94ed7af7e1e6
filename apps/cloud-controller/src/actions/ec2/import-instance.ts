import { newId, newUuid } from '@mallee/base'
import {
  invalidParameterValue,
  missingParameter,
  unsupportedParameter,
  type Ec2,
  type Ec2Input,
} from '@mallee/ec2-api'
import {
  getInstanceImport,
  type InstanceImportTable,
  type PlannedInstance,
} from '../../store/instance-import-store.ts'
import { freeAddresses, requireFree } from '../../store/free-addresses.ts'
import type { Reader } from '../../store/record.ts'
import type { SubnetTable } from '../../store/tables.ts'
import { defineEc2Action, type ActionContext, type ActionTransaction } from '../define-action.ts'
import { instanceTaskView } from './conversion-task-views.ts'
import { diskFormat, manifestPlace } from './disk-container.ts'
import { insertImportedVolume } from './insert-disk-import.ts'
import {
  checkUserData,
  claimInstanceQuota,
  defaultInstanceType,
  metadataOptionsOf,
  requireInstanceType,
  requireKeyPair,
} from './resolve-launch.ts'
import { hostAddress } from './private-addresses.ts'
import { resolveLaunchNetwork } from './resolve-launch-network.ts'
import { checkDescription } from './snapshots.ts'
import { mostVolumes } from './volume-devices.ts'

type Specification = NonNullable<Ec2Input<'ImportInstance'>['LaunchSpecification']>

/**
 * Makes an instance of disks that EC2's older tools bring in parts, which may be uploaded afterwards: the first is its
 * root. It is stopped when the task completes, and is started as any other.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ImportInstance.html
 */
export const importInstance = defineEc2Action('ImportInstance', {
  honours: [
    'Description',
    'DiskImages',
    'LaunchSpecification.Architecture',
    'LaunchSpecification.GroupIds',
    'LaunchSpecification.GroupNames',
    'LaunchSpecification.InstanceInitiatedShutdownBehavior',
    'LaunchSpecification.InstanceType',
    'LaunchSpecification.KeyName',
    'LaunchSpecification.Monitoring',
    'LaunchSpecification.Placement.AvailabilityZone',
    'LaunchSpecification.PrivateIpAddress',
    'LaunchSpecification.SubnetId',
    'LaunchSpecification.UserData',
  ],
  only: {
    'LaunchSpecification.Placement.Tenancy': ['default'],
    Platform: ['Linux'],
  },
  async run(ctx, input) {
    const description = checkDescription(input.Description)
    const disks = disksOf(input)
    const wanted = input.LaunchSpecification ?? {}
    const taskId = await ctx.transaction(async (tx) => {
      const id = newId('instanceConversionTask', ctx.random)
      const { zone, instanceId } = await promise(ctx, tx, { id, description, wanted })
      for (const [index, disk] of disks.entries()) {
        await insertImportedVolume(ctx, tx, {
          ...{ ...disk, id: `${id}-${index + 1}`, of: id, zone },
          ...{ instance_import_id: id, disk_index: index },
        })
      }
      tx.touch(id, instanceId)
      return id
    })
    return ctx.read(async (db) => {
      const task = (await getInstanceImport(db, taskId))!
      return { ConversionTask: await instanceTaskView(ctx, db, task) }
    })
  },
})

/** What the instance will need, as it will be: everything is claimed now, and the instance is made of it at the end. */
async function promise(
  ctx: ActionContext,
  tx: ActionTransaction,
  { id, description, wanted }: { id: string; description: string; wanted: Specification },
): Promise<{ zone: string; instanceId: string }> {
  const architecture = architectureOf(wanted.Architecture)
  const typeName = wanted.InstanceType ?? defaultInstanceType
  const { vcpus, memory_mib: memoryMiB } = await requireInstanceType(tx.db, typeName)
  const key = wanted.KeyName === undefined ? null : await requireKeyPair(ctx, tx.db, wanted.KeyName)
  const network = await resolveLaunchNetwork(ctx, tx.db, {
    ...{ MaxCount: 1, SubnetId: wanted.SubnetId, Placement: wanted.Placement },
    ...{ SecurityGroupIds: wanted.GroupIds, SecurityGroups: wanted.GroupNames },
  })
  const zone = network.availabilityZone ?? ctx.settings.availabilityZones[0]!
  const subnet = network.subnetIn(zone)
  const address = await claimAddress(tx.db, subnet, wanted.PrivateIpAddress)
  const request = { minCount: 1, maxCount: 1, vcpus }
  await claimInstanceQuota(ctx, tx, { request, capacity: await ctx.capacity.at(tx) })
  const [instanceId, imageId] = [newId('instance', ctx.random), newId('image', ctx.random)]
  const planned: PlannedInstance = {
    ...unplaced,
    ...{ id: instanceId, account_id: ctx.caller.accountId, user_id: ctx.caller.userId },
    ...{ reservation_id: newId('reservation', ctx.random), image_id: imageId, uuid: newUuid(ctx.random) },
    ...{ instance_type: typeName, vcpus, memory_mib: memoryMiB, ...placeIn(subnet) },
    ...{ key_name: key?.name ?? null, public_key: key?.public_key ?? null },
    user_data: checkUserData(wanted.UserData?.Data),
    metadata_options: JSON.stringify(metadataOptionsOf(ctx, undefined)),
    monitoring: wanted.Monitoring === true ? 1 : 0,
    shutdown_behavior: wanted.InstanceInitiatedShutdownBehavior ?? 'stop',
    ...{ request_id: ctx.requestId, trace_parent: ctx.traceparent },
  }
  const row: InstanceImportTable = {
    ...{ id, account_id: ctx.caller.accountId, instance_id: instanceId, image_id: imageId, architecture },
    ...{ planned: JSON.stringify(planned), group_ids: JSON.stringify(network.groupIds), vcpus },
    subnet_id: subnet.id,
    private_ip: address,
    ...{ description, created_at: ctx.nowMs, request_id: ctx.requestId, trace_parent: ctx.traceparent },
    ...{ phase: 'converting', message: null, cancel_reason: null },
  }
  await tx.db.insertInto('instance_import').values(row).execute()
  return { zone, instanceId }
}

/** Kept for the instance, so that its subnet cannot be full when its disks are there. */
async function claimAddress(db: Reader, subnet: SubnetTable, wished: string | undefined): Promise<number> {
  if (wished === undefined) return (await freeAddresses(db, subnet, 1))[0]!
  const address = hostAddress(subnet, wished)
  await requireFree(db, subnet.id, [address])
  return address
}

const placeIn = ({ id, vpc_id, availability_zone }: SubnetTable) => ({
  subnet_id: id,
  vpc_id,
  availability_zone,
})

/** An instance that boots from a volume, on no node yet. */
const unplaced = {
  launch_index: 0,
  kernel_id: null,
  ramdisk_id: null,
  disk_gib: 0,
  client_token: null,
  node_id: null,
  api_termination_disabled: 0,
  api_stop_disabled: 0,
  state: 'pending',
  desired: 'stopped',
  state_reason_code: null,
  state_reason_message: null,
  generation: 1,
  incarnation: 0,
  restarts: 0,
  reboot_count: 0,
  console_count: 0,
  screenshot_count: 0,
  stop_forced: 0,
  ephemerals: null,
  placement_group_id: null,
  partition_number: null,
  launch_template_id: null,
  launch_template_version: null,
  root_device_type: 'ebs',
  root_device_name: '/dev/sda1',
} as const

function architectureOf(given: string | undefined): InstanceImportTable['architecture'] {
  const name = given ?? 'x86_64'
  if (name === 'x86_64' || name === 'arm64' || name === 'i386') return name
  throw invalidParameterValue(
    `Value (${name.slice(0, 40)}) for parameter LaunchSpecification.Architecture is invalid. Valid values are i386, x86_64 and arm64.`,
  )
}

/** Throws MissingParameter and InvalidParameterValue. */
function disksOf({ DiskImages: images = [] }: Ec2Input<'ImportInstance'>) {
  if (images.length === 0) throw missingParameter('DiskImage')
  if (images.length > mostVolumes) throw unsupportedParameter(`DiskImage.${mostVolumes + 1}`)
  return images.map((image, index) => diskOf(image, `DiskImage.${index + 1}`))
}

function diskOf({ Image: image, Volume: volume, Description: said }: Ec2.DiskImage, name: string) {
  if (!image) throw missingParameter(`${name}.Image`)
  if (!volume) throw missingParameter(`${name}.Volume.Size`)
  return {
    format: diskFormat(image.Format, `${name}.Image.Format`),
    ...manifestPlace(image.ImportManifestUrl, `${name}.Image.ImportManifestUrl`),
    ...{ url: image.ImportManifestUrl, source_bytes: image.Bytes, sizeGiB: volume.Size },
    description: checkDescription(said),
  }
}
