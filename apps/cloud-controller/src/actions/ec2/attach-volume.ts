import {
  attachmentLimitExceeded,
  incorrectInstanceState,
  incorrectState,
  invalidAttachmentNotFound,
  invalidVolumeZoneMismatch,
  operationNotPermitted,
  volumeInUse,
} from '@mallee/ec2-api'
import type { InstanceTable, VolumeAttachmentTable, VolumeTable } from '../../store/tables.ts'
import {
  attachmentOfVolume,
  attachmentsOfInstance,
  insertAttachment,
  transitionAttachment,
  transitionVolume,
} from '../../store/volume-store.ts'
import { attachmentView } from '../../views/volume-view.ts'
import { defineEc2Action, type ActionTransaction } from '../define-action.ts'
import { requireInstances } from '../require-instances.ts'
import { requireVolume } from './require-volumes.ts'
import { deviceNamed, mostVolumes, placeOf, requireFreeDevice } from './volume-devices.ts'

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AttachVolume.html */
export const attachVolume = defineEc2Action('AttachVolume', {
  honours: ['VolumeId', 'InstanceId', 'Device'],
  async run(ctx, input) {
    const device = deviceNamed(input.Device)
    return ctx.transaction(async (tx) => {
      const volume = await requireVolume(ctx, tx.db, input.VolumeId)
      const [instance] = await requireInstances(ctx, tx.db, [input.InstanceId])
      await checkAttachable(tx, volume, instance!)
      const present = await attachmentsOfInstance(tx.db, instance!.id)
      if (present.length >= mostVolumes)
        throw attachmentLimitExceeded(`${instance!.id} has ${present.length} volumes, and no more can be.`)
      const own =
        instance!.root_device_type === 'ebs' ? [] : [{ device: instance!.root_device_name ?? '/dev/sda1' }]
      requireFreeDevice(device, [...present, ...own])
      const attachment = await insertAttachment(tx, ctx, {
        volume,
        instanceId: instance!.id,
        device,
        isRoot: isMissingRoot(instance!, device, present),
        deleteOnTermination: false,
      })
      await transitionVolume(tx, volume, 'attachAsked', { nowMs: ctx.nowMs, requestId: ctx.requestId })
      tx.touch(volume.id, instance!.id)
      return attachmentView(attachment)
    })
  },
})

/** A root that was taken away to be mended is the root again when it is put back in its place. */
function isMissingRoot(
  instance: InstanceTable,
  device: string,
  present: readonly VolumeAttachmentTable[],
): boolean {
  const { root_device_type: type, root_device_name: name } = instance
  return (
    type === 'ebs' && !present.some((entry) => entry.is_root === 1) && placeOf(device) === placeOf(name ?? '')
  )
}

async function checkAttachable(
  tx: ActionTransaction,
  volume: VolumeTable,
  instance: InstanceTable,
): Promise<void> {
  if (instance.state !== 'running' && instance.state !== 'stopped')
    throw incorrectInstanceState(`The instance '${instance.id}' is not 'running'.`)
  if (instance.availability_zone !== volume.availability_zone)
    throw invalidVolumeZoneMismatch(volume.id, instance.id)
  if (await attachmentOfVolume(tx.db, volume.id))
    throw volumeInUse(`${volume.id} is already attached to an instance`)
  if (volume.state !== 'available') throw incorrectState(`Volume '${volume.id}' is not 'available'.`)
}

/**
 * The guest is asked to give the volume back; with Force its way to the volume is cut whatever the guest does.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DetachVolume.html
 */
export const detachVolume = defineEc2Action('DetachVolume', {
  honours: ['VolumeId', 'InstanceId', 'Device', 'Force'],
  run(ctx, input) {
    return ctx.transaction(async (tx) => {
      const volume = await requireVolume(ctx, tx.db, input.VolumeId)
      const attachment = await attachmentOfVolume(tx.db, volume.id)
      if (!attachment) throw incorrectState(`Volume '${volume.id}' is in the '${volume.state}' state.`)
      const { instance_id: instanceId } = attachment
      if (input.InstanceId !== undefined && input.InstanceId !== instanceId) {
        await requireInstances(ctx, tx.db, [input.InstanceId])
        throw invalidAttachmentNotFound(
          `The volume '${volume.id}' is not attached to instance '${input.InstanceId}'`,
        )
      }
      if (input.Device !== undefined && deviceNamed(input.Device) !== attachment.device)
        throw invalidAttachmentNotFound(
          `The volume '${volume.id}' is not attached to instance '${instanceId}' as device '${input.Device}'`,
        )
      const [instance] = await requireInstances(ctx, tx.db, [instanceId])
      if (attachment.is_root === 1 && instance!.state !== 'stopped')
        throw operationNotPermitted(
          `Unable to detach root volume '${volume.id}' from instance '${instanceId}'`,
        )
      const after = await transitionAttachment(tx, attachment, 'detachAsked', {
        nowMs: ctx.nowMs,
        requestId: ctx.requestId,
        forced: input.Force === true,
      })
      tx.touch(volume.id, instanceId)
      tx.afterCommit(() => ctx.wakes.attachment(attachment.id))
      tx.afterCommit(() => ctx.wakes.instance(instanceId))
      return attachmentView(after)
    })
  },
})
