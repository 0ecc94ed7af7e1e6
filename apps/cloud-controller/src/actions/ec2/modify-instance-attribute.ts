import {
  incorrectInstanceState,
  instanceNotStopped,
  invalidInstanceAttributeValue,
  invalidParameterCombination,
  invalidParameterValue,
  missingParameter,
  unsupportedForInstanceStore,
  unsupportedParameter,
  type Ec2Input,
} from '@mallee/ec2-api'
import { updateInstance } from '../../store/instance-store.ts'
import { wakeInterface } from '../../store/network-reach.ts'
import { replaceInterfaceGroups, updateInterface } from '../../store/network-store.ts'
import type { InstanceTable } from '../../store/tables.ts'
import { attachmentsOfInstance } from '../../store/volume-store.ts'
import { defineEc2Action, type ActionContext, type ActionTransaction } from '../define-action.ts'
import { requireInstances } from '../require-instances.ts'
import { changeStopped, textOf } from './change-stopped-instance.ts'
import { onlyInterfaceOf } from './require-interfaces.ts'
import { resolveGroups } from './resolve-groups.ts'
import { deviceNamed } from './volume-devices.ts'

type Input = Ec2Input<'ModifyInstanceAttribute'>
type Attribute = NonNullable<Input['Attribute']>

/**
 * One attribute a call, said either by a member of its own (`DisableApiTermination.Value`) or by name
 * (`Attribute=disableApiTermination`, `Value=true`), as clients of both eras do.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyInstanceAttribute.html
 */
export const modifyInstanceAttribute = defineEc2Action('ModifyInstanceAttribute', {
  honours: [
    'InstanceId',
    'Attribute',
    'Value',
    'SourceDestCheck',
    'DisableApiStop',
    'DisableApiTermination',
    'BlockDeviceMappings.DeviceName',
    'BlockDeviceMappings.Ebs.DeleteOnTermination',
    'InstanceType',
    'Kernel',
    'Ramdisk',
    'UserData',
    'InstanceInitiatedShutdownBehavior',
    'Groups',
    'SecurityGroupIds',
    'EbsOptimized',
    'SriovNetSupport',
    'EnaSupport',
  ],
  only: {
    'EnclaveOptions.Enabled': [false],
  },
  run(ctx, input) {
    const change = changeOf(input)
    return ctx.transaction(async (tx) => {
      const [instance] = await requireInstances(ctx, tx.db, [input.InstanceId])
      requireAlive(instance!)
      if (change.attribute === 'blockDeviceMapping')
        await keepOrEnd(tx, instance!, input.BlockDeviceMappings ?? [])
      else await carryOut(ctx, tx, instance!, change)
      tx.touch(instance!.id)
      return {}
    })
  },
})

/** Which of the instance's volumes go with it. */
async function keepOrEnd(
  tx: ActionTransaction,
  instance: InstanceTable,
  mappings: NonNullable<Input['BlockDeviceMappings']>,
): Promise<void> {
  if (mappings.length === 0) throw missingParameter('BlockDeviceMapping')
  const attachments = await attachmentsOfInstance(tx.db, instance.id)
  for (const { DeviceName: name, Ebs: ebs } of mappings) {
    const device = deviceNamed(name ?? '')
    const found = attachments.find((entry) => entry.device === device)
    if (!found) throw invalidInstanceAttributeValue(`No device is currently mapped at ${device}`)
    if (ebs?.DeleteOnTermination === undefined) throw missingParameter('DeleteOnTermination')
    await tx.db
      .updateTable('volume_attachment')
      .set({ delete_on_termination: ebs.DeleteOnTermination ? 1 : 0 })
      .where('id', '=', found.id)
      .execute()
  }
}

/** Only the source check can be reset while an instance runs. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ResetInstanceAttribute.html */
export const resetInstanceAttribute = defineEc2Action('ResetInstanceAttribute', {
  honours: ['InstanceId', 'Attribute'],
  run(ctx, input) {
    if (!['kernel', 'ramdisk', 'sourceDestCheck'].includes(input.Attribute))
      throw invalidParameterValue(`Value (${input.Attribute}) for parameter attribute is invalid.`)
    return ctx.transaction(async (tx) => {
      const [instance] = await requireInstances(ctx, tx.db, [input.InstanceId])
      requireAlive(instance!)
      const value = input.Attribute === 'sourceDestCheck' ? 'true' : '' // of a kernel: the image's own
      await carryOut(ctx, tx, instance!, { attribute: input.Attribute, value, groups: [] })
      tx.touch(instance!.id)
      return {}
    })
  },
})

interface Change {
  readonly attribute: Attribute
  readonly value: string
  readonly groups: readonly string[]
}

