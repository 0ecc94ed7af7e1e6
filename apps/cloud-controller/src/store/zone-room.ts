import { nodeSnapshots } from './agent-store.ts'
import type { Reader } from './record.ts'
import type { InstanceTypeTable } from './tables.ts'

interface Room {
  readonly vcpus: number
  readonly memoryMiB: number
  readonly diskGiB: number
}

/** How many instances of each type the nodes of a zone hold: in all, and now beside those that are there. */
export async function zoneRoom(
  db: Reader,
): Promise<(zone: string, type: InstanceTypeTable) => { max: number; available: number }> {
  const nodes = await nodeSnapshots(db)
  return (zone, type) => {
    const room = { max: 0, available: 0 }
    for (const { availabilityZone, capacity, used, ...node } of nodes) {
      if (availabilityZone !== zone || !node.enabled) continue
      room.max += fitting(capacity, type)
      if (node.silent || node.draining || !node.healthy) continue
      const free = {
        vcpus: capacity.vcpus - used.vcpus,
        memoryMiB: capacity.memoryMiB - used.memoryMiB,
        diskGiB: capacity.diskGiB - used.diskGiB,
      }
      room.available += fitting(free, type)
    }
    return room
  }
}

function fitting(room: Room, type: InstanceTypeTable): number {
  const disk = Math.max(type.disk_gib, 1)
  const count = Math.min(room.vcpus / type.vcpus, room.memoryMiB / type.memory_mib, room.diskGiB / disk)
  return Math.max(0, Math.floor(count))
}
