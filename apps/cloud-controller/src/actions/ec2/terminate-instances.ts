import { terminationDisabled } from '@mallee/ec2-api'
import { instanceLifecycle } from '@mallee/lifecycles'
import type { InstanceTable } from '../../store/tables.ts'
import { transitionInstance } from '../../store/transition.ts'
import { instanceState } from '../../views/instance-view.ts'
import { defineEc2Action } from '../define-action.ts'
import { requireInstances } from '../require-instances.ts'

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TerminateInstances.html */
export const terminateInstances = defineEc2Action('TerminateInstances', {
  honours: ['InstanceIds'],

  run(ctx, input) {
    return ctx.transaction(async (tx) => {
      const changes = []
      const found = await requireInstances(ctx, tx.db, input.InstanceIds)
      const kept = found.find((instance) => instance.api_termination_disabled === 1 && !ended(instance))
      if (kept) throw terminationDisabled(kept.id) // and none of the others is terminated either
      for (const instance of found) {
        const after = await transitionInstance(tx, instance, 'terminateAsked', {
          nowMs: ctx.nowMs,
          desired: 'terminated',
          requestId: ctx.requestId,
          traceparent: ctx.traceparent,
          ...(instanceLifecycle.isTerminal(instance.state)
            ? {}
            : {
                reason: {
                  code: 'Client.UserInitiatedShutdown',
                  message: 'Client.UserInitiatedShutdown: User initiated shutdown',
                },
              }),
        })
        tx.touch(instance.id)
        tx.afterCommit(() => ctx.wakes.instance(instance.id))
        changes.push({
          InstanceId: instance.id,
          PreviousState: instanceState(instance.state),
          CurrentState: instanceState(after.state),
        })
      }
      return { TerminatingInstances: changes }
    })
  },
})

function ended(instance: InstanceTable): boolean {
  return instance.state === 'shutting-down' || instance.state === 'terminated'
}
