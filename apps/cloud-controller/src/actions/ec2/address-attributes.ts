import { formatIpv4, isWellFormedId } from '@mallee/base'
import {
  invalidAllocationIdMalformed,
  invalidAllocationIdNotFound,
  unsupportedOperation,
} from '@mallee/ec2-api'
import type { AddressTable } from '../../store/tables.ts'
import { defineEc2Action } from '../define-action.ts'
import { requireAllocation } from '../owned-networks.ts'
import { page } from '../pages.ts'

/**
 * The one attribute is the name that a reverse lookup of the address gives. Nobody delegates the pool's zone to this
 * cloud, so no address has one, and none can be given or taken away.
 */

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeAddressesAttribute.html */
export const describeAddressesAttribute = defineEc2Action('DescribeAddressesAttribute', {
  honours: ['AllocationIds', 'MaxResults', 'NextToken'],
  only: { Attribute: ['domain-name'] },
  ids: ['AllocationIds'],
  run(ctx, input) {
    return ctx.read(async (db) => {
      const rows = await db
        .selectFrom('address')
        .selectAll()
        .$if(ctx.scope !== null, (query) => query.where('account_id', '=', ctx.scope!))
        .where('allocation_id', 'is not', null)
        .execute()
      const ids = input.AllocationIds ?? []
      for (const id of ids) {
        if (!isWellFormedId('allocation', id)) throw invalidAllocationIdMalformed(id)
        if (!rows.some((row) => row.allocation_id === id)) throw invalidAllocationIdNotFound([id])
      }
      const chosen = rows.filter((row) => ids.length === 0 || ids.includes(row.allocation_id!))
      const keyOf = (row: AddressTable) => String(row.public_ip).padStart(10, '0')
      const { items, nextToken } = page(ctx, chosen, input, { keyOf, smallest: 1 })
      return { Addresses: items.map(attributeView), NextToken: nextToken }
    })
  },
})

function attributeView(row: AddressTable) {
  return { PublicIp: formatIpv4(row.public_ip), AllocationId: row.allocation_id! }
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyAddressAttribute.html */
export const modifyAddressAttribute = defineEc2Action('ModifyAddressAttribute', {
  honours: ['AllocationId'],
  async run(ctx, input) {
    await ctx.read((db) => requireAllocation(ctx, db, input.AllocationId))
    throw unsupportedOperation('ModifyAddressAttribute')
  },
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ResetAddressAttribute.html */
export const resetAddressAttribute = defineEc2Action('ResetAddressAttribute', {
  honours: ['AllocationId'],
  only: { Attribute: ['domain-name'] },
  async run(ctx, input) {
    await ctx.read((db) => requireAllocation(ctx, db, input.AllocationId))
    throw unsupportedOperation('ResetAddressAttribute')
  },
})
