import { newId, type Random } from '@mallee/base'
import { clearAddresses, returnLentAddresses } from './address-store.ts'
import { removeFlowLogsOf } from './flow-log-store.ts'
import { readInSlices } from './read-in-slices.ts'
import type { Reader, Tx } from './record.ts'
import { deleteTagsOf } from './tag-store.ts'
import type { Bit, NetworkInterfaceTable, SubnetTable } from './tables.ts'

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
  await addInterfaceGroups(tx, row.id, options.groupIds)
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
  const [ending, staying] = [1, 0].map((ends) =>
    rows.filter((row) => row.delete_on_termination === ends).map((row) => row.id),
  ) as [string[], string[]]
  await deleteInterfaces(tx, ending)
  await unplugInterfaces(tx, staying)
}

/** What is plugged into nothing has no lent address. */
export async function unplugInterfaces(tx: Tx, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return
  await returnLentAddresses(tx, { interfaceIds: ids })
  await tx.db
    .updateTable('network_interface')
    .set({
      instance_id: null,
      device_index: null,
      attachment_id: null,
      attached_at: null,
      attachment_state: null,
    })
    .where('id', 'in', ids)
    .execute()
}

/** With their claims and tags; elastic addresses stay their owner's and are on nothing. */
export async function deleteInterfaces(tx: Tx, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return
  await clearAddresses(tx, { interfaceIds: ids })
  await tx.db.deleteFrom('network_interface_group').where('interface_id', 'in', ids).execute()
  await tx.db.deleteFrom('network_interface_address').where('interface_id', 'in', ids).execute()
  await tx.db.deleteFrom('network_interface').where('id', 'in', ids).execute()
  for (const id of ids) await deleteTagsOf(tx, id)
  await removeFlowLogsOf(tx, ids)
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
  /** Of its VPC. */
  readonly dns_hostnames: Bit
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
  let query = db
    .selectFrom('network_interface as entry')
    .innerJoin('vpc', 'vpc.id', 'entry.vpc_id')
    .selectAll('entry')
    .select('vpc.dns_hostnames')
  if (where.accountId !== undefined) query = query.where('entry.account_id', '=', where.accountId)
  if (where.vpcId !== undefined) query = query.where('entry.vpc_id', '=', where.vpcId)
  if (where.instanceIds) query = query.where('entry.instance_id', 'in', orNone(where.instanceIds))
  if (where.interfaceIds) query = query.where('entry.id', 'in', orNone(where.interfaceIds))
  const rows = await query.orderBy('entry.created_at').orderBy('entry.id').execute()
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
  const rows = await readInSlices(interfaceIds, (slice) =>
    db
      .selectFrom('network_interface_address as own')
      .leftJoin('address', (join) =>
        join
          .onRef('address.interface_id', '=', 'own.interface_id')
          .onRef('address.private_ip', '=', 'own.private_ip'),
      )
      .select(['own.interface_id', 'own.private_ip', 'own.is_primary'])
      .select(['address.public_ip', 'address.allocation_id', 'address.association_id'])
      .where('own.interface_id', 'in', slice)
      .orderBy('own.is_primary', 'desc')
      .orderBy('own.private_ip')
      .execute(),
  )
  return Map.groupBy(rows, (row) => row.interface_id)
}

async function groupsOf(
  db: Reader,
  interfaceIds: readonly string[],
): Promise<Map<string, { id: string; name: string }[]>> {
  const rows = await readInSlices(interfaceIds, (slice) =>
    db
      .selectFrom('network_interface_group as link')
      .innerJoin('security_group as sg', 'sg.id', 'link.group_id')
      .select(['link.interface_id', 'sg.id', 'sg.name'])
      .where('link.interface_id', 'in', slice)
      .orderBy('sg.id')
      .execute(),
  )
  return Map.groupBy(rows, (row) => row.interface_id)
}

/** All at once. */
export async function replaceInterfaceGroups(
  tx: Tx,
  interfaceId: string,
  groupIds: readonly string[],
): Promise<void> {
  await tx.db.deleteFrom('network_interface_group').where('interface_id', '=', interfaceId).execute()
  await addInterfaceGroups(tx, interfaceId, groupIds)
}

async function addInterfaceGroups(tx: Tx, interfaceId: string, groupIds: readonly string[]): Promise<void> {
  if (groupIds.length === 0) return
  await tx.db
    .insertInto('network_interface_group')
    .values(groupIds.map((groupId) => ({ interface_id: interfaceId, group_id: groupId })))
    .execute()
}

export async function updateInterface(
  tx: Tx,
  interfaceId: string,
  columns: Partial<NetworkInterfaceTable>,
): Promise<void> {
  await tx.db.updateTable('network_interface').set(columns).where('id', '=', interfaceId).execute()
}
