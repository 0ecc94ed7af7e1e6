import { AwsError } from '@mallee/aws-protocol'
import { unsupportedOperation } from '@mallee/ec2-api'
import { defineEc2Action } from '../define-action.ts'
import { pageOf } from '../pages.ts'
import { requireInstances } from '../require-instances.ts'

/** What clients ask of every cloud and no instance of this one has: each says so truthfully, and in AWS's words. */

/** No type of ours is burstable: asked for all, none; asked for one, an error, as AWS has it for such types. */
export const describeInstanceCreditSpecifications = defineEc2Action('DescribeInstanceCreditSpecifications', {
  honours: ['InstanceIds', 'MaxResults', 'NextToken'],
  async run(ctx, input) {
    const ids = input.InstanceIds ?? []
    pageOf(ctx, input, { exclusiveIds: ids.length > 0 })
    if (ids.length === 0) return { InstanceCreditSpecifications: [] }
    const [first] = await ctx.read((db) => requireInstances(ctx, db, ids))
    throw new AwsError(
      'UnsupportedOperation',
      `The instance type of '${first!.id}' (${first!.instance_type}) is not burstable.`,
    )
  },
})

/** Our guests boot by BIOS: there are no UEFI variables. */
export const getInstanceUefiData = defineEc2Action('GetInstanceUefiData', {
  honours: ['InstanceId'],
  async run(ctx, input) {
    await ctx.read((db) => requireInstances(ctx, db, [input.InstanceId]))
    throw unsupportedOperation('GetInstanceUefiData')
  },
})

export const describeElasticGpus = defineEc2Action('DescribeElasticGpus', {
  honours: ['ElasticGpuIds', 'MaxResults', 'NextToken'],
  async run(ctx, input) {
    const [id] = input.ElasticGpuIds ?? []
    if (id !== undefined)
      throw new AwsError('InvalidElasticGpuID.NotFound', `The elastic GPU ID '${id}' does not exist`)
    pageOf(ctx, input)
    return { ElasticGpuSet: [], ...(input.MaxResults === undefined ? {} : { MaxResults: input.MaxResults }) }
  },
})

/** There is no marketplace, so no image carries a product code. */
export const confirmProductInstance = defineEc2Action('ConfirmProductInstance', {
  honours: ['InstanceId', 'ProductCode'],
  async run(ctx, input) {
    await ctx.read((db) => requireInstances(ctx, db, [input.InstanceId]))
    const codes: readonly string[] = [] // of the instance's image
    return { Return: codes.includes(input.ProductCode) }
  },
})
