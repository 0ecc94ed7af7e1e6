import { assert, hourMs, newId, type Random } from '@mallee/base'
import { natGatewayLifecycle, type NatGatewayEvent } from '@mallee/lifecycles'
import { placeAddress } from './address-store.ts'
import { recordTransition } from './event-store.ts'
import { insertInterface } from './network-store.ts'
import type { Reader, Tx } from './record.ts'
import type { AddressTable, SubnetTable } from './network-tables.ts'
import type { NatGatewayTable } from './routing-tables.ts'

/** How long one that is deleted, or never came to be, is still described. */
export const natGatewayVisibleMs = hourMs

/** Those that somebody may still ask about. */
export function isVisible(row: Pick<NatGatewayTable, 'deleted_at'>, nowMs: number): boolean {
  return row.deleted_at === null || row.deleted_at > nowMs - natGatewayVisibleMs
}

export interface NewNatGateway {
  readonly subnet: SubnetTable
  readonly connectivity: NatGatewayTable['connectivity']
  readonly address: AddressTable | null
  readonly random: Random
  readonly nowMs: number
}

/** With an interface of its own, on which its elastic address is; some node is going to carry it. */
export async function insertNatGateway(
  tx: Tx,
  options: NewNatGateway & { privateIp: number },
): Promise<NatGatewayTable> {
  const { subnet, address, privateIp, random, nowMs } = options
  const blank = blankGateway(options)
  const entry = await insertInterface(tx, {
    ...{ subnet, privateIp, groupIds: [], type: 'nat_gateway' as const, random, nowMs },
    description: `Interface for NAT Gateway ${blank.id}`,
  })
  const row: NatGatewayTable = {
    ...blank,
    interface_id: entry.id,
    private_ip: privateIp,
    association_id: address ? await placeAddress(tx, address, { entry, privateIp, random }) : null,
  }
  await tx.db.insertInto('nat_gateway').values(row).execute()
  return row
}

/** As AWS has it, one that cannot be is made all the same, and says why it failed. */
export async function insertFailedNatGateway(
  tx: Tx,
  options: NewNatGateway & { requestId: string; code: string; message: string },
): Promise<NatGatewayTable> {
  const { nowMs, requestId, code, message } = options
  const row = blankGateway(options)
  await tx.db.insertInto('nat_gateway').values(row).execute()
  return transitionNatGateway(tx, row, 'refused', { nowMs, requestId, failure: { code, message } })
}

function blankGateway({ subnet, connectivity, address, random, nowMs }: NewNatGateway): NatGatewayTable {
  return {
    id: newId('natGateway', random),
    account_id: subnet.account_id,
    vpc_id: subnet.vpc_id,
    subnet_id: subnet.id,
    interface_id: null,
    connectivity,
    public_ip: address?.public_ip ?? null,
    private_ip: null,
    allocation_id: address?.allocation_id ?? null,
    association_id: null,
    node_id: null,
    state: 'pending',
    failure_code: null,
    failure_message: null,
    created_at: nowMs,
    deleted_at: null,
  }
}

/** How many an account has in a zone, those on their way out among them. */
export async function natGatewaysInZone(db: Reader, accountId: string, zone: string): Promise<number> {
  const rows = await db
    .selectFrom('nat_gateway')
    .innerJoin('subnet', 'subnet.id', 'nat_gateway.subnet_id')
    .select('nat_gateway.id')
    .where('nat_gateway.account_id', '=', accountId)
    .where('nat_gateway.state', 'in', ['pending', 'available', 'deleting'])
    .where('subnet.availability_zone', '=', zone)
    .execute()
  return rows.length
}

/** Of one that ends, when: from then on it is visible for an hour. */
export async function transitionNatGateway(
  tx: Tx,
  row: NatGatewayTable,
  event: NatGatewayEvent,
  options: { nowMs: number; requestId?: string; failure?: { code: string; message: string } },
): Promise<NatGatewayTable> {
  const state = natGatewayLifecycle.next(row.state, event)
  assert(state !== null, `NAT gateway ${row.id} is ${row.state} and cannot take ${event}`)
  if (state === row.state) return row
  const changes = {
    state,
    deleted_at: natGatewayLifecycle.isTerminal(state) ? options.nowMs : null,
    ...(options.failure
      ? { failure_code: options.failure.code, failure_message: options.failure.message }
      : {}),
  }
  await tx.db.updateTable('nat_gateway').set(changes).where('id', '=', row.id).execute()
  await recordTransition(tx, {
    nowMs: options.nowMs,
    accountId: row.account_id,
    event,
    requestId: options.requestId ?? '',
    resourceId: row.id,
    from: row.state,
    to: state,
    reason: options.failure?.message ?? null,
  })
  return { ...row, ...changes }
}
