import { newId, type Random } from '@mallee/base'
import type { PluggedInterface } from '@mallee/agent-contract'
import type { Wakes } from '../wakes.ts'
import { wakeInterface } from './network-reach.ts'
import { unplugInterfaces, updateInterface } from './network-store.ts'
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
  await updateInterface(tx, entry.id, {
    instance_id: instance.id,
    device_index: options.deviceIndex,
    attachment_id: id,
    attached_at: options.nowMs,
    attachment_state: instance.node_id === null || options.deviceIndex === 0 ? 'attached' : 'attaching',
    delete_on_termination: options.deleteOnTermination ? 1 : 0,
  })
  await wakeInterface(tx, wakes, { vpc_id: instance.vpc_id, instance_id: instance.id })
  return id
}

/** Asks for an interface back; `now` where there is no guest to ask, or it is not to be waited for. */
export async function detachInterface(
  tx: Tx,
  wakes: Wakes,
  entry: NetworkInterfaceTable,
  options: { now: boolean },
): Promise<void> {
  if (options.now) await unplugInterfaces(tx, [entry.id])
  else await updateInterface(tx, entry.id, { attachment_state: 'detaching' })
  await wakeInterface(tx, wakes, entry)
}

/** A guest that is no more holds on to nothing, and what it was to get it has when it starts again. */
export async function settleInterfaces(tx: Tx, instanceId: string): Promise<void> {
  for (const row of await interfacesOfInstance(tx.db, instanceId)) {
    if (row.attachment_state === 'detaching') await unplugInterfaces(tx, [row.id])
    if (row.attachment_state === 'attaching')
      await updateInterface(tx, row.id, { attachment_state: 'attached' })
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
      await updateInterface(tx, row.id, { attachment_state: 'attached' })
    }
    // What is leaving is named by its MAC: the item that the node has knows it no more.
    const gone = known !== null && !known.includes(id) && !states.has(row.mac)
    // What cannot be plugged in is its owner's to try again, or elsewhere, and not attaching for ever.
    const failed = row.attachment_state === 'attaching' && states.get(id) === 'failed'
    if (failed || (row.attachment_state === 'detaching' && gone)) {
      await unplugInterfaces(tx, [row.id])
      await wakeInterface(tx, wakes, row)
    }
  }
}
