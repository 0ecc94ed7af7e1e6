import {
  invalidInstanceType,
  invalidParameterCombination,
  invalidParameterValue,
  unauthorizedOperation,
  type EucalyptusComputeOperations,
  type EucalyptusInstanceType,
} from '@mallee/ec2-api'
import { defaultInstanceTypes } from '../store/default-instance-types.ts'
import { zoneRoom } from '../store/zone-room.ts'
import type { InstanceTypeTable } from '../store/tables.ts'
import type { ActionContext } from './define-action.ts'

type Operations = EucalyptusComputeOperations

/** Limits of libvirt and of a machine that anybody has. */
const most = { Cpu: 512, Memory: 16 * 1024 * 1024, Disk: 1024 * 1024 }

/** Instance types as Eucalyptus told them: euca-describe-instance-types, and libcloud's list of sizes. */
export async function describeEucalyptusInstanceTypes(
  ctx: ActionContext,
  input: Operations['DescribeInstanceTypes']['input'],
): Promise<Operations['DescribeInstanceTypes']['output']> {
  const names = input.InstanceTypes ?? []
  return ctx.read(async (db) => {
    const rows = await db.selectFrom('instance_type').selectAll().orderBy('name').execute()
    const unknown = names.filter((name) => !rows.some((row) => row.name === name))
    if (unknown.length > 0) throw invalidInstanceType(unknown)
    const chosen = rows.filter((row) => names.length === 0 || names.includes(row.name))
    const roomIn = input.Availability || input.Verbose ? await zoneRoom(db) : null
    return {
      InstanceTypeDetails: chosen.map((row) => ({
        ...view(row),
        Availability: roomIn
          ? ctx.settings.availabilityZones.map((zone) => {
              const { max, available } = roomIn(zone, row)
              return { ZoneName: zone, Max: max, Available: available }
            })
          : [],
      })),
    }
  })
}

/** What a type is from now on; instances that run keep what they were launched with. The cloud's admin only. */
export async function modifyInstanceTypeAttribute(
  ctx: ActionContext,
  input: Operations['ModifyInstanceTypeAttribute']['input'],
): Promise<Operations['ModifyInstanceTypeAttribute']['output']> {
  if (!ctx.caller.isCloudAdmin) throw unauthorizedOperation()
  const said = [input.Cpu, input.Disk, input.Memory].some((value) => value !== undefined)
  if (input.Reset && said)
    throw invalidParameterCombination('Reset may not be used in combination with Cpu, Disk or Memory.')
  for (const name of ['Cpu', 'Memory', 'Disk'] as const) {
    const value = input[name]
    if (value !== undefined && (value < 1 || value > most[name]))
      throw invalidParameterValue(`Value (${value}) for parameter ${name} is invalid: 1 to ${most[name]}.`)
  }
  return ctx.transaction(async (tx) => {
    const before = await tx.db
      .selectFrom('instance_type')
      .selectAll()
      .where('name', '=', input.Name)
      .executeTakeFirst()
    if (!before) throw invalidInstanceType([input.Name])
    const fresh = defaultInstanceTypes.find((row) => row.name === input.Name)
    if (input.Reset && !fresh)
      throw invalidParameterValue(`The type ${input.Name} has no sizes of its own to go back to.`)
    const after: InstanceTypeTable = input.Reset
      ? fresh!
      : {
          name: before.name,
          vcpus: input.Cpu ?? before.vcpus,
          memory_mib: input.Memory ?? before.memory_mib,
          disk_gib: input.Disk ?? before.disk_gib,
        }
    await tx.db.updateTable('instance_type').set(after).where('name', '=', input.Name).execute()
    tx.touch(input.Name)
    return { PreviousInstanceType: view(before), InstanceType: view(after) }
  })
}

function view(row: InstanceTypeTable): EucalyptusInstanceType {
  return {
    Name: row.name,
    Cpu: row.vcpus,
    Disk: row.disk_gib,
    Memory: row.memory_mib,
    NetworkInterfaces: 1,
    Availability: [],
  }
}
