import {
  attachmentLimitExceeded,
  incorrectInstanceState,
  incorrectState,
  invalidAttachmentIdMalformed,
  invalidAttachmentIdNotFound,
  invalidNetworkInterfaceInUse,
  invalidParameterCombination,
  invalidParameterValue,
  operationNotPermitted,
} from '@mallee/ec2-api'
import {
  attachInterface,
  detachInterface,
  interfacesOfInstance,
  mostInterfaces,
} from '../../store/interface-store.ts'
import type { Reader } from '../../store/record.ts'
import type { InstanceTable, NetworkInterfaceTable } from '../../store/tables.ts'
import { defineEc2Action, type ActionContext } from '../define-action.ts'
import { requireIds } from '../required-ids.ts'
import { requireInstances } from '../require-instances.ts'
import { requireOwnInterface } from './require-interfaces.ts'

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AttachNetworkInterface.html */
export const attachNetworkInterface = defineEc2Action('AttachNetworkInterface', {
  honours: ['NetworkInterfaceId', 'InstanceId', 'DeviceIndex'],
  only: { NetworkCardIndex: [0] },
  run(ctx, input) {
    return ctx.transaction(async (tx) => {
      const entry = await requireOwnInterface(ctx, tx.db, input.NetworkInterfaceId)
      const [instance] = await requireInstances(ctx, tx.db, [input.InstanceId])
      await checkAttachable(tx.db, entry, instance!, input.DeviceIndex)
      const id = await attachInterface(tx, ctx.wakes, {
        entry,
        instance: instance!,
        deviceIndex: input.DeviceIndex,
        deleteOnTermination: false,
        random: ctx.random,
        nowMs: ctx.nowMs,
      })
      tx.touch(entry.id, instance!.id)
      return { AttachmentId: id, NetworkCardIndex: 0 }
    })
  },
})

async function checkAttachable(
  db: Reader,
  entry: NetworkInterfaceTable,
  instance: InstanceTable,
  deviceIndex: number,
): Promise<void> {
  if (entry.instance_id !== null) throw invalidNetworkInterfaceInUse(entry.id)
  if (instance.state !== 'running' && instance.state !== 'stopped')
    throw incorrectInstanceState(`The instance '${instance.id}' is not in the 'running' or 'stopped' state.`)
  if (instance.availability_zone !== entry.availability_zone)
    throw invalidParameterCombination(
      'You may not attach a network interface to an instance if they are not in the same availability zone',
    )
  if (instance.vpc_id !== entry.vpc_id)
    throw invalidParameterCombination('You may not attach a network interface to an instance of another VPC.')
  if (deviceIndex < 1 || deviceIndex > 15)
    throw invalidParameterValue(`Value (${deviceIndex}) for parameter deviceIndex is invalid.`)
  const present = await interfacesOfInstance(db, instance.id)
  if (present.some((other) => other.device_index === deviceIndex))
    throw invalidParameterValue(
      `Instance '${instance.id}' already has an interface attached at device index '${deviceIndex}'.`,
    )
  if (present.length >= mostInterfaces)
    throw attachmentLimitExceeded(
      `Interface count ${present.length + 1} exceeds the limit for ${instance.instance_type}`,
    )
}

/**
 * The guest is asked to give the interface back; with Force it is free at once, and what the guest keeps is cut off.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DetachNetworkInterface.html
 */
export const detachNetworkInterface = defineEc2Action('DetachNetworkInterface', {
  honours: ['AttachmentId', 'Force'],
  run(ctx, input) {
    return ctx.transaction(async (tx) => {
      const entry = await requireAttached(ctx, tx.db, input.AttachmentId)
      if (entry.requester_managed === 1)
        throw operationNotPermitted(`You are not allowed to manage '${entry.id}'.`)
      if (entry.device_index === 0)
        throw operationNotPermitted('The network interface at device index 0 cannot be detached.')
      const [instance] = await requireInstances(ctx, tx.db, [entry.instance_id!])
      const force = input.Force === true
      if (entry.attachment_state === 'detaching' && !force)
        throw incorrectState(`The attachment '${input.AttachmentId}' is being detached.`)
      await detachInterface(tx, ctx.wakes, entry, { now: force || instance!.node_id === null })
      tx.touch(entry.id, instance!.id)
      return {}
    })
  },
})

/** The caller's interface that is attached under this id. */
export async function requireAttached(
  ctx: ActionContext,
  db: Reader,
  attachmentId: string,
): Promise<NetworkInterfaceTable> {
  const rows = await db
    .selectFrom('network_interface')
    .selectAll()
    .where('attachment_id', '=', attachmentId)
    .where('account_id', '=', ctx.caller.accountId)
    .execute()
  const [entry] = requireIds([attachmentId], rows, {
    kind: 'networkInterfaceAttachment',
    idOf: (row) => row.attachment_id!,
    malformed: invalidAttachmentIdMalformed,
    missing: ([id]) => invalidAttachmentIdNotFound(id!),
  })
  return entry!
}
