import { AwsError } from '@mallee/aws-protocol'
import type { DescribeInstanceTypesInput } from '@mallee/eucalyptus-api'
import type { NodeSnapshot } from '../../scheduler/judge-node.ts'
import { nodeSnapshots } from '../../store/agent-store.ts'
import type { InstanceTypeTable } from '../../store/tables.ts'
import type { EucalyptusContext } from '../eucalyptus-actions.ts'

/** The cloud's types in the form that Eucalyptus had for them long before AWS had any; with room, if asked for it. */
export async function describeInstanceTypes(ctx: EucalyptusContext, input: DescribeInstanceTypesInput) {
  const wanted = input.InstanceTypes ?? []
  return ctx.read(async (db) => {
    const rows = await db.selectFrom('instance_type').selectAll().orderBy('name').execute()
    const missing = wanted.filter((name) => !rows.some((row) => row.name === name))
    if (missing.length > 0)
      throw new AwsError(
        'InvalidInstanceType',
        `The following supplied instance types do not exist: [${missing.join(', ').slice(0, 300)}]`,
      )
    const nodes = input.Availability ? (await nodeSnapshots(db)).filter(takesPart) : null
    return {
      InstanceTypeDetails: rows
        .filter((row) => wanted.length === 0 || wanted.includes(row.name))
        .map((row) => ({
          Name: row.name,
          Cpu: row.vcpus,
          Disk: row.disk_gib,
          Memory: row.memory_mib,
          ...(nodes ? { Availability: availability(ctx.settings.availabilityZones, nodes, row) } : {}),
        })),
    }
  })
}

function takesPart(node: NodeSnapshot): boolean {
  return node.enabled && !node.draining && !node.silent && node.healthy
}

/** How many of the type would fit into each zone if it were empty, and how many fit now. */
function availability(zones: readonly string[], nodes: readonly NodeSnapshot[], type: InstanceTypeTable) {
  const sum = (zone: string, share: 'all' | 'free') =>
    nodes
      .filter((node) => node.availabilityZone === zone)
      .reduce((total, node) => total + fits(node, type, share), 0)
  return zones.map((zone) => ({ ZoneName: zone, Max: sum(zone, 'all'), Available: sum(zone, 'free') }))
}

function fits({ capacity, used }: NodeSnapshot, type: InstanceTypeTable, share: 'all' | 'free'): number {
  const times = (have: number, taken: number, need: number) =>
    need === 0 ? Number.MAX_SAFE_INTEGER : Math.floor((have - (share === 'free' ? taken : 0)) / need)
  return Math.max(
    0,
    Math.min(
      times(capacity.vcpus, used.vcpus, type.vcpus),
      times(capacity.memoryMiB, used.memoryMiB, type.memory_mib),
      times(capacity.diskGiB, used.diskGiB, type.disk_gib),
    ),
  )
}
