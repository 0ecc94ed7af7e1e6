import { invalidAvailabilityZone, volumeInUse } from '@mallee/ec2-api'
import { putTags } from '../../store/tag-store.ts'
import type { VolumeAttachmentTable, VolumeTable } from '../../store/tables.ts'
import { attachmentOfVolume, transitionVolume } from '../../store/volume-store.ts'
import { describedIops } from '../../store/volume-types.ts'
import { volumeView } from '../../views/volume-view.ts'
import { defineEc2Action } from '../define-action.ts'
import { describeThings } from '../describe-things.ts'
import { filterNames, type FilterFields } from '../filters.ts'
import { timeKey } from '../pages.ts'
import { tagRows } from '../tag-specifications.ts'
import { insertVolume, resolveVolume } from './new-volume.ts'
import { requireVolume, requireVolumes } from './require-volumes.ts'

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVolume.html */
export const createVolume = defineEc2Action('CreateVolume', {
  honours: [
    ...(['AvailabilityZone', 'Size', 'SnapshotId', 'VolumeType', 'Iops', 'Throughput'] as const),
    ...(['Encrypted', 'KmsKeyId', 'TagSpecifications'] as const),
  ],
  only: { MultiAttachEnabled: [false] },
  creates: ['volume'],
  async run(ctx, input) {
    const zone = input.AvailabilityZone ?? ctx.settings.availabilityZones[0]!
    if (!ctx.settings.availabilityZones.includes(zone)) throw invalidAvailabilityZone(zone.slice(0, 100))
    const id = await ctx.transaction(async (tx) => {
      const spec = await resolveVolume(ctx, tx.db, {
        sizeGiB: input.Size,
        snapshotId: input.SnapshotId,
        type: input.VolumeType,
        iops: input.Iops,
        throughput: input.Throughput,
        encrypted: input.Encrypted,
        kmsKeyId: input.KmsKeyId,
      })
      const volume = await insertVolume(ctx, tx, spec, zone)
      await putTags(tx, tagRows(ctx, input.TagSpecifications, 'volume', [volume.id]))
      return volume.id
    })
    return ctx.read(async (db) => {
      const volume = await requireVolume(ctx, db, id)
      const tags = tagRows(ctx, input.TagSpecifications, 'volume', [id])
      return volumeView(
        volume,
        undefined,
        tags.map((tag) => ({ Key: tag.key, Value: tag.value })),
      )
    })
  },
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteVolume.html */
export const deleteVolume = defineEc2Action('DeleteVolume', {
  honours: ['VolumeId'],
  run(ctx, input) {
    return ctx.transaction(async (tx) => {
      const volume = await requireVolume(ctx, tx.db, input.VolumeId)
      const attachment = await attachmentOfVolume(tx.db, volume.id)
      if (attachment)
        throw volumeInUse(`Volume ${volume.id} is currently attached to ${attachment.instance_id}`)
      await transitionVolume(tx, volume, 'deleteAsked', { nowMs: ctx.nowMs, requestId: ctx.requestId })
      tx.touch(volume.id)
      tx.afterCommit(() => ctx.wakes.volume(volume.id))
      return {}
    })
  },
})

interface VolumeRows {
  readonly volume: VolumeTable
  readonly attachment: VolumeAttachmentTable | undefined
}

const fields: FilterFields<VolumeRows> = {
  'attachment.attach-time': ({ attachment }) => [
    attachment && new Date(attachment.attached_at).toISOString(),
  ],
  'attachment.delete-on-termination': ({ attachment }) => [
    attachment && attachment.delete_on_termination === 1,
  ],
  'attachment.device': ({ attachment }) => [attachment?.device],
  'attachment.instance-id': ({ attachment }) => [attachment?.instance_id],
  'attachment.status': ({ attachment }) => [attachment?.state],
  'availability-zone': ({ volume }) => [volume.availability_zone],
  'create-time': ({ volume }) => [new Date(volume.created_at).toISOString()],
  encrypted: ({ volume }) => [volume.kms_key_id !== null],
  'fast-restored': () => [false],
  iops: ({ volume }) => [describedIops(volume)],
  'multi-attach-enabled': () => [false],
  size: ({ volume }) => [volume.size_gib],
  'snapshot-id': ({ volume }) => [volume.snapshot_id],
  status: ({ volume }) => [volume.state],
  throughput: ({ volume }) => [volume.throughput],
  'volume-id': ({ volume }) => [volume.id],
  'volume-type': ({ volume }) => [volume.type],
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVolumes.html */
export const describeVolumes = defineEc2Action('DescribeVolumes', {
  honours: ['VolumeIds', 'Filters', 'MaxResults', 'NextToken'],
  only: { IncludeManagedResources: [true, false] },
  filters: filterNames(fields, { tagged: true }),
  ids: ['VolumeIds'],
  run: (ctx, input) =>
    ctx.read(async (db) => {
      const ids = input.VolumeIds ?? []
      const volumes =
        ids.length > 0
          ? await requireVolumes(ctx, db, ids)
          : await db
              .selectFrom('volume')
              .selectAll()
              .$if(ctx.scope !== null, (query) => query.where('account_id', '=', ctx.scope!))
              .where('state', '!=', 'deleted')
              .execute()
      const attachments = await db
        .selectFrom('volume_attachment')
        .selectAll()
        .$if(ctx.scope !== null, (query) => query.where('account_id', '=', ctx.scope!))
        .$if(ids.length > 0, (query) => query.where('volume_id', 'in', ids))
        .execute()
      const byVolume = new Map(attachments.map((row) => [row.volume_id, row]))
      const { views, nextToken } = await describeThings(ctx, db, input, {
        things: volumes.map((volume) => ({ volume, attachment: byVolume.get(volume.id) })),
        idOf: ({ volume }) => volume.id,
        keyOf: ({ volume }) => timeKey(volume.created_at, volume.id),
        fields,
        exclusiveIds: ids.length > 0,
        view: ({ volume, attachment }, tags) => volumeView(volume, attachment, tags),
      })
      return { Volumes: views, NextToken: nextToken }
    }),
})
