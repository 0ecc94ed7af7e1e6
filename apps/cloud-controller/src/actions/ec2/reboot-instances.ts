import { instanceNotInState } from '@mallee/ec2-api'
import { updateInstance } from '../../store/instance-store.ts'
import { defineEc2Action } from '../define-action.ts'
import { requireInstances } from '../require-instances.ts'

/**
 * A reboot is a counter: the node compares it with the last one it did, so neither a repeated nor a missed message can
 * reboot twice. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RebootInstances.html
 */
export const rebootInstances = defineEc2Action('RebootInstances', {
  honours: ['InstanceIds'],
  run(ctx, input) {
    return ctx.transaction(async (tx) => {
      for (const instance of await requireInstances(ctx, tx.db, input.InstanceIds)) {
        if (instance.state !== 'running' && instance.state !== 'pending')
          throw instanceNotInState(instance.id, instance.state)
        await updateInstance(tx, instance.id, {
          reboot_count: instance.reboot_count + 1,
          generation: instance.generation + 1,
          request_id: ctx.requestId,
          trace_parent: ctx.traceparent,
        })
        tx.touch(instance.id)
        tx.afterCommit(() => ctx.wakes.instance(instance.id))
      }
      return {}
    })
  },
})
