import { invalidParameterCombination, missingParameter } from '@mallee/ec2-api'
import { wakeVpcAndGuests } from '../../store/network-reach.ts'
import { defineEc2Action } from '../define-action.ts'
import { requireOwned } from '../owned-networks.ts'

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcAttribute.html */
export const describeVpcAttribute = defineEc2Action('DescribeVpcAttribute', {
  honours: ['VpcId', 'Attribute'],
  run(ctx, input) {
    return ctx.read(async (db) => {
      const { Attribute: attribute } = input
      const vpc = await requireOwned(ctx, db, 'vpc', input.VpcId)
      switch (attribute) {
        case 'enableDnsSupport':
          return { VpcId: vpc.id, EnableDnsSupport: { Value: vpc.dns_support === 1 } }
        case 'enableDnsHostnames':
          return { VpcId: vpc.id, EnableDnsHostnames: { Value: vpc.dns_hostnames === 1 } }
        default:
          // Nobody counts addresses of VPCs here.
          return { VpcId: vpc.id, EnableNetworkAddressUsageMetrics: { Value: false } }
      }
    })
  },
})

/** One attribute a call. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVpcAttribute.html */
export const modifyVpcAttribute = defineEc2Action('ModifyVpcAttribute', {
  honours: ['VpcId', 'EnableDnsSupport.Value', 'EnableDnsHostnames.Value'],
  only: { 'EnableNetworkAddressUsageMetrics.Value': [false] },
  run(ctx, input) {
    const given = {
      enableDnsSupport: input.EnableDnsSupport?.Value,
      enableDnsHostnames: input.EnableDnsHostnames?.Value,
      enableNetworkAddressUsageMetrics: input.EnableNetworkAddressUsageMetrics?.Value,
    }
    const names = Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [name]))
    if (names.length === 0) throw missingParameter('EnableDnsSupport or EnableDnsHostnames')
    if (names.length > 1)
      throw invalidParameterCombination(`Fields for multiple attribute types specified: ${names.join(', ')}`)
    return ctx.transaction(async (tx) => {
      const vpc = await requireOwned(ctx, tx.db, 'vpc', input.VpcId)
      await tx.db
        .updateTable('vpc')
        .set({
          dns_support: bit(given.enableDnsSupport) ?? vpc.dns_support,
          dns_hostnames: bit(given.enableDnsHostnames) ?? vpc.dns_hostnames,
        })
        .where('id', '=', vpc.id)
        .execute()
      tx.touch(vpc.id)
      await wakeVpcAndGuests(tx, ctx.wakes, vpc.id)
      return {}
    })
  },
})

function bit(value: boolean | undefined): 0 | 1 | undefined {
  return value === undefined ? undefined : value ? 1 : 0
}
