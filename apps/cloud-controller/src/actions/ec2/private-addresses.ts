import { blockContains, formatIpv4, parseCidr, parseIpv4 } from '@mallee/base'
import {
  invalidIpAddressInUse,
  invalidParameterCombination,
  invalidParameterValue,
  missingParameter,
  privateIpAddressLimitExceeded,
} from '@mallee/ec2-api'
import { clearAddresses } from '../../store/address-store.ts'
import { freeAddresses, isUsable, requireFree } from '../../store/free-addresses.ts'
import { wakeInterface } from '../../store/network-reach.ts'
import { addPrivateAddresses } from '../../store/network-store.ts'
import { requireQuota } from '../../store/quota-store.ts'
import type { Reader, Tx } from '../../store/record.ts'
import type { NetworkInterfaceTable, SubnetTable } from '../../store/tables.ts'
import { defineEc2Action, type ActionContext, type ActionTransaction } from '../define-action.ts'
import { requireOwnInterface } from './require-interfaces.ts'

/** An address of a subnet that somebody may have, as a number. */
export function hostAddress(subnet: Pick<SubnetTable, 'cidr'>, text: string): number {
  const address = requireIpv4(text)
  const block = parseCidr(subnet.cidr)!
  if (!blockContains(block, address))
    throw invalidParameterValue("Address does not fall within the subnet's address range")
  if (!isUsable(block, address))
    throw invalidParameterValue(`Address ${text} is in subnet's reserved address range`)
  return address
}

function requireIpv4(text: string): number {
  const address = parseIpv4(text)
  if (address === null)
    throw invalidParameterValue(`invalid value for parameter address: ${text.slice(0, 60)}`)
  return address
}

/** What a caller says of the addresses of a new interface: at most one primary, and others by name or by number. */
export interface AddressWish {
  readonly PrivateIpAddress?: string | undefined
  readonly PrivateIpAddresses?:
    | readonly { Primary?: boolean | undefined; PrivateIpAddress?: string | undefined }[]
    | undefined
  readonly SecondaryPrivateIpAddressCount?: number | undefined
}

export interface ChosenAddresses {
  readonly primary: number
  readonly secondary: readonly number[]
}

/** Checked against the subnet and the account's limits, and free at this moment. */
export async function chooseAddresses(
  ctx: ActionContext,
  tx: Tx,
  subnet: SubnetTable,
  wish: AddressWish,
): Promise<ChosenAddresses> {
  const listed = wish.PrivateIpAddresses ?? []
  const count = wish.SecondaryPrivateIpAddressCount ?? 0
  if (count < 0)
    throw invalidParameterValue(`Value (${count}) for secondaryPrivateIpAddressCount is invalid.`)
  if (count > 0 && listed.some((entry) => entry.Primary !== true))
    throw invalidParameterCombination(
      'The parameters privateIpAddresses and secondaryPrivateIpAddressCount may not be used together',
    )
  const marked = listed.filter((entry) => entry.Primary === true)
  if (marked.length > 1 || (marked.length === 1 && wish.PrivateIpAddress !== undefined))
    throw invalidParameterCombination('Only one primary private IP address can be specified.')
  const primaryText = wish.PrivateIpAddress ?? marked[0]?.PrivateIpAddress
  const others = listed
    .filter((entry) => entry.Primary !== true)
    .map((entry) =>
      hostAddress(subnet, entry.PrivateIpAddress ?? refuse(missingParameter('privateIpAddress'))),
    )
  await requireRoomFor(ctx, tx.db, 1 + others.length + count)
  const named = [...(primaryText === undefined ? [] : [hostAddress(subnet, primaryText)]), ...others]
  if (new Set(named).size < named.length)
    throw invalidParameterValue('The same private IP address was specified twice.')
  await requireFree(tx.db, subnet.id, named)
  const lacking = (primaryText === undefined ? 1 : 0) + count
  const found = lacking === 0 ? [] : await freeBeside(tx.db, subnet, lacking, named)
  const primary = primaryText === undefined ? found[0]! : named[0]!
  return { primary, secondary: [...others, ...found.filter((address) => address !== primary)] }
}

/** Free addresses that are none of these, which are about to be taken. */
async function freeBeside(
  db: Reader,
  subnet: SubnetTable,
  count: number,
  named: readonly number[],
): Promise<number[]> {
  // Those are free as well, so that with them there must be as many.
  const found = await freeAddresses(db, subnet, count + named.length)
  return found.filter((address) => !named.includes(address)).slice(0, count)
}

async function requireRoomFor(ctx: ActionContext, db: Reader, count: number): Promise<void> {
  await requireQuota(
    db,
    ctx.caller,
    'addresses-per-interface',
    0,
    () => privateIpAddressLimitExceeded(),
    count,
  )
}

function refuse(error: Error): never {
  throw error
}

