import { formatIpv4, parseIpv4 } from '@mallee/base'
import {
  addressLimitExceeded,
  addressNotYours,
  insufficientAddressCapacity,
  invalidAddressMalformed,
  invalidIpAddressInUse,
  invalidParameterCombination,
  invalidParameterValue,
  managedByService,
  missingParameter,
} from '@mallee/ec2-api'
import { claimElasticAddress } from '../../store/address-store.ts'
import { requireQuota } from '../../store/quota-store.ts'
import { closeUsage, openUsage } from '../../store/usage-store.ts'
import type { Reader } from '../../store/record.ts'
import type { AddressTable } from '../../store/tables.ts'
import { deleteTagsOf, putTags } from '../../store/tag-store.ts'
import { defineEc2Action, type ActionContext } from '../define-action.ts'
import { requireAllocation } from '../owned-networks.ts'
import { tagRows } from '../tag-specifications.ts'

/**
 * An address of the cloud's pool, any or the wished one. There is one pool, which AWS calls its own.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AllocateAddress.html
 */
export const allocateAddress = defineEc2Action('AllocateAddress', {
  honours: ['Address', 'NetworkBorderGroup', 'TagSpecifications'],
  only: { Domain: ['vpc'], PublicIpv4Pool: ['amazon'] },
  creates: ['elastic-ip'],
  async run(ctx, input) {
    checkBorderGroup(ctx, input.NetworkBorderGroup)
    const wished = input.Address === undefined ? null : parseIpv4(input.Address)
    if (input.Address !== undefined && wished === null) throw invalidAddressMalformed(input.Address)
    const { accountId } = ctx.caller
    return ctx.transaction(async (tx) => {
      const held = await tx.db
        .selectFrom('address')
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .where('account_id', '=', accountId)
        .where('allocation_id', 'is not', null)
        .executeTakeFirstOrThrow()
      await requireQuota(tx.db, ctx.caller, 'elastic-addresses', Number(held.count), () =>
        addressLimitExceeded(),
      )
      const pool = ctx.settings.publicPool
      const row = await claimElasticAddress(tx, {
        ...{ pool, accountId, wished },
        ...{ random: ctx.random, nowMs: ctx.nowMs },
      })
      if (!row) throw wished === null ? insufficientAddressCapacity() : addressNotYours(formatIpv4(wished))
      await putTags(tx, tagRows(ctx, input.TagSpecifications, 'elastic-ip', [row.allocation_id!]))
      await openUsage(tx, {
        ...{ resourceId: row.allocation_id!, kind: 'address', variety: 'elastic', quantity: 1, zone: '' },
        ...{ accountId, userId: ctx.caller.userId, nowMs: ctx.nowMs },
      })
      tx.touch(row.allocation_id!)
      return {
        PublicIp: formatIpv4(row.public_ip),
        AllocationId: row.allocation_id!,
        PublicIpv4Pool: 'amazon',
        NetworkBorderGroup: ctx.settings.region,
        Domain: 'vpc' as const,
      }
    })
  },
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReleaseAddress.html */
export const releaseAddress = defineEc2Action('ReleaseAddress', {
  honours: ['AllocationId', 'PublicIp', 'NetworkBorderGroup'],
  run(ctx, input) {
    checkBorderGroup(ctx, input.NetworkBorderGroup)
    return ctx.transaction(async (tx) => {
      const row = await requireAddress(ctx, tx.db, input)
      if (row.interface_id !== null) {
        if (await isManaged(tx.db, row)) throw managedByService()
        throw invalidIpAddressInUse(formatIpv4(row.public_ip))
      }
      await closeUsage(tx, row.allocation_id!, ctx.nowMs)
      await deleteTagsOf(tx, row.allocation_id!)
      await tx.db.deleteFrom('address').where('public_ip', '=', row.public_ip).execute()
      tx.touch(row.allocation_id!)
      return {}
    })
  },
})

/** There is one group, the region: where all zones' addresses are announced. */
function checkBorderGroup(ctx: ActionContext, given: string | undefined): void {
  if (given === undefined || given === ctx.settings.region) return
  throw invalidParameterValue(
    `Value (${given.slice(0, 60)}) for parameter networkBorderGroup is invalid. It must be ${ctx.settings.region}.`,
  )
}

/** The caller's elastic address, said by its id or by itself. */
export async function requireAddress(
  ctx: ActionContext,
  db: Reader,
  input: { AllocationId?: string | undefined; PublicIp?: string | undefined },
): Promise<AddressTable> {
  const { AllocationId: id, PublicIp: text } = input
  if (id !== undefined && text !== undefined)
    throw invalidParameterCombination(
      'You may specify public IP or allocation id, but not both in the same call',
    )
  if (id !== undefined) return requireAllocation(ctx, db, id)
  if (text === undefined) throw missingParameter('PublicIp or AllocationId')
  return requirePublicIp(ctx, db, text)
}

export async function requirePublicIp(ctx: ActionContext, db: Reader, text: string): Promise<AddressTable> {
  const address = parseIpv4(text)
  if (address === null) throw invalidAddressMalformed(text)
  const row = await db
    .selectFrom('address')
    .selectAll()
    .where('public_ip', '=', address)
    .where('account_id', '=', ctx.caller.accountId)
    .where('allocation_id', 'is not', null)
    .executeTakeFirst()
  if (!row) throw addressNotYours(text)
  return row
}

/** Whether an address is on what the cloud keeps for a service, which alone may move it. */
export async function isManaged(db: Reader, row: Pick<AddressTable, 'interface_id'>): Promise<boolean> {
  if (row.interface_id === null) return false
  const entry = await db
    .selectFrom('network_interface')
    .select('requester_managed')
    .where('id', '=', row.interface_id)
    .executeTakeFirst()
  return entry?.requester_managed === 1
}