function changeOf(input: Input): Change {
  const said: [Attribute, string | undefined][] = []
  const say = (attribute: Attribute, member: { Value?: unknown } | undefined) => {
    if (member) said.push([attribute, member.Value === undefined ? undefined : String(member.Value)])
  }
  say('sourceDestCheck', input.SourceDestCheck)
  say('disableApiStop', input.DisableApiStop)
  say('disableApiTermination', input.DisableApiTermination)
  say('instanceType', input.InstanceType)
  say('kernel', input.Kernel)
  say('ramdisk', input.Ramdisk)
  say('instanceInitiatedShutdownBehavior', input.InstanceInitiatedShutdownBehavior)
  say('ebsOptimized', input.EbsOptimized)
  say('sriovNetSupport', input.SriovNetSupport)
  say('enaSupport', input.EnaSupport)
  if (input.UserData)
    said.push(['userData', input.UserData.Value === undefined ? undefined : textOf(input.UserData.Value)])
  if (input.Attribute !== undefined) said.push([input.Attribute, input.Value])
  const groups = [...(input.Groups ?? []), ...(input.SecurityGroupIds ?? [])]
  if (groups.length > 0 && input.Attribute !== 'groupSet') said.push(['groupSet', ''])
  const mapping = input.BlockDeviceMappings?.[0]
  if (mapping) said.push(['blockDeviceMapping', mapping.DeviceName ?? ''])
  const [first, ...rest] = said
  if (!first || (input.Value !== undefined && input.Attribute === undefined))
    throw missingParameter('attribute')
  if (rest.length > 0) throw invalidParameterCombination('Fields for multiple attribute types specified')
  const [attribute, value] = first
  if (attribute === 'groupSet' && input.Value !== undefined)
    throw invalidParameterCombination('The attribute groupSet takes group ids, and no Value.')
  if (attribute === 'groupSet' && groups.length === 0) throw missingParameter('GroupId')
  if (value === undefined && attribute !== 'groupSet') throw missingParameter('Value')
  return { attribute, value: value ?? '', groups }
}

function requireAlive(instance: InstanceTable): void {
  if (instance.state === 'terminated' || instance.state === 'shutting-down')
    throw incorrectInstanceState(`The instance '${instance.id}' is '${instance.state}'.`)
}

async function carryOut(
  ctx: ActionContext,
  tx: ActionTransaction,
  instance: InstanceTable,
  { attribute, value, groups }: Change,
): Promise<void> {
  switch (attribute) {
    case 'disableApiTermination':
      return updateInstance(tx, instance.id, { api_termination_disabled: bit(attribute, value) })
    case 'disableApiStop':
      return updateInstance(tx, instance.id, { api_stop_disabled: bit(attribute, value) })
    case 'instanceInitiatedShutdownBehavior':
      return updateInstance(tx, instance.id, { shutdown_behavior: shutdownBehavior(instance, value) })
    case 'sourceDestCheck':
      return setSourceDestCheck(ctx, tx, instance, bit(attribute, value))
    case 'groupSet':
      return setGroups(ctx, tx, instance, groups)
    case 'instanceType':
    case 'kernel':
    case 'ramdisk':
    case 'userData':
    case 'ebsOptimized':
    case 'enaSupport':
    case 'sriovNetSupport':
      if (instance.state !== 'stopped') throw instanceNotStopped(instance.id)
      return changeStopped(ctx, tx, instance, attribute, value)
    case 'blockDeviceMapping':
    case 'productCodes':
    case 'rootDeviceName':
    case 'enclaveOptions':
      throw unsupportedParameter(`Attribute=${attribute}`)
  }
}

function bit(attribute: string, value: string): 0 | 1 {
  if (value === 'true') return 1
  if (value === 'false') return 0
  throw invalidInstanceAttributeValue(`Value (${value.slice(0, 60)}) for ${attribute} is not a boolean.`)
}

function shutdownBehavior(instance: InstanceTable, value: string): InstanceTable['shutdown_behavior'] {
  if (value === 'stop' && instance.root_device_type !== 'ebs')
    throw unsupportedForInstanceStore(instance.id, 'stopped')
  if (value === 'terminate' || value === 'stop') return value
  throw invalidInstanceAttributeValue(
    `Value (${value.slice(0, 60)}) for instanceInitiatedShutdownBehavior is invalid.`,
  )
}

async function setGroups(
  ctx: ActionContext,
  tx: ActionTransaction,
  instance: InstanceTable,
  ids: readonly string[],
): Promise<void> {
  const entry = await onlyInterfaceOf(tx.db, instance.id)
  const groupIds = await resolveGroups(ctx, tx.db, { vpcId: instance.vpc_id, ids, names: [] })
  await replaceInterfaceGroups(tx, entry.id, groupIds)
  // Whoever's rules name the old groups or the new ones hears of it, wherever in the VPC it runs.
  await wakeInterface(tx, ctx.wakes, entry)
}

async function setSourceDestCheck(
  ctx: ActionContext,
  tx: ActionTransaction,
  instance: InstanceTable,
  check: 0 | 1,
): Promise<void> {
  const entry = await onlyInterfaceOf(tx.db, instance.id)
  await updateInterface(tx, entry.id, { source_dest_check: check })
  const nodeId = instance.node_id
  if (nodeId !== null) tx.afterCommit(() => ctx.wakes.network(nodeId))
}
