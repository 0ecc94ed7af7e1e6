import { formatIpv4, parseIpv4 } from '@mallee/base'
import {
  invalidAddressMalformed,
  invalidAddressNotFound,
  invalidParameterValue,
  unsupportedOperation,
} from '@mallee/ec2-api'
import { defineEc2Action } from '../define-action.ts'
import { applyFilters, filterNames, type FilterFields } from '../filters.ts'
import { pageOf } from '../pages.ts'
import { requirePublicIp } from './allocate-address.ts'

/** EC2-Classic is no more: every address belongs to VPCs, none is on its way there, and none goes back. */

const fields: FilterFields<never> = { 'moving-status': () => [] }

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeMovingAddresses.html */
export const describeMovingAddresses = defineEc2Action('DescribeMovingAddresses', {
  honours: ['PublicIps', 'Filters', 'MaxResults', 'NextToken'],
  filters: filterNames(fields, { tagged: false }),
  ids: ['PublicIps'],
  run(ctx, input) {
    pageOf(ctx, input)
    return ctx.read(async (db) => {
      const own = await db
        .selectFrom('address')
        .select('public_ip')
        .$if(ctx.scope !== null, (query) => query.where('account_id', '=', ctx.scope!))
        .where('allocation_id', 'is not', null)
        .execute()
      for (const text of input.PublicIps ?? []) {
        const address = parseIpv4(text)
        if (address === null) throw invalidAddressMalformed(text)
        if (!own.some((row) => row.public_ip === address)) throw invalidAddressNotFound(text)
      }
      return { MovingAddressStatuses: applyFilters<never>([], input.Filters, fields) }
    })
  },
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_MoveAddressToVpc.html */
export const moveAddressToVpc = defineEc2Action('MoveAddressToVpc', {
  honours: ['PublicIp'],
  async run(ctx, input) {
    const row = await ctx.read((db) => requirePublicIp(ctx, db, input.PublicIp))
    throw invalidParameterValue(`The address '${formatIpv4(row.public_ip)}' is for use in a VPC already.`)
  },
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RestoreAddressToClassic.html */
export const restoreAddressToClassic = defineEc2Action('RestoreAddressToClassic', {
  honours: ['PublicIp'],
  async run(ctx, input) {
    await ctx.read((db) => requirePublicIp(ctx, db, input.PublicIp))
    throw unsupportedOperation('RestoreAddressToClassic')
  },
})
