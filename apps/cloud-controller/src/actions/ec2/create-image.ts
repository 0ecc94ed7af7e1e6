import { newId } from '@mallee/base'
import {
  bundlingInProgress,
  incorrectInstanceState,
  invalidBlockDeviceMapping,
  unsupportedForInstanceStore,
} from '@mallee/ec2-api'
import { openBundleTask } from '../../store/bundle-task-store.ts'
import { imageThatHoldsDown } from '../../store/image-store.ts'
import { putTags } from '../../store/tag-store.ts'
import type { ImageBlockDeviceTable, InstanceTable } from '../../store/tables.ts'
import { attachmentsOfInstance, getVolume } from '../../store/volume-store.ts'
import { defineEc2Action, type ActionContext, type ActionTransaction } from '../define-action.ts'
import { requireInstances } from '../require-instances.ts'
import { tagRows } from '../tag-specifications.ts'
import { checkImageName, insertImage, snapshotImage } from './register-image.ts'
import { snapshotVolume } from './snapshots.ts'
import { deviceNamed, placeOf } from './volume-devices.ts'

/**
 * An image of an instance that boots from a volume: its volumes are snapshotted, by default while it is shut down, and
 * registered together. The image is pending until every snapshot is whole; its reconciler leads it there.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateImage.html
 */
export const createImage = defineEc2Action('CreateImage', {
  honours: [
    'InstanceId',
    'Name',
    'Description',
    'NoReboot',
    'BlockDeviceMappings.DeviceName',
    'BlockDeviceMappings.NoDevice',
    'TagSpecifications',
  ],
  only: { SnapshotLocation: ['regional'] },
  creates: ['image', 'snapshot'],
  run(ctx, input) {
    checkImageName(input.Name)
    const leftOut = (input.BlockDeviceMappings ?? []).map((mapping) => {
      if (mapping.DeviceName === undefined || mapping.NoDevice === undefined)
        throw invalidBlockDeviceMapping(
          'Of the devices of an instance, an image can leave some out, by NoDevice.',
        )
      return deviceNamed(mapping.DeviceName)
    })
    return ctx.transaction(async (tx) => {
      const [instance] = await requireInstances(ctx, tx.db, [input.InstanceId])
      await requireImageable(tx, instance!)
      const source = await tx.db
        .selectFrom('image')
        .selectAll()
        .where('id', '=', instance!.image_id)
        .executeTakeFirstOrThrow()
      const goesDown = input.NoReboot !== true && instance!.state === 'running'
      const id = await insertImage(ctx, tx, {
        ...snapshotImage,
        id: newId('image', ctx.random),
        name: input.Name,
        description: input.Description ?? null,
        architecture: source.architecture,
        root_device_name: instance!.root_device_name ?? source.root_device_name,
        kernel_id: instance!.kernel_id,
        ramdisk_id: instance!.ramdisk_id,
        source_instance_id: instance!.id,
        create_phase: goesDown ? 'shutdown' : 'upload',
      })
      const snapshots = await snapshotDevices(ctx, tx, { imageId: id, instance: instance!, leftOut })
      await putTags(tx, [
        ...tagRows(ctx, input.TagSpecifications, 'image', [id]),
        ...tagRows(ctx, input.TagSpecifications, 'snapshot', snapshots),
      ])
      tx.touch(instance!.id)
      tx.afterCommit(() => ctx.wakes.instance(instance!.id))
      return { ImageId: id }
    })
  },
})

async function requireImageable(tx: ActionTransaction, instance: InstanceTable): Promise<void> {
  if (instance.root_device_type !== 'ebs')
    throw unsupportedForInstanceStore(instance.id, 'made an image of; bundle it instead')
  if (instance.state !== 'running' && instance.state !== 'stopped')
    throw incorrectInstanceState(`The instance '${instance.id}' is '${instance.state}'.`)
  const bundle = await openBundleTask(tx.db, instance.id)
  if (bundle) throw bundlingInProgress(bundle.id)
  const open = await imageThatHoldsDown(tx.db, instance.id)
  if (open) throw incorrectInstanceState(`The image ${open.id} of '${instance.id}' is being made.`)
}

/** Rows of the snapshots, and of what the image maps; taken when the image's reconciler lets them be. */
async function snapshotDevices(
  ctx: ActionContext,
  tx: ActionTransaction,
  of: { readonly imageId: string; readonly instance: InstanceTable; readonly leftOut: readonly string[] },
): Promise<string[]> {
  const out = new Set(of.leftOut.map(placeOf))
  const attachments = (await attachmentsOfInstance(tx.db, of.instance.id)).filter(
    ({ state, device }) => state !== 'detaching' && !out.has(placeOf(device)),
  )
  if (!attachments.some((entry) => entry.is_root === 1))
    throw invalidBlockDeviceMapping(`${of.instance.id} has no root volume, or it is left out.`)
  const rows: ImageBlockDeviceTable[] = []
  for (const [ordinal, { device, volume_id: volumeId, delete_on_termination }] of attachments.entries()) {
    const volume = (await getVolume(tx.db, volumeId))!
    const text = `Created by CreateImage(${of.instance.id}) for ${of.imageId}`
    const snapshot = await snapshotVolume(ctx, tx, volume, text)
    rows.push({
      image_id: of.imageId,
      ...{ device, ordinal, virtual_name: null, snapshot_id: snapshot.id, size_gib: volume.size_gib },
      ...{ type: volume.type, iops: volume.iops, throughput: volume.throughput, delete_on_termination },
      encrypted: volume.kms_key_id === null ? 0 : 1,
    })
  }
  await tx.db.insertInto('image_block_device').values(rows).execute()
  return rows.map((row) => row.snapshot_id!)
}
