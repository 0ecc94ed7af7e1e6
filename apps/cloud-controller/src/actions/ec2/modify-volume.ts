import { must } from '@mallee/base'
import {
  incorrectModificationState,
  incorrectState,
  invalidParameterValue,
  invalidVolumeModificationNotFound,
  missingParameter,
  type Ec2,
} from '@mallee/ec2-api'
import type { VolumeModificationTable } from '../../store/tables.ts'
import { attachmentOfVolume, beginModification, getModification } from '../../store/volume-store.ts'
import { defineEc2Action } from '../define-action.ts'
import { describeThings } from '../describe-things.ts'
import { filterNames, type FilterFields } from '../filters.ts'
import { checkVolumeType, claimVolumeQuota } from './new-volume.ts'
import { requireVolume, requireVolumes } from './require-volumes.ts'

/**
 * Grows a volume, attached or not, and changes its class of service. A guest that has it is told of the new size.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVolume.html
 */
export const modifyVolume = defineEc2Action('ModifyVolume', {
  honours: ['VolumeId', 'Size', 'VolumeType', 'Iops', 'Throughput'],
  only: { MultiAttachEnabled: [false] },
  async run(ctx, input) {
    const id = await ctx.transaction(async (tx) => {
      const volume = await requireVolume(ctx, tx.db, input.VolumeId)
      if (volume.state !== 'available' && volume.state !== 'in-use')
        throw incorrectState(`Volume '${volume.id}' is in the '${volume.state}' state.`)
      const { Size: size, VolumeType: newType, Iops: iops, Throughput: throughput } = input
      if (size === undefined && newType === undefined && iops === undefined && throughput === undefined)
        throw missingParameter('size, volumeType, iops or throughput')
      if (size !== undefined && size < volume.size_gib)
        throw invalidParameterValue(
          `New size cannot be smaller than existing size (${size} < ${volume.size_gib} GiB)`,
        )
      const last = await getModification(tx.db, volume.id)
      if (last?.state === 'modifying') throw incorrectModificationState(volume.id)
      const sizeGiB = size ?? volume.size_gib
      const sameType = newType === undefined || newType === volume.type
      const target = checkVolumeType({
        sizeGiB,
        type: newType ?? volume.type,
        iops: iops ?? (sameType ? (volume.iops ?? undefined) : undefined),
        throughput: throughput ?? (sameType ? (volume.throughput ?? undefined) : undefined),
      })
      await claimVolumeQuota(ctx, tx, 0, sizeGiB - volume.size_gib)
      const row: VolumeModificationTable = {
        volume_id: volume.id,
        account_id: volume.account_id,
        state: 'modifying',
        message: null,
        started_at: ctx.nowMs,
        ended_at: null,
        original_size: volume.size_gib,
        original_type: volume.type,
        original_iops: volume.iops,
        original_throughput: volume.throughput,
        target_size: sizeGiB,
        target_type: target.type,
        target_iops: target.iops,
        target_throughput: target.throughput,
      }
      await beginModification(tx, row)
      const attachment = await attachmentOfVolume(tx.db, volume.id)
      tx.touch(volume.id)
      tx.afterCommit(() => ctx.wakes.volume(volume.id))
      if (attachment) tx.afterCommit(() => ctx.wakes.instance(attachment.instance_id))
      return volume.id
    })
    const row = await ctx.read((db) => getModification(db, id))
    return { VolumeModification: modificationView(must(row, `the modification of ${id}`)) }
  },
})

function modificationView(row: VolumeModificationTable): Ec2.VolumeModification {
  const known = <T>(name: string, value: T | null) => (value === null ? {} : { [name]: value })
  return {
    VolumeId: row.volume_id,
    ModificationState: row.state,
    ...known('StatusMessage', row.message),
    TargetSize: row.target_size,
    TargetVolumeType: row.target_type,
    ...known('TargetIops', row.target_iops),
    ...known('TargetThroughput', row.target_throughput),
    TargetMultiAttachEnabled: false,
    OriginalSize: row.original_size,
    OriginalVolumeType: row.original_type,
    ...known('OriginalIops', row.original_iops),
    ...known('OriginalThroughput', row.original_throughput),
    OriginalMultiAttachEnabled: false,
    Progress: row.state === 'completed' ? 100 : 0,
    StartTime: new Date(row.started_at),
    ...(row.ended_at === null ? {} : { EndTime: new Date(row.ended_at) }),
  }
}

const fields: FilterFields<VolumeModificationTable> = {
  'modification-state': (row) => [row.state],
  'original-iops': (row) => [row.original_iops],
  'original-size': (row) => [row.original_size],
  'original-volume-type': (row) => [row.original_type],
  originalMultiAttachEnabled: () => [false],
  'start-time': (row) => [new Date(row.started_at).toISOString()],
  'target-iops': (row) => [row.target_iops],
  'target-size': (row) => [row.target_size],
  'target-volume-type': (row) => [row.target_type],
  targetMultiAttachEnabled: () => [false],
  'volume-id': (row) => [row.volume_id],
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVolumesModifications.html */
export const describeVolumesModifications = defineEc2Action('DescribeVolumesModifications', {
  honours: ['VolumeIds', 'Filters', 'MaxResults', 'NextToken'],
  only: { IncludeManagedResources: [true, false] },
  filters: filterNames(fields, { tagged: false }),
  ids: ['VolumeIds'],
  run: (ctx, input) =>
    ctx.read(async (db) => {
      const ids = input.VolumeIds ?? []
      if (ids.length > 0) await requireVolumes(ctx, db, ids)
      const rows = await db
        .selectFrom('volume_modification')
        .selectAll()
        .$if(ctx.scope !== null, (query) => query.where('account_id', '=', ctx.scope!))
        .$if(ids.length > 0, (query) => query.where('volume_id', 'in', ids))
        .execute()
      const missing = ids.filter((id) => !rows.some((row) => row.volume_id === id))
      if (missing.length > 0) throw invalidVolumeModificationNotFound(missing)
      const { views, nextToken } = await describeThings(ctx, db, input, {
        things: rows,
        idOf: (row) => row.volume_id,
        tagged: false,
        fields,
        smallest: 1,
        largest: 500,
        exclusiveIds: ids.length > 0,
        view: modificationView,
      })
      return { VolumesModifications: views, NextToken: nextToken }
    }),
})
