import type { MetadataOptions } from '@mallee/agent-contract'
import { incorrectInstanceState } from '@mallee/ec2-api'
import { updateInstance } from '../../store/instance-store.ts'
import { metadataOptionsView } from '../../views/instance-view.ts'
import { defineEc2Action } from '../define-action.ts'
import { requireInstances } from '../require-instances.ts'
import { checkHopLimit } from './resolve-launch.ts'

/**
 * Takes effect on the running guest: the node's metadata service reads the options with every request.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyInstanceMetadataOptions.html
 */
export const modifyInstanceMetadataOptions = defineEc2Action('ModifyInstanceMetadataOptions', {
  honours: ['InstanceId', 'HttpTokens', 'HttpPutResponseHopLimit', 'HttpEndpoint', 'InstanceMetadataTags'],
  only: { HttpProtocolIpv6: ['disabled'] },
  async run(ctx, input) {
    if (input.HttpPutResponseHopLimit !== undefined) checkHopLimit(input.HttpPutResponseHopLimit)
    return ctx.transaction(async (tx) => {
      const [instance] = await requireInstances(ctx, tx.db, [input.InstanceId])
      if (instance!.state === 'terminated' || instance!.state === 'shutting-down')
        throw incorrectInstanceState(`The instance '${instance!.id}' is '${instance!.state}'.`)
      const before = JSON.parse(instance!.metadata_options) as MetadataOptions
      const options: MetadataOptions = {
        endpointEnabled: input.HttpEndpoint ? input.HttpEndpoint === 'enabled' : before.endpointEnabled,
        tokensRequired: input.HttpTokens ? input.HttpTokens === 'required' : before.tokensRequired,
        hopLimit: input.HttpPutResponseHopLimit ?? before.hopLimit,
        tagsEnabled: input.InstanceMetadataTags
          ? input.InstanceMetadataTags === 'enabled'
          : before.tagsEnabled,
      }
      const changed = { ...instance!, metadata_options: JSON.stringify(options) }
      await updateInstance(tx, instance!.id, {
        metadata_options: changed.metadata_options,
        generation: instance!.generation + 1,
      })
      tx.touch(instance!.id)
      tx.afterCommit(() => ctx.wakes.instance(instance!.id))
      // The hop limit is set where the packets pass: in the network's rules.
      const nodeId = instance!.node_id
      if (nodeId !== null) tx.afterCommit(() => ctx.wakes.network(nodeId))
      return { InstanceId: instance!.id, InstanceMetadataOptions: metadataOptionsView(changed) }
    })
  },
})
