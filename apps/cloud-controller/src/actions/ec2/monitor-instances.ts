import { instanceNotInState } from '@mallee/ec2-api'
import { updateInstance } from '../../store/instance-store.ts'
import { defineEc2Action, type ActionContext } from '../define-action.ts'
import { requireInstances } from '../require-instances.ts'

/**
 * A monitored instance is measured by its node every minute, another every five.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_MonitorInstances.html
 */
export const monitorInstances = defineEc2Action('MonitorInstances', {
  honours: ['InstanceIds'],
  run: (ctx, input) => setMonitoring(ctx, input.InstanceIds, true),
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_UnmonitorInstances.html */
export const unmonitorInstances = defineEc2Action('UnmonitorInstances', {
  honours: ['InstanceIds'],
  run: (ctx, input) => setMonitoring(ctx, input.InstanceIds, false),
})

function setMonitoring(ctx: ActionContext, ids: readonly string[], enabled: boolean) {
  return ctx.transaction(async (tx) => {
    const found = await requireInstances(ctx, tx.db, ids)
    const ended = found.find(({ state }) => state === 'shutting-down' || state === 'terminated')
    if (ended) throw instanceNotInState(ended.id, ended.state)
    for (const instance of found) {
      await updateInstance(tx, instance.id, {
        monitoring: enabled ? 1 : 0,
        generation: instance.generation + 1,
      })
      tx.touch(instance.id)
      tx.afterCommit(() => ctx.wakes.instance(instance.id))
    }
    return {
      InstanceMonitorings: found.map((instance) => ({
        InstanceId: instance.id,
        Monitoring: { State: enabled ? ('enabled' as const) : ('disabled' as const) },
      })),
    }
  })
}
