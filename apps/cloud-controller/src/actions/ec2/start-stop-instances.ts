import {
  incorrectInstanceState,
  incorrectState,
  operationNotPermitted,
  unsupportedForInstanceStore,
} from '@mallee/ec2-api'
import { instanceLifecycle } from '@mallee/lifecycles'
import { wakeVpc } from '../../store/network-reach.ts'
import { changeUse, updateInstance } from '../../store/instance-store.ts'
import type { InstanceTable } from '../../store/tables.ts'
import { attachmentsOfInstance } from '../../store/volume-store.ts'
import { transitionInstance } from '../../store/transition.ts'
import { instanceState } from '../../views/instance-view.ts'
import { defineEc2Action, type ActionContext, type ActionTransaction } from '../define-action.ts'
import { requireInstances } from '../require-instances.ts'
import { recordDecision } from './insert-instance.ts'
import { placeInstances } from './place-instances.ts'
import { ownPlacementGroup } from './resolve-placement-group.ts'

/**
 * Its domain goes, its volumes stay. An instance that lives in an instance store ends with its domain: it can be neither
 * stopped nor started, as on AWS.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StopInstances.html
 */
export const stopInstances = defineEc2Action('StopInstances', {
  honours: ['InstanceIds', 'Force', 'SkipOsShutdown'],
  only: { Hibernate: [false] },
  run(ctx, input) {
    const forced = input.Force === true || input.SkipOsShutdown === true
    return ctx.transaction(async (tx) => {
      const found = await requireInstances(ctx, tx.db, input.InstanceIds)
      const unlike = found.find((instance) => instance.root_device_type !== 'ebs')
      if (unlike) throw unsupportedForInstanceStore(unlike.id, forced ? 'stopped by force' : 'stopped')
      for (const instance of found) {
        if (!instanceLifecycle.can(instance.state, 'stopAsked'))
          throw incorrectInstanceState(
            `This instance '${instance.id}' is not in a state from which it can be stopped.`,
          )
        if (instance.api_stop_disabled === 1 && !isDown(instance))
          throw operationNotPermitted(
            `The instance '${instance.id}' may not be stopped. Modify its 'disableApiStop' instance attribute and try again.`,
          )
      }
      const changes = []
      for (const instance of found) {
        if (!isDown(instance) || forced)
          await updateInstance(tx, instance.id, { stop_forced: forced ? 1 : 0 })
        const after = await transitionInstance(tx, instance, 'stopAsked', {
          nowMs: ctx.nowMs,
          desired: 'stopped',
          requestId: ctx.requestId,
          traceparent: ctx.traceparent,
          reason: {
            code: 'Client.UserInitiatedShutdown',
            message: 'Client.UserInitiatedShutdown: User initiated shutdown',
          },
        })
        tx.touch(instance.id)
        tx.afterCommit(() => ctx.wakes.instance(instance.id))
        changes.push(changeOf(instance, after))
      }
      return { StoppingInstances: changes }
    })
  },
})

const isDown = (instance: InstanceTable) => instance.state === 'stopping' || instance.state === 'stopped'

function changeOf(before: InstanceTable, after: InstanceTable) {
  return {
    InstanceId: before.id,
    PreviousState: instanceState(before.state),
    CurrentState: instanceState(after.state),
  }
}

/**
 * On whatever node of its zone has room: nothing of it was left on the one that it had.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StartInstances.html
 */
export const startInstances = defineEc2Action('StartInstances', {
  honours: ['InstanceIds'],
  run(ctx, input) {
    return ctx.transaction(async (tx) => {
      const found = await requireInstances(ctx, tx.db, input.InstanceIds)
      const unlike = found.find((instance) => instance.root_device_type !== 'ebs')
      if (unlike) throw unsupportedForInstanceStore(unlike.id, 'started')
      const bad = found.find((instance) => !instanceLifecycle.can(instance.state, 'startAsked'))
      if (bad)
        throw incorrectInstanceState(
          `The instance '${bad.id}' is not in a state from which it can be started.`,
        )
      const changes = []
      for (const instance of found) {
        const after = instance.state === 'stopped' ? await start(ctx, tx, instance) : instance
        tx.touch(instance.id)
        changes.push(changeOf(instance, after))
      }
      return { StartingInstances: changes }
    })
  },
})

async function start(
  ctx: ActionContext,
  tx: ActionTransaction,
  instance: InstanceTable,
): Promise<InstanceTable> {
  const attachments = await attachmentsOfInstance(tx.db, instance.id)
  if (!attachments.some((entry) => entry.is_root === 1 && entry.state !== 'detaching'))
    throw incorrectState(
      `Instance '${instance.id}' does not have a volume attached at root (${instance.root_device_name})`,
    )
  const image = await tx.db
    .selectFrom('image')
    .select('architecture')
    .where('id', '=', instance.image_id)
    .executeTakeFirst()
  const group = await ownPlacementGroup(tx.db, instance)
  const placement = await placeInstances(ctx, tx, {
    request: {
      minCount: 1,
      maxCount: 1,
      availabilityZone: instance.availability_zone,
      architecture: image?.architecture ?? 'x86_64',
      vcpus: instance.vcpus,
      memoryMiB: instance.memory_mib,
      diskGiB: instance.disk_gib,
    },
    instanceType: instance.instance_type,
    capacity: await ctx.capacity.at(tx),
    group,
  })
  const nodeId = placement.nodeIds[0]!
  await recordDecision(ctx, tx, { id: instance.id, nodeId, placement })
  const after = await transitionInstance(tx, instance, 'startAsked', {
    nowMs: ctx.nowMs,
    desired: 'running',
    requestId: ctx.requestId,
    traceparent: ctx.traceparent,
    reason: null,
  })
  await changeUse(tx, instance.id, { node_id: nodeId })
  await updateInstance(tx, instance.id, {
    launched_at: ctx.nowMs,
    restarts: 0,
    stop_forced: 0,
  })
  tx.afterCommit(() => {
    ctx.wakes.instance(instance.id)
    ctx.wakes.attachmentsOf(instance.id)
    ctx.wakes.network(nodeId)
  })
  await wakeVpc(tx, ctx.wakes, instance.vpc_id)
  return after
}