async function subnetOf(db: Reader, entry: NetworkInterfaceTable): Promise<SubnetTable> {
  return db.selectFrom('subnet').selectAll().where('id', '=', entry.subnet_id).executeTakeFirstOrThrow()
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssignPrivateIpAddresses.html */
export const assignPrivateIpAddresses = defineEc2Action('AssignPrivateIpAddresses', {
  honours: [
    'NetworkInterfaceId',
    'PrivateIpAddresses',
    'SecondaryPrivateIpAddressCount',
    'AllowReassignment',
  ],
  run(ctx, input) {
    return ctx.transaction(async (tx) => {
      const entry = await requireOwnInterface(ctx, tx.db, input.NetworkInterfaceId)
      const named = input.PrivateIpAddresses ?? []
      const count = input.SecondaryPrivateIpAddressCount ?? 0
      if (named.length > 0 && count > 0)
        throw invalidParameterCombination(
          'The parameters privateIpAddresses and secondaryPrivateIpAddressCount may not be used together',
        )
      if (named.length === 0 && count < 1) throw missingParameter('secondaryPrivateIpAddressCount')
      const subnet = await subnetOf(tx.db, entry)
      const own = await addressesOf(tx.db, entry.id)
      const wished = named.map((text) => hostAddress(subnet, text))
      const lacking = [...new Set(wished)].filter((address) => !own.includes(address))
      await requireRoomFor(ctx, tx.db, own.length + lacking.length + count)
      if (input.AllowReassignment === true) await takeOver(ctx, tx, subnet, lacking)
      // Also after that: what is promised to an import is nobody's to take over.
      await requireFree(tx.db, subnet.id, lacking)
      const added = named.length > 0 ? lacking : await freeAddresses(tx.db, subnet, count)
      await addPrivateAddresses(tx, entry, added)
      tx.touch(entry.id)
      await wakeInterface(tx, ctx.wakes, entry)
      return {
        NetworkInterfaceId: entry.id,
        AssignedPrivateIpAddresses: (named.length > 0 ? wished : added).map((address) => ({
          PrivateIpAddress: formatIpv4(address),
        })),
        AssignedIpv4Prefixes: [],
      }
    })
  },
})

async function addressesOf(db: Reader, interfaceId: string): Promise<number[]> {
  const rows = await db
    .selectFrom('network_interface_address')
    .select('private_ip')
    .where('interface_id', '=', interfaceId)
    .execute()
  return rows.map((row) => row.private_ip)
}

/** Secondary addresses move from one interface to another with the public ones that stand for them; primary ones stay. */
async function takeOver(
  ctx: ActionContext,
  tx: ActionTransaction,
  subnet: SubnetTable,
  addresses: readonly number[],
): Promise<void> {
  if (addresses.length === 0) return
  const holders = await tx.db
    .selectFrom('network_interface_address as own')
    .innerJoin('network_interface as ni', 'ni.id', 'own.interface_id')
    .select(['own.interface_id', 'own.private_ip', 'own.is_primary', 'ni.account_id', 'ni.instance_id'])
    .where('own.subnet_id', '=', subnet.id)
    .where('own.private_ip', 'in', addresses)
    .execute()
  for (const holder of holders) {
    if (holder.is_primary === 1 || holder.account_id !== ctx.caller.accountId)
      throw invalidIpAddressInUse(formatIpv4(holder.private_ip))
    await dropAddresses(tx, holder.interface_id, [holder.private_ip])
    const instanceId = holder.instance_id
    if (instanceId !== null) tx.afterCommit(() => ctx.wakes.instance(instanceId))
  }
}

async function dropAddresses(tx: Tx, interfaceId: string, addresses: readonly number[]): Promise<void> {
  await clearAddresses(tx, { interfaceIds: [interfaceId], privateIps: addresses })
  await tx.db
    .deleteFrom('network_interface_address')
    .where('interface_id', '=', interfaceId)
    .where('private_ip', 'in', addresses)
    .execute()
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_UnassignPrivateIpAddresses.html */
export const unassignPrivateIpAddresses = defineEc2Action('UnassignPrivateIpAddresses', {
  honours: ['NetworkInterfaceId', 'PrivateIpAddresses'],
  run(ctx, input) {
    return ctx.transaction(async (tx) => {
      const entry = await requireOwnInterface(ctx, tx.db, input.NetworkInterfaceId)
      const wished = (input.PrivateIpAddresses ?? []).map(requireIpv4)
      if (wished.length === 0) throw missingParameter('privateIpAddresses')
      const own = await addressesOf(tx.db, entry.id)
      const missing = wished.filter((address) => !own.includes(address) || address === entry.private_ip)
      if (missing.length > 0)
        throw invalidParameterValue(
          `Some of [${missing.map(formatIpv4).join(', ')}] are not assigned to interface ${entry.id} as secondary addresses`,
        )
      await dropAddresses(tx, entry.id, wished)
      tx.touch(entry.id)
      await wakeInterface(tx, ctx.wakes, entry)
      return {}
    })
  },
})
