import { isWellFormedId, newId } from '@mallee/base'
import type { Ec2 } from '@mallee/ec2-api'
import {
  invalidParameterCombination,
  invalidParameterValue,
  invalidPlacementGroupDuplicate,
  invalidPlacementGroupIdMalformed,
  invalidPlacementGroupInUse,
  invalidPlacementGroupUnknown,
  missingParameter,
  placementGroupLimitExceeded,
} from '@mallee/ec2-api'
import { findPlacementGroup, groupMembers, listPlacementGroups } from '../../store/placement-group-store.ts'
import { requireQuota } from '../../store/quota-store.ts'
import type { PlacementGroupTable } from '../../store/tables.ts'
import { deleteTagsOf, putTags } from '../../store/tag-store.ts'
import { defineEc2Action } from '../define-action.ts'
import { describeThings, type Tag } from '../describe-things.ts'
import { filterNames, type FilterFields } from '../filters.ts'
import { tagRows } from '../tag-specifications.ts'

const maxPartitions = 7
/** What AWS makes of a partition group of which nothing is said. */
const defaultPartitions = 2

/**
 * A spread group spreads over nodes, each of which is a host: AWS's default, `rack`, would be a claim about power and
 * switches of which the cloud knows nothing. So `rack` is refused by name, and where nothing is said, the answer says
 * `host`. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreatePlacementGroup.html
 */
export const createPlacementGroup = defineEc2Action('CreatePlacementGroup', {
  honours: ['GroupName', 'PartitionCount', 'TagSpecifications'],
  only: { Strategy: ['cluster', 'spread', 'partition'], SpreadLevel: ['host'] },
  creates: ['placement-group'],
  async run(ctx, input) {
    const { GroupName: name = '', Strategy: strategy, PartitionCount: count } = input
    if (name === '') throw missingParameter('GroupName')
    if (name.length > 255 || !/^[\x20-\x7e]+$/.test(name))
      throw invalidParameterValue(
        `Value '${name.slice(0, 60)}' for groupName is invalid. It must be up to 255 ASCII characters.`,
      )
    if (strategy === undefined || strategy === 'precision-time') throw missingParameter('Strategy')
    if (input.SpreadLevel !== undefined && strategy !== 'spread')
      throw invalidParameterCombination('SpreadLevel is valid only when Strategy is set to spread.')
    if (count !== undefined && strategy !== 'partition')
      throw invalidParameterCombination('PartitionCount is valid only when Strategy is set to partition.')
    if (count !== undefined && (count < 1 || count > maxPartitions))
      throw invalidParameterValue(
        `Value (${count}) for parameter PartitionCount is invalid. It must be between 1 and ${maxPartitions}.`,
      )
    const { row, tags } = await ctx.transaction(async (tx) => {
      const present = await listPlacementGroups(tx.db, ctx.caller.accountId)
      if (present.some((group) => group.name === name)) throw invalidPlacementGroupDuplicate(name)
      await requireQuota(tx.db, ctx.caller, 'placement-groups', present.length, (quota) =>
        placementGroupLimitExceeded(quota),
      )
      const made: PlacementGroupTable = {
        id: newId('placementGroup', ctx.random),
        account_id: ctx.caller.accountId,
        name,
        strategy,
        partition_count: strategy === 'partition' ? (count ?? defaultPartitions) : null,
        created_at: ctx.nowMs,
      }
      await tx.db.insertInto('placement_group').values(made).execute()
      const rows = tagRows(ctx, input.TagSpecifications, 'placement-group', [made.id])
      await putTags(tx, rows)
      tx.touch(made.id)
      return { row: made, tags: rows.map((tag) => ({ Key: tag.key, Value: tag.value })) }
    })
    return { PlacementGroup: groupView(row, ctx.settings.region, tags) }
  },
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeletePlacementGroup.html */
export const deletePlacementGroup = defineEc2Action('DeletePlacementGroup', {
  honours: ['GroupName'],
  run(ctx, input) {
    return ctx.transaction(async (tx) => {
      const group = await findPlacementGroup(tx.db, ctx.caller.accountId, { name: input.GroupName })
      if (!group) throw invalidPlacementGroupUnknown([input.GroupName])
      if ((await groupMembers(tx.db, group.id)).length > 0) throw invalidPlacementGroupInUse(group.name)
      await deleteTagsOf(tx, group.id)
      await tx.db.deleteFrom('placement_group').where('id', '=', group.id).execute()
      tx.touch(group.id)
      return {}
    })
  },
})

const fieldsIn = (region: string): FilterFields<PlacementGroupTable> => ({
  'group-arn': (row) => [arnOf(row, region)],
  'group-name': (row) => [row.name],
  'spread-level': (row) => [row.strategy === 'spread' ? 'host' : null],
  state: () => ['available'],
  strategy: (row) => [row.strategy],
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribePlacementGroups.html */
export const describePlacementGroups = defineEc2Action('DescribePlacementGroups', {
  honours: ['GroupNames', 'GroupIds', 'Filters'],
  filters: filterNames(fieldsIn(''), { tagged: true }),
  ids: ['GroupNames', 'GroupIds'],
  async run(ctx, input) {
    const names = input.GroupNames ?? []
    const ids = input.GroupIds ?? []
    for (const id of ids)
      if (!isWellFormedId('placementGroup', id)) throw invalidPlacementGroupIdMalformed(id)
    return ctx.read(async (db) => {
      const rows = await listPlacementGroups(db, ctx.scope)
      const missing = [
        ...names.filter((name) => !rows.some((row) => row.name === name)),
        ...ids.filter((id) => !rows.some((row) => row.id === id)),
      ]
      if (missing.length > 0) throw invalidPlacementGroupUnknown(missing)
      const { views } = await describeThings(
        ctx,
        db,
        { Filters: input.Filters },
        {
          things: rows.filter(
            (row) =>
              (names.length === 0 || names.includes(row.name)) && (ids.length === 0 || ids.includes(row.id)),
          ),
          idOf: (row) => row.id,
          keyOf: (row) => `${row.name} ${row.id}`,
          fields: fieldsIn(ctx.settings.region),
          view: (row, tags) => groupView(row, ctx.settings.region, tags),
        },
      )
      return { PlacementGroups: views }
    })
  },
})

function arnOf(row: PlacementGroupTable, region: string): string {
  return `arn:aws:ec2:${region}:${row.account_id}:placement-group/${row.name}`
}

function groupView(row: PlacementGroupTable, region: string, tags: Tag[]): Ec2.PlacementGroup {
  return {
    GroupName: row.name,
    GroupId: row.id,
    GroupArn: arnOf(row, region),
    State: 'available',
    Strategy: row.strategy,
    ...(row.partition_count === null ? {} : { PartitionCount: row.partition_count }),
    ...(row.strategy === 'spread' ? { SpreadLevel: 'host' as const } : {}),
    Tags: tags,
  }
}
