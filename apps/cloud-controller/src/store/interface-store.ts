import { newId, type Random } from '@mallee/base'
import type { PluggedInterface } from '@mallee/agent-contract'
import type { Wakes } from '../wakes.ts'
import { wakeVpc } from './network-reach.ts'
import { returnLentAddresses } from './network-store.ts'
import type { Reader, Tx } from './record.ts'
import type { InstanceTable, NetworkInterfaceTable } from './tables.ts'

/** Network interfaces and what they are plugged into. */

/** How many an instance may have: as many as the virtual machine has slots to spare for beside its disks. */
export const mostInterfaces = 8

export function interfacesOfInstance(db: Reader, instanceId: string): Promise<NetworkInterfaceTable[]> {
  return db
    .selectFrom('network_interface')
    .selectAll()
    .where('instance_id', '=', instanceId)
    .orderBy('device_index')
    .execute()
}

/** Plugs an interface into an instance; into one that runs, its node does it and says when. */
export async function attachInterface(
  tx: Tx,
  wakes: Wakes,
  options: {
    entry: NetworkInterfaceTable
    instance: Pick<InstanceTable, 'id' | 'vpc_id' | 'node_id'>
    deviceIndex: number
    deleteOnTermination: boolean
    random: Random
    nowMs: number
  },
): Promise<string> {
  const { entry, instance } = options
  const id = newId('networkInterfaceAttachment', options.random)
  await tx.db
    .updateTable('network_interface')
    .set({
      instance_id: instance.id,
      device_index: options.deviceIndex,
      attachment_id: id,
      attached_at: options.nowMs,
      attachment_state: instance.node_id === null || options.deviceIndex === 0 ? 'attached' : 'attaching',
      delete_on_termination: options.deleteOnTermination ? 1 : 0,
    })
    .where('id', '=', entry.id)
    .execute()
  tx.afterCommit(() => wakes.instance(instance.id))
  await wakeVpc(tx, wakes, instance.vpc_id)
  return id
}

/** Asks for an interface back; `now` where there is no guest to ask, or it is not to be waited for. */
export async function detachInterface(
  tx: Tx,
  wakes: Wakes,
  entry: NetworkInterfaceTable,
  options: { now: boolean },
): Promise<void> {
  const instanceId = entry.instance_id
  if (options.now) await finishDetach(tx, entry)
  else
    await tx.db
      .updateTable('network_interface')
      .set({ attachment_state: 'detaching' })
      .where('id', '=', entry.id)
      .execute()
  // While the instance is still known to have it: afterwards its node would not be among those to wake.
  if (instanceId !== null) {
    tx.afterCommit(() => wakes.instance(instanceId))
    const host = await tx.db
      .selectFrom('instance')
      .select('node_id')
      .where('id', '=', instanceId)
      .executeTakeFirst()
    const nodeId = host?.node_id
    if (nodeId) tx.afterCommit(() => wakes.network(nodeId))
  }
  await wakeVpc(tx, wakes, entry.vpc_id)
}

async function finishDetach(tx: Tx, entry: Pick<NetworkInterfaceTable, 'id'>): Promise<void> {
  await returnLentAddresses(tx, [entry.id])
  await tx.db
    .updateTable('network_interface')
    .set({
      instance_id: null,
      device_index: null,
      attachment_id: null,
      attached_at: null,
      attachment_state: null,
    })
    .where('id', '=', entry.id)
    .execute()
}

/** A guest that is no more holds on to nothing, and what it was to get it has when it starts again. */
export async function settleInterfaces(tx: Tx, instanceId: string): Promise<void> {
  for (const row of await interfacesOfInstance(tx.db, instanceId)) {
    if (row.attachment_state === 'detaching') await finishDetach(tx, row)
    if (row.attachment_state === 'attaching')
      await tx.db
        .updateTable('network_interface')
        .set({ attachment_state: 'attached' })
        .where('id', '=', row.id)
        .execute()
  }
}

/**
 * What a node says of the interfaces of a guest that runs. Without a list, it has exactly those of the item that the
 * node speaks of: `known` are their attachments, or null where that item is not the present one any more.
 */
export async function recordInterfaces(
  tx: Tx,
  wakes: Wakes,
  instanceId: string,
  said: readonly PluggedInterface[] | undefined,
  known: readonly string[] | null,
): Promise<void> {
  if (said === undefined && known === null) return
  const rows = await interfacesOfInstance(tx.db, instanceId)
  if (rows.every((row) => row.attachment_state === 'attached')) return
  const states = new Map((said ?? []).map((entry) => [entry.attachmentId, entry.state]))
  const present = new Set(
    said === undefined
      ? known
      : said.filter((entry) => entry.state === 'attached').map((entry) => entry.attachmentId),
  )
  for (const row of rows) {
    const id = row.attachment_id ?? ''
    if (row.attachment_state === 'attaching' && present.has(id)) {
      await tx.db
        .updateTable('network_interface')
        .set({ attachment_state: 'attached' })
        .where('id', '=', row.id)
        .execute()
    }
    // What is leaving is named by its MAC: the item that the node has knows it no more.
    const gone = known !== null && !known.includes(id) && !states.has(row.mac)
    // What cannot be plugged in is its owner's to try again, or elsewhere, and not attaching for ever.
    const failed = row.attachment_state === 'attaching' && states.get(id) === 'failed'
    if (failed || (row.attachment_state === 'detaching' && gone)) {
      await finishDetach(tx, row)
      tx.afterCommit(() => wakes.instance(instanceId))
      await wakeVpc(tx, wakes, row.vpc_id)
    }
  }
}
