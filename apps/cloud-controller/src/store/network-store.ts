import {
  MalleeError,
  blockSize,
  formatIpv4,
  newId,
  parseCidr,
  type Ipv4Block,
  type Random,
} from '@mallee/base'
import { invalidIpAddressInUse } from '@mallee/ec2-api'
import { promisedAddresses } from './instance-import-store.ts'
import type { Reader, Tx } from './record.ts'
import type { AddressTable, Bit, NetworkInterfaceTable, SubnetTable } from './tables.ts'

/** The first four addresses and the last of a subnet are AWS's own; ours are the gateway and the DNS server. */
const reservedAtStart = 4

/** Free addresses of a subnet; the unique key is what really claims them. */
export async function freeAddresses(db: Reader, subnet: SubnetTable, count: number): Promise<number[]> {
  const block = parseCidr(subnet.cidr)!
  const own = () => db.selectFrom('network_interface_address').where('subnet_id', '=', subnet.id)
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

/** Refuses addresses of a subnet that somebody has, or was promised; the key of the claim is what really decides. */
export async function requireFree(db: Reader, subnetId: string, addresses: readonly number[]): Promise<void> {
  if (addresses.length === 0) return
  const taken = await db
    .selectFrom('network_interface_address')
    .select('private_ip')
    .where('subnet_id', '=', subnetId)
    .where('private_ip', 'in', addresses)
    .executeTakeFirst()
  if (taken) throw invalidIpAddressInUse(formatIpv4(taken.private_ip))
  const promised = (await promisedAddresses(db, subnetId)).find((address) => addresses.includes(address))
  if (promised !== undefined) throw invalidIpAddressInUse(formatIpv4(promised))
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

export interface NewInterface {
  readonly subnet: SubnetTable
  readonly privateIp: number
  readonly groupIds: readonly string[]
  readonly description?: string
  readonly type?: NetworkInterfaceTable['type']
  /** What it is plugged into from the first; without it, it is available. */
  readonly attachment?: { readonly instanceId: string; readonly deviceIndex: number }
  readonly deleteOnTermination?: boolean
  readonly random: Random
  readonly nowMs: number
}

export async function insertInterface(tx: Tx, options: NewInterface): Promise<NetworkInterfaceTable> {
  const { subnet, random, nowMs, attachment } = options
  const type = options.type ?? 'interface'
  const row: NetworkInterfaceTable = {
    id: newId('networkInterface', random),
    account_id: subnet.account_id,
    vpc_id: subnet.vpc_id,
    subnet_id: subnet.id,
    availability_zone: subnet.availability_zone,
    mac: `d0:0d:${[...random.bytes(4)].map((byte) => byte.toString(16).padStart(2, '0')).join(':')}`,
    private_ip: options.privateIp,
    description: options.description ?? '',
    source_dest_check: type === 'interface' ? 1 : 0,
    instance_id: attachment?.instanceId ?? null,
    device_index: attachment?.deviceIndex ?? null,
    attachment_id: attachment ? newId('networkInterfaceAttachment', random) : null,
    attached_at: attachment ? nowMs : null,
    type,
    requester_managed: type === 'interface' ? 0 : 1,
    delete_on_termination: (options.deleteOnTermination ?? attachment !== undefined) ? 1 : 0,
    attachment_state: attachment ? 'attached' : null,
    created_at: nowMs,
  }
  await tx.db.insertInto('network_interface').values(row).execute()
  await addPrivateAddresses(tx, row, [row.private_ip], { primary: true })
  if (options.groupIds.length > 0)
    await tx.db
      .insertInto('network_interface_group')
      .values(options.groupIds.map((groupId) => ({ interface_id: row.id, group_id: groupId })))
      .execute()
  return row
}

/** The claim of addresses of a subnet; its key refuses one that somebody has. */
export async function addPrivateAddresses(
  tx: Tx,
  entry: Pick<NetworkInterfaceTable, 'id' | 'subnet_id'>,
  addresses: readonly number[],
  options: { primary?: boolean } = {},
): Promise<void> {
  if (addresses.length === 0) return
  await tx.db
    .insertInto('network_interface_address')
    .values(
      addresses.map((address) => ({
        subnet_id: entry.subnet_id,
        private_ip: address,
        interface_id: entry.id,
        is_primary: options.primary ? (1 as const) : (0 as const),
      })),
    )
    .execute()
}

/** Addresses of the pool that nobody has; fewer than asked where it is empty. */
export async function freePublicAddresses(db: Reader, pool: string, count: number): Promise<number[]> {
  const highest = await db
    .selectFrom('address')
    .select((eb) => eb.fn.max('public_ip').as('address'))
    .executeTakeFirst()
  return takeFree(parseCidr(pool)!, count, highest?.address ?? null, async () =>
    (await db.selectFrom('address').select('public_ip').execute()).map((row) => row.public_ip),
  )
}

/** Whether an address may be given away at all: the first ones are the link between the machine and its node. */
export function isUsable(block: Ipv4Block, address: number): boolean {
  return address >= block.base + reservedAtStart && address < block.base + blockSize(block) - 1
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

/**
 * Gives back what an instance held of the network: interfaces that end with it, and lent addresses. Others are detached
 * and stay, with the elastic addresses that they have.
 */
export async function releaseInterfaces(tx: Tx, instanceId: string): Promise<void> {
  const rows = await tx.db
    .selectFrom('network_interface')
    .select(['id', 'delete_on_termination'])
    .where('instance_id', '=', instanceId)
    .execute()
  const ids = rows.map((row) => row.id)
  if (ids.length === 0) return
  await returnLentAddresses(tx, ids)
  await deleteInterfaces(
    tx,
    rows.filter((row) => row.delete_on_termination === 1).map((row) => row.id),
  )
  await tx.db
    .updateTable('network_interface')
    .set({
      instance_id: null,
      device_index: null,
      attachment_id: null,
      attached_at: null,
      attachment_state: null,
    })
    .where('instance_id', '=', instanceId)
    .execute()
}

/** Addresses that the cloud lent go back to the pool; they never outlive what they were lent for. */
export async function returnLentAddresses(tx: Tx, interfaceIds: readonly string[]): Promise<void> {
  if (interfaceIds.length === 0) return
  await tx.db
    .deleteFrom('address')
    .where('interface_id', 'in', interfaceIds)
    .where('allocation_id', 'is', null)
    .execute()
}

/** With their claims; elastic addresses stay their owner's and are on nothing. */
export async function deleteInterfaces(tx: Tx, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return
  await returnLentAddresses(tx, ids)
  await tx.db
    .updateTable('address')
    .set({ interface_id: null, private_ip: null, association_id: null })
    .where('interface_id', 'in', ids)
    .execute()
  await tx.db.deleteFrom('network_interface_group').where('interface_id', 'in', ids).execute()
  await tx.db.deleteFrom('network_interface_address').where('interface_id', 'in', ids).execute()
  await tx.db.deleteFrom('network_interface').where('id', 'in', ids).execute()
}

/** One private address of an interface, and the public one that stands for it. */
export interface InterfaceAddress {
  readonly private_ip: number
  readonly is_primary: Bit
  readonly public_ip: number | null
  readonly allocation_id: string | null
  readonly association_id: string | null
}

export interface InterfaceView extends NetworkInterfaceTable {
  /** Of the primary private address. */
  readonly public_ip: number | null
  readonly address_allocation_id: string | null
  readonly address_association_id: string | null
  /** The primary one first. */
  readonly addresses: readonly InterfaceAddress[]
  readonly groups: readonly { id: string; name: string }[]
}

/** Interfaces with their groups and addresses, for views and for desired sets. */
export async function readInterfaces(
  db: Reader,
  where: {
    accountId?: string
    instanceIds?: readonly string[]
    interfaceIds?: readonly string[]
    vpcId?: string
  },
): Promise<InterfaceView[]> {
  let query = db.selectFrom('network_interface').selectAll()
  if (where.accountId !== undefined) query = query.where('account_id', '=', where.accountId)
  if (where.vpcId !== undefined) query = query.where('vpc_id', '=', where.vpcId)
  if (where.instanceIds) query = query.where('instance_id', 'in', orNone(where.instanceIds))
  if (where.interfaceIds) query = query.where('id', 'in', orNone(where.interfaceIds))
  const rows = await query.orderBy('created_at').orderBy('id').execute()
  const ids = rows.map((row) => row.id)
  const groups = await groupsOf(db, ids)
  const addresses = await addressesOf(db, ids)
  return rows.map((row) => {
    const own = addresses.get(row.id) ?? []
    const primary = own.find((address) => address.is_primary === 1)
    return {
      ...row,
      public_ip: primary?.public_ip ?? null,
      address_allocation_id: primary?.allocation_id ?? null,
      address_association_id: primary?.association_id ?? null,
      addresses: own,
      groups: groups.get(row.id) ?? [],
    }
  })
}

const orNone = (ids: readonly string[]) => (ids.length > 0 ? ids : [''])

async function addressesOf(
  db: Reader,
  interfaceIds: readonly string[],
): Promise<Map<string, InterfaceAddress[]>> {
  const result = new Map<string, InterfaceAddress[]>()
  for (let start = 0; start < interfaceIds.length; start += 500) {
    const rows = await db
      .selectFrom('network_interface_address as own')
      .leftJoin('address', (join) =>
        join
          .onRef('address.interface_id', '=', 'own.interface_id')
          .onRef('address.private_ip', '=', 'own.private_ip'),
      )
      .select(['own.interface_id', 'own.private_ip', 'own.is_primary'])
      .select(['address.public_ip', 'address.allocation_id', 'address.association_id'])
      .where('own.interface_id', 'in', interfaceIds.slice(start, start + 500))
      .orderBy('own.is_primary', 'desc')
      .orderBy('own.private_ip')
      .execute()
    for (const { interface_id: id, ...row } of rows) {
      const list = result.get(id) ?? []
      list.push(row)
      result.set(id, list)
    }
  }
  return result
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
