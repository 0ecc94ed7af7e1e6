import {
  MalleeError,
  blockContains,
  blockSize,
  formatIpv4,
  newId,
  parseCidr,
  parseIpv4,
  type Ipv4Block,
  type Random,
} from '@mallee/base'
import { invalidIpAddressInUse, invalidParameterValue } from '@mallee/ec2-api'
import { promisedAddresses } from './instance-import-store.ts'
import type { Reader, Tx } from './record.ts'
import type { AddressTable, NetworkInterfaceTable, SubnetTable } from './tables.ts'

/** The first four addresses and the last of a subnet are AWS's own; ours are the gateway and the DNS server. */
const reservedAtStart = 4

/** Free addresses of a subnet; the unique key is what really claims them. */
export async function freeAddresses(db: Reader, subnet: SubnetTable, count: number): Promise<number[]> {
  const block = parseCidr(subnet.cidr)!
  const own = () => db.selectFrom('network_interface').where('subnet_id', '=', subnet.id)
  const highest = await own()
    .select((eb) => eb.fn.max('private_ip').as('address'))
    .executeTakeFirst()
  const promised = await promisedAddresses(db, subnet.id)
  const free = await takeFree(block, count, Math.max(highest?.address ?? 0, ...promised), async () => [
    ...(await own().select('private_ip').execute()).map((row) => row.private_ip),
    ...promised,
  ])
  if (free.length < count) {
    throw new MalleeError({
      code: 'InsufficientFreeAddressesInSubnet',
      publicMessage: `The specified subnet does not have enough free addresses to satisfy the request.`,
    })
  }
  return free
}

/**
 * An address that a caller chose for an instance of his. Throws InvalidParameterValue for one that is not of the subnet,
 * InvalidIPAddress.InUse for one that somebody has, or was promised.
 */
export async function requireFreeAddress(db: Reader, subnet: SubnetTable, text: string): Promise<number> {
  const address = parseIpv4(text)
  const block = parseCidr(subnet.cidr)!
  const wrong = (why: string) => invalidParameterValue(`The address ${text.slice(0, 60)} ${why}.`)
  if (address === null) throw wrong('is not valid')
  if (!blockContains(block, address)) throw wrong("does not fall within the subnet's address range")
  const place = address - block.base
  if (place < reservedAtStart || place === blockSize(block) - 1)
    throw wrong("is in the subnet's reserved address range")
  const taken = await db
    .selectFrom('network_interface')
    .select('id')
    .where('subnet_id', '=', subnet.id)
    .where('private_ip', '=', address)
    .executeTakeFirst()
  if (taken || (await promisedAddresses(db, subnet.id)).includes(address))
    throw invalidIpAddressInUse(formatIpv4(address))
  return address
}

/**
 * Addresses behind the highest that is taken, which costs one look at an index; only when a block has been gone through
 * once, the lowest gaps. So most addresses rest before they are somebody else's. May be fewer than asked.
 */
async function takeFree(
  block: Ipv4Block,
  count: number,
  highest: number | null,
  readTaken: () => Promise<number[]>,
): Promise<number[]> {
  const first = block.base + reservedAtStart
  const last = block.base + blockSize(block) - 1
  const next = Math.max(first, (highest ?? 0) + 1)
  if (next + count <= last) return Array.from({ length: count }, (_none, index) => next + index)
  const taken = new Set(await readTaken())
  const free: number[] = []
  for (let address = first; address < last && free.length < count; address += 1)
    if (!taken.has(address)) free.push(address)
  return free
}

export async function insertInterface(
  tx: Tx,
  options: {
    subnet: SubnetTable
    privateIp: number
    groupIds: readonly string[]
    instanceId: string
    random: Random
    nowMs: number
  },
): Promise<NetworkInterfaceTable> {
  const { subnet, random, nowMs } = options
  const row: NetworkInterfaceTable = {
    id: newId('networkInterface', random),
    account_id: subnet.account_id,
    vpc_id: subnet.vpc_id,
    subnet_id: subnet.id,
    availability_zone: subnet.availability_zone,
    mac: `d0:0d:${[...random.bytes(4)].map((byte) => byte.toString(16).padStart(2, '0')).join(':')}`,
    private_ip: options.privateIp,
    description: '',
    source_dest_check: 1,
    instance_id: options.instanceId,
    device_index: 0,
    attachment_id: newId('networkInterfaceAttachment', random),
    attached_at: nowMs,
    created_at: nowMs,
  }
  await tx.db.insertInto('network_interface').values(row).execute()
  await tx.db
    .insertInto('network_interface_group')
    .values(options.groupIds.map((groupId) => ({ interface_id: row.id, group_id: groupId })))
    .execute()
  return row
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
    interfaceIds: readonly string[]
    random: Random
    nowMs: number
  },
): Promise<AddressTable[]> {
  const block = parseCidr(options.pool)!
  const highest = await tx.db
    .selectFrom('address')
    .select((eb) => eb.fn.max('public_ip').as('address'))
    .executeTakeFirst()
  // The first addresses are the link between the machine and its node.
  const free = await takeFree(block, options.interfaceIds.length, highest?.address ?? null, async () =>
    (await tx.db.selectFrom('address').select('public_ip').execute()).map((row) => row.public_ip),
  )
  const rows: AddressTable[] = free.map((address, index) => ({
    public_ip: address,
    account_id: options.accountId,
    interface_id: options.interfaceIds[index]!,
    allocation_id: null,
    association_id: newId('association', options.random),
    created_at: options.nowMs,
  }))
  if (rows.length > 0) await tx.db.insertInto('address').values(rows).execute()
  return rows
}

