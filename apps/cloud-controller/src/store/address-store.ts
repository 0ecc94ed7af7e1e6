import { newId, parseCidr, type Random } from '@mallee/base'
import { freePublicAddresses, isUsable } from './free-addresses.ts'
import type { Reader, Tx } from './record.ts'
import type { AddressTable, NetworkInterfaceTable } from './network-tables.ts'

/**
 * Takes an address out of the pool for an account; null where there is none, or where the wished one is not to be had.
 * The row is the claim: its key refuses a second one.
 */
export async function claimElasticAddress(
  tx: Tx,
  options: { pool: string; accountId: string; wished: number | null; random: Random; nowMs: number },
): Promise<AddressTable | null> {
  const { pool, wished } = options
  const [address] =
    wished === null ? await freePublicAddresses(tx.db, pool, 1) : await ifFree(tx.db, pool, wished)
  if (address === undefined) return null
  const row: AddressTable = {
    public_ip: address,
    account_id: options.accountId,
    interface_id: null,
    private_ip: null,
    allocation_id: newId('allocation', options.random),
    association_id: null,
    created_at: options.nowMs,
  }
  await tx.db.insertInto('address').values(row).execute()
  return row
}

async function ifFree(db: Reader, pool: string, wished: number): Promise<number[]> {
  if (!isUsable(parseCidr(pool)!, wished)) return []
  const taken = await db
    .selectFrom('address')
    .select('public_ip')
    .where('public_ip', '=', wished)
    .executeTakeFirst()
  return taken ? [] : [wished]
}

/**
 * Lends public addresses of the pool. Fewer than asked where the pool is empty: an instance
 * without a public address still runs, as Eucalyptus had it.
 */
export async function claimPublicAddresses(
  tx: Tx,
  options: {
    pool: string
    accountId: string
    interfaces: readonly Pick<NetworkInterfaceTable, 'id' | 'private_ip'>[]
    random: Random
    nowMs: number
  },
): Promise<AddressTable[]> {
  const free = await freePublicAddresses(tx.db, options.pool, options.interfaces.length)
  const rows: AddressTable[] = free.map((address, index) => ({
    public_ip: address,
    account_id: options.accountId,
    interface_id: options.interfaces[index]!.id,
    private_ip: options.interfaces[index]!.private_ip,
    allocation_id: null,
    association_id: newId('association', options.random),
    created_at: options.nowMs,
  }))
  if (rows.length > 0) await tx.db.insertInto('address').values(rows).execute()
  return rows
}

/** Of interfaces: all, or those of these private ones. */
export interface AddressPlaces {
  readonly interfaceIds: readonly string[]
  readonly privateIps?: readonly number[]
}

/** Addresses that the cloud lent go back to the pool; they never outlive what they were lent for. */
export async function returnLentAddresses(tx: Tx, places: AddressPlaces): Promise<void> {
  const { interfaceIds, privateIps } = places
  if (interfaceIds.length === 0) return
  await tx.db
    .deleteFrom('address')
    .where('interface_id', 'in', interfaceIds)
    .$if(privateIps !== undefined, (query) => query.where('private_ip', 'in', privateIps!))
    .where('allocation_id', 'is', null)
    .execute()
}

/** What stands there gives way: a lent address goes back to the pool, an elastic one stays its owner's and is on nothing. */
export async function clearAddresses(tx: Tx, places: AddressPlaces): Promise<void> {
  const { interfaceIds, privateIps } = places
  if (interfaceIds.length === 0) return
  await returnLentAddresses(tx, places)
  await tx.db
    .updateTable('address')
    .set(onNothing)
    .where('interface_id', 'in', interfaceIds)
    .$if(privateIps !== undefined, (query) => query.where('private_ip', 'in', privateIps!))
    .execute()
}

const onNothing = { interface_id: null, private_ip: null, association_id: null }

/** Puts an elastic address on a private one, and takes it from wherever it was. */
export async function placeAddress(
  tx: Tx,
  address: Pick<AddressTable, 'public_ip'>,
  place: { entry: Pick<NetworkInterfaceTable, 'id'>; privateIp: number; random: Random },
): Promise<string> {
  const { entry, privateIp } = place
  await clearAddresses(tx, { interfaceIds: [entry.id], privateIps: [privateIp] })
  const associationId = newId('association', place.random)
  await tx.db
    .updateTable('address')
    .set({ interface_id: entry.id, private_ip: privateIp, association_id: associationId })
    .where('public_ip', '=', address.public_ip)
    .execute()
  return associationId
}

export async function takeAddressOff(tx: Tx, address: Pick<AddressTable, 'public_ip'>): Promise<void> {
  await tx.db.updateTable('address').set(onNothing).where('public_ip', '=', address.public_ip).execute()
}

/** Whether anything of a VPC has a public address, lent or elastic. */
export async function hasPublicAddresses(db: Reader, vpcId: string): Promise<boolean> {
  const row = await db
    .selectFrom('address')
    .innerJoin('network_interface', 'network_interface.id', 'address.interface_id')
    .select('address.public_ip')
    .where('network_interface.vpc_id', '=', vpcId)
    .executeTakeFirst()
  return row !== undefined
}
