import { isWellFormedId } from '@mallee/base'
import {
  invalidParameterCombination,
  invalidParameterValue,
  invalidPlacementGroupIdMalformed,
  invalidPlacementGroupInUseElsewhere,
  invalidPlacementGroupUnknown,
  type Ec2,
} from '@mallee/ec2-api'
import type { PlacementGroupUse } from '../../scheduler/group-placement.ts'
import { findPlacementGroup, groupMembers } from '../../store/placement-group-store.ts'
import type { Reader } from '../../store/record.ts'
import type { InstanceTable, PlacementGroupTable } from '../../store/tables.ts'
import type { ActionContext } from '../define-action.ts'

type Asked = Pick<Ec2.Placement, 'GroupName' | 'GroupId' | 'PartitionNumber'>

/** The caller's group that a request names; null where it names none, which an empty name says as well. */
export async function namedPlacementGroup(
  ctx: ActionContext,
  db: Reader,
  { GroupName: name = '', GroupId: id = '' }: Asked,
): Promise<PlacementGroupTable | null> {
  if (name !== '' && id !== '')
    throw invalidParameterCombination('You cannot specify both a placement group name and ID.')
  if (name === '' && id === '') return null
  if (id !== '' && !isWellFormedId('placementGroup', id)) throw invalidPlacementGroupIdMalformed(id)
  const group = await findPlacementGroup(db, ctx.caller.accountId, id === '' ? { name } : { id })
  if (!group) throw invalidPlacementGroupUnknown([id === '' ? name : id])
  return group
}

/** The group to launch into, with its instances as this transaction sees them. */
export async function resolvePlacementGroup(
  ctx: ActionContext,
  db: Reader,
  asked: Asked | undefined,
  availabilityZone: string | null,
): Promise<PlacementGroupUse | null> {
  const group = await namedPlacementGroup(ctx, db, asked ?? {})
  const partition = asked?.PartitionNumber ?? null
  if (partition !== null && group?.strategy !== 'partition')
    throw invalidParameterCombination(
      'PartitionNumber is valid only with a placement group whose strategy is partition.',
    )
  if (!group) return null
  const partitionCount = group.partition_count ?? 0
  if (partition !== null && (partition < 1 || partition > partitionCount))
    throw invalidParameterValue(
      `Value (${partition}) for parameter PartitionNumber is invalid. The placement group '${group.name}' has ${partitionCount} partitions.`,
    )
  const members = await groupMembers(db, group.id)
  const elsewhere = members.find((member) => member.availabilityZone !== availabilityZone)
  if (group.strategy === 'cluster' && availabilityZone !== null && elsewhere)
    throw invalidPlacementGroupInUseElsewhere(group.name, elsewhere.availabilityZone)
  return { id: group.id, strategy: group.strategy, partitionCount, partition, members }
}

/** The group that a stopped instance is in, for where it may start; null where it is in none. */
export async function ownPlacementGroup(
  db: Reader,
  instance: InstanceTable,
): Promise<PlacementGroupUse | null> {
  const { placement_group_id: id, partition_number: partition } = instance
  const group = id === null ? undefined : await findPlacementGroup(db, instance.account_id, { id })
  if (!group) return null
  const members = await groupMembers(db, group.id, instance.id)
  return {
    id: group.id,
    strategy: group.strategy,
    partitionCount: group.partition_count ?? 0,
    partition,
    members,
  }
}
