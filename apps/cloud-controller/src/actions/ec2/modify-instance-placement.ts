import { incorrectInstanceState, missingParameter } from '@mallee/ec2-api'
import { defineEc2Action } from '../define-action.ts'
import { requireInstances } from '../require-instances.ts'
import { namedPlacementGroup } from './resolve-placement-group.ts'

/**
 * AWS moves an instance between groups while it is stopped. An instance store ends with its guest, so no instance here
 * is ever stopped: what is asked is checked, and then refused for the state. Dedicated hosts are refused by name.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyInstancePlacement.html
 */
export const modifyInstancePlacement = defineEc2Action('ModifyInstancePlacement', {
  honours: ['InstanceId', 'GroupName', 'GroupId', 'PartitionNumber'],
  async run(ctx, input) {
    if (input.GroupName === undefined && input.GroupId === undefined && input.PartitionNumber === undefined)
      throw missingParameter('GroupName')
    return ctx.read(async (db) => {
      const [instance] = await requireInstances(ctx, db, [input.InstanceId])
      await namedPlacementGroup(ctx, db, input)
      throw incorrectInstanceState(
        `The instance '${instance!.id}' is not in the 'stopped' state: it is '${instance!.state}'. An instance with an instance store cannot be stopped.`,
      )
    })
  },
})