/** Gives back everything that an instance held of the network; lent addresses return to the pool. */
export async function releaseInterfaces(tx: Tx, instanceId: string): Promise<void> {
  const rows = await tx.db
    .selectFrom('network_interface')
    .select('id')
    .where('instance_id', '=', instanceId)
    .execute()
  const ids = rows.map((row) => row.id)
  if (ids.length === 0) return
  await tx.db
    .deleteFrom('address')
    .where('interface_id', 'in', ids)
    .where('allocation_id', 'is', null)
    .execute()
  await tx.db
    .updateTable('address')
    .set({ interface_id: null, association_id: null })
    .where('interface_id', 'in', ids)
    .execute()
  await tx.db.deleteFrom('network_interface_group').where('interface_id', 'in', ids).execute()
  await tx.db.deleteFrom('network_interface').where('id', 'in', ids).execute()
}

export interface InterfaceView extends NetworkInterfaceTable {
  readonly public_ip: number | null
  readonly address_allocation_id: string | null
  readonly address_association_id: string | null
  readonly groups: readonly { id: string; name: string }[]
}

/** Interfaces with their groups and public addresses, for views and for desired sets. */
export async function readInterfaces(
  db: Reader,
  where: { accountId?: string; instanceIds?: readonly string[]; vpcId?: string },
): Promise<InterfaceView[]> {
  let query = db
    .selectFrom('network_interface')
    .leftJoin('address', 'address.interface_id', 'network_interface.id')
    .selectAll('network_interface')
    .select([
      'address.public_ip',
      'address.allocation_id as address_allocation_id',
      'address.association_id as address_association_id',
    ])
  if (where.accountId !== undefined) query = query.where('network_interface.account_id', '=', where.accountId)
  if (where.vpcId !== undefined) query = query.where('network_interface.vpc_id', '=', where.vpcId)
  if (where.instanceIds)
    query = query.where(
      'network_interface.instance_id',
      'in',
      where.instanceIds.length > 0 ? where.instanceIds : [''],
    )
  const rows = await query.orderBy('network_interface.created_at').orderBy('network_interface.id').execute()
  const groups = await groupsOf(
    db,
    rows.map((row) => row.id),
  )
  return rows.map((row) => ({ ...row, groups: groups.get(row.id) ?? [] }))
}

async function groupsOf(
  db: Reader,
  interfaceIds: readonly string[],
): Promise<Map<string, { id: string; name: string }[]>> {
  const result = new Map<string, { id: string; name: string }[]>()
  for (let start = 0; start < interfaceIds.length; start += 500) {
    const rows = await db
      .selectFrom('network_interface_group as link')
      .innerJoin('security_group as sg', 'sg.id', 'link.group_id')
      .select(['link.interface_id', 'sg.id', 'sg.name'])
      .where('link.interface_id', 'in', interfaceIds.slice(start, start + 500))
      .orderBy('sg.id')
      .execute()
    for (const row of rows) {
      const list = result.get(row.interface_id) ?? []
      list.push({ id: row.id, name: row.name })
      result.set(row.interface_id, list)
    }
  }
  return result
}

/** The groups of an instance's first interface, all at once. */
export async function replaceInterfaceGroups(
  tx: Tx,
  instanceId: string,
  groupIds: readonly string[],
): Promise<void> {
  const first = await tx.db
    .selectFrom('network_interface')
    .select('id')
    .where('instance_id', '=', instanceId)
    .where('device_index', '=', 0)
    .executeTakeFirst()
  if (!first) return
  await tx.db.deleteFrom('network_interface_group').where('interface_id', '=', first.id).execute()
  await tx.db
    .insertInto('network_interface_group')
    .values(groupIds.map((groupId) => ({ interface_id: first.id, group_id: groupId })))
    .execute()
}

export async function setSourceDestCheck(tx: Tx, instanceId: string, check: 0 | 1): Promise<void> {
  await tx.db
    .updateTable('network_interface')
    .set({ source_dest_check: check })
    .where('instance_id', '=', instanceId)
    .execute()
}
