import { invalidParameterCombination, invalidParameterValue, missingParameter } from '@mallee/ec2-api'
import { wakeInterface } from '../../store/network-reach.ts'
import { readInterfaces, replaceInterfaceGroups, updateInterface } from '../../store/network-store.ts'
import type { NetworkInterfaceTable } from '../../store/tables.ts'
import { defineEc2Action, type ActionContext, type ActionTransaction } from '../define-action.ts'
import { requireOwned } from '../owned-networks.ts'
import { requireAttached } from './attach-network-interface.ts'
import { interfaceView } from './describe-network-interfaces.ts'
import { descriptionOf } from './network-interfaces.ts'
import { requireOwnInterface } from './require-interfaces.ts'
import { resolveGroups } from './resolve-groups.ts'

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeNetworkInterfaceAttribute.html */
export const describeNetworkInterfaceAttribute = defineEc2Action('DescribeNetworkInterfaceAttribute', {
  honours: ['NetworkInterfaceId', 'Attribute'],
  run(ctx, input) {
    return ctx.read(async (db) => {
      const { id } = await requireOwned(ctx, db, 'networkInterface', input.NetworkInterfaceId)
      const [entry] = await readInterfaces(db, { interfaceIds: [id] })
      const view = interfaceView(entry!, ctx.settings.region, [])
      const of = { NetworkInterfaceId: id }
      switch (input.Attribute) {
        case 'description':
          return { ...of, Description: { Value: view.Description } }
        case 'groupSet':
          return { ...of, Groups: view.Groups }
        case 'sourceDestCheck':
          return { ...of, SourceDestCheck: { Value: view.SourceDestCheck } }
        case 'attachment':
          return { ...of, ...(view.Attachment ? { Attachment: view.Attachment } : {}) }
        case undefined:
          throw missingParameter('attribute')
        default:
          throw invalidParameterValue(
            `Value (${String(input.Attribute).slice(0, 60)}) for attribute is invalid.`,
          )
      }
    })
  },
})

/** One attribute a call, as on AWS. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyNetworkInterfaceAttribute.html */
export const modifyNetworkInterfaceAttribute = defineEc2Action('ModifyNetworkInterfaceAttribute', {
  honours: [
    'NetworkInterfaceId',
    'Description.Value',
    'SourceDestCheck.Value',
    'Groups',
    'Attachment.AttachmentId',
    'Attachment.DeleteOnTermination',
  ],
  run(ctx, input) {
    const groups = input.Groups ?? []
    const said = [
      input.Description !== undefined,
      input.SourceDestCheck !== undefined,
      groups.length > 0,
      input.Attachment !== undefined,
    ].filter(Boolean).length
    if (said === 0) throw invalidParameterCombination('No attributes specified.')
    if (said > 1) throw invalidParameterCombination('Only one attribute can be modified at a time.')
    return ctx.transaction(async (tx) => {
      const entry = await requireOwnInterface(ctx, tx.db, input.NetworkInterfaceId)
      if (input.Description !== undefined)
        await updateInterface(tx, entry.id, { description: descriptionOf(input.Description.Value) })
      if (input.SourceDestCheck !== undefined)
        await updateInterface(tx, entry.id, {
          source_dest_check: input.SourceDestCheck.Value === false ? 0 : 1,
        })
      if (groups.length > 0) await setGroups(ctx, tx, entry, groups)
      if (input.Attachment !== undefined) await setAttachment(ctx, tx, entry, input.Attachment)
      tx.touch(entry.id)
      await wakeInterface(tx, ctx.wakes, entry)
      return {}
    })
  },
})

async function setGroups(
  ctx: ActionContext,
  tx: ActionTransaction,
  entry: NetworkInterfaceTable,
  ids: readonly string[],
): Promise<void> {
  const groupIds = await resolveGroups(ctx, tx.db, { vpcId: entry.vpc_id, ids, names: [] })
  await replaceInterfaceGroups(tx, entry.id, groupIds)
}

async function setAttachment(
  ctx: ActionContext,
  tx: ActionTransaction,
  entry: NetworkInterfaceTable,
  wish: { AttachmentId?: string | undefined; DeleteOnTermination?: boolean | undefined },
): Promise<void> {
  if (wish.AttachmentId === undefined) throw missingParameter('attachment.attachmentId')
  if (wish.DeleteOnTermination === undefined) throw missingParameter('attachment.deleteOnTermination')
  const attached = await requireAttached(ctx, tx.db, wish.AttachmentId)
  if (attached.id !== entry.id)
    throw invalidParameterValue(`The attachment '${wish.AttachmentId}' is not one of '${entry.id}'.`)
  await updateInterface(tx, entry.id, { delete_on_termination: wish.DeleteOnTermination ? 1 : 0 })
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ResetNetworkInterfaceAttribute.html */
export const resetNetworkInterfaceAttribute = defineEc2Action('ResetNetworkInterfaceAttribute', {
  honours: ['NetworkInterfaceId', 'SourceDestCheck'],
  run(ctx, input) {
    return ctx.transaction(async (tx) => {
      const entry = await requireOwnInterface(ctx, tx.db, input.NetworkInterfaceId)
      // The value is not looked at, as on AWS: naming the attribute resets it.
      if (input.SourceDestCheck === undefined) throw missingParameter('sourceDestCheck')
      await updateInterface(tx, entry.id, { source_dest_check: 1 })
      tx.touch(entry.id)
      await wakeInterface(tx, ctx.wakes, entry)
      return {}
    })
  },
})
