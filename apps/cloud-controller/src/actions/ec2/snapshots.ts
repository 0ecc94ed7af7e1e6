import { newId } from '@mallee/base'
import {
  concurrentSnapshotLimitExceeded,
  incorrectState,
  invalidParameterValue,
  invalidSnapshotInUse,
  snapshotLimitExceeded,
} from '@mallee/ec2-api'
import { requireQuota } from '../../store/quota-store.ts'
import { openUsage } from '../../store/usage-store.ts'
import { transitionSnapshot } from '../../store/snapshot-store.ts'
import { putTags, readTags } from '../../store/tag-store.ts'
import type { SnapshotTable, VolumeTable } from '../../store/tables.ts'
import { attachmentsOfInstance, getVolume } from '../../store/volume-store.ts'
import { snapshotView } from '../../views/volume-view.ts'
import { defineEc2Action, type ActionContext, type ActionTransaction } from '../define-action.ts'
import { requireInstances } from '../require-instances.ts'
import { tagRows } from '../tag-specifications.ts'
import { copyKeyColumns, resolveEncryption, snapshotKeyColumns, type EncryptionWish } from './encryption.ts'
import { requireEncrypting } from './new-volume.ts'
import { requireOwnSnapshot, requireVisibleSnapshot, requireVolume } from './require-volumes.ts'

/** AWS's own. */
const mostPendingOfVolume = 5
const longestDescription = 255

export function checkDescription(description: string | undefined): string {
  if ((description?.length ?? 0) > longestDescription)
    throw invalidParameterValue(`The description of a snapshot has at most ${longestDescription} characters.`)
  return description ?? ''
}

/** What a new snapshot is of. */
export type NewSnapshot = Pick<
  SnapshotTable,
  'volume_id' | 'storage_id' | 'size_gib' | 'description' | 'source_index' | 'lineage'
> &
  Partial<
    Pick<SnapshotTable, 'parent_snapshot_id' | 'parent_index' | 'staging' | 'timeout_minutes' | 'taken'>
  >

/** A pending snapshot of the caller's; its storage controller takes it the moment it hears of it. */
export async function insertSnapshot(
  ctx: ActionContext,
  tx: ActionTransaction,
  of: NewSnapshot,
  keyColumns: (id: string) => Pick<SnapshotTable, 'kms_key_id' | 'sealed_key'>,
): Promise<SnapshotTable> {
  const { accountId } = ctx.caller
  const mine = await tx.db
    .selectFrom('snapshot')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('account_id', '=', accountId)
    .where('state', '!=', 'deleted')
    .executeTakeFirstOrThrow()
  await requireQuota(tx.db, ctx.caller, 'snapshots', Number(mine.count), (most) =>
    snapshotLimitExceeded(`You have reached your limit of ${most} snapshots.`),
  )
  const id = newId('snapshot', ctx.random)
  const row: SnapshotTable = {
    id,
    account_id: accountId,
    state: 'pending',
    state_message: null,
    progress: 0,
    taken: 0,
    started_at: ctx.nowMs,
    completed_at: null,
    index_object: null,
    stored_bytes: null,
    is_public: 0,
    parent_snapshot_id: null,
    parent_index: null,
    staging: null,
    staging_observed: null,
    timeout_minutes: null,
    written_at: null,
    written_count: null,
    written_checksum: null,
    present: 1,
    request_id: ctx.requestId,
    trace_parent: ctx.traceparent,
    ...of,
    ...keyColumns(id),
  }
  await tx.db.insertInto('snapshot').values(row).execute()
  await openUsage(tx, {
    ...{ resourceId: id, kind: 'snapshot', variety: 'standard', quantity: row.size_gib, zone: '' },
    ...{ accountId, userId: ctx.caller.userId, nowMs: ctx.nowMs },
  })
  tx.touch(row.id)
  tx.afterCommit(() => ctx.wakes.snapshot(row.id))
  return row
}

export async function snapshotVolume(
  ctx: ActionContext,
  tx: ActionTransaction,
  volume: VolumeTable,
  description: string,
): Promise<SnapshotTable> {
  if (volume.state !== 'available' && volume.state !== 'in-use')
    throw incorrectState(`Volume '${volume.id}' is in the '${volume.state}' state.`)
  const pending = await tx.db
    .selectFrom('snapshot')
    .select('id')
    .where('volume_id', '=', volume.id)
    .where('state', '=', 'pending')
    .where('source_index', 'is', null)
    .execute()
  if (pending.length >= mostPendingOfVolume) throw concurrentSnapshotLimitExceeded(volume.id)
  tx.touch(volume.id)
  const of = {
    volume_id: volume.id,
    storage_id: volume.storage_id,
    size_gib: volume.size_gib,
    description,
    source_index: null,
    lineage: volume.lineage,
  }
  return insertSnapshot(ctx, tx, of, (id) => snapshotKeyColumns(ctx, id, volume))
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSnapshot.html */
export const createSnapshot = defineEc2Action('CreateSnapshot', {
  honours: ['VolumeId', 'Description', 'TagSpecifications'],
  only: { Location: ['regional'] },
  creates: ['snapshot'],
  async run(ctx, input) {
    const description = checkDescription(input.Description)
    const tagsOf = (id: string) => tagRows(ctx, input.TagSpecifications, 'snapshot', [id])
    const id = await ctx.transaction(async (tx) => {
      const volume = await requireVolume(ctx, tx.db, input.VolumeId)
      const snapshot = await snapshotVolume(ctx, tx, volume, description)
      await putTags(tx, tagsOf(snapshot.id))
      return snapshot.id
    })
    return ctx.read(async (db) => {
      const snapshot = await requireOwnSnapshot(ctx, db, id)
      const tags = (await readTags(db, ctx.caller.accountId, [id])).get(id) ?? []
      const { CompletionTime: _known, ...view } = snapshotView(snapshot, tags)
      return view
    })
  },
})

/**
 * All volumes of one instance at one moment: their storage controller hears of all of them at once.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSnapshots.html
 */
export const createSnapshots = defineEc2Action('CreateSnapshots', {
  honours: [
    'InstanceSpecification.InstanceId',
    'InstanceSpecification.ExcludeBootVolume',
    'InstanceSpecification.ExcludeDataVolumeIds',
    'Description',
    'TagSpecifications',
    'CopyTagsFromSource',
  ],
  only: { Location: ['regional'] },
  creates: ['snapshot'],
  async run(ctx, input) {
    const description = checkDescription(input.Description)
    const {
      ExcludeBootVolume: noRoot,
      ExcludeDataVolumeIds: left = [],
      InstanceId: instanceId,
    } = input.InstanceSpecification
    const ids = await ctx.transaction(async (tx) => {
      const [instance] = await requireInstances(ctx, tx.db, [instanceId ?? ''])
      const attachments = (await attachmentsOfInstance(tx.db, instance!.id)).filter(
        (entry) => !(noRoot === true && entry.is_root === 1),
      )
      const unknown = left.find((id) => !attachments.some((entry) => entry.volume_id === id))
      if (unknown !== undefined)
        throw invalidParameterValue(`Volume ${unknown.slice(0, 60)} is not attached to ${instance!.id}`)
      const taken: string[] = []
      for (const entry of attachments.filter(({ volume_id: id }) => !left.includes(id))) {
        const volume = (await getVolume(tx.db, entry.volume_id))!
        const snapshot = await snapshotVolume(ctx, tx, volume, description)
        const copied =
          input.CopyTagsFromSource === 'volume'
            ? ((await readTags(tx.db, ctx.caller.accountId, [volume.id])).get(volume.id) ?? [])
            : []
        const given = tagRows(ctx, input.TagSpecifications, 'snapshot', [snapshot.id])
        const carried = tagRows(ctx, [{ ResourceType: 'snapshot', Tags: copied }], 'snapshot', [snapshot.id])
        await putTags(tx, [...carried.filter((tag) => !given.some(({ key }) => key === tag.key)), ...given])
        taken.push(snapshot.id)
      }
      return taken
    })
    return ctx.read(async (db) => {
      const tags = await readTags(db, ctx.caller.accountId, ids)
      const views = []
      for (const id of ids) {
        const view = snapshotView(await requireOwnSnapshot(ctx, db, id), tags.get(id) ?? [])
        const { StateMessage: _message, CompletionTime: _time, StorageTier: _tier, ...info } = view
        views.push(info)
      }
      return { Snapshots: views }
    })
  },
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteSnapshot.html */
export const deleteSnapshot = defineEc2Action('DeleteSnapshot', {
  honours: ['SnapshotId'],
  run(ctx, input) {
    return ctx.transaction(async (tx) => {
      const snapshot = await requireOwnSnapshot(ctx, tx.db, input.SnapshotId)
      const image = await tx.db
        .selectFrom('image_block_device')
        .innerJoin('image', 'image.id', 'image_block_device.image_id')
        .select('image.id')
        .where('image_block_device.snapshot_id', '=', snapshot.id)
        .where('image.state', 'in', ['pending', 'available'])
        .where('image.account_id', '=', snapshot.account_id) // what others made of it is no reason, and not to be told
        .executeTakeFirst()
      if (image) throw invalidSnapshotInUse(snapshot.id, image.id)
      await transitionSnapshot(tx, snapshot, 'deleteAsked', { nowMs: ctx.nowMs, requestId: ctx.requestId })
      tx.touch(snapshot.id)
      tx.afterCommit(() => ctx.wakes.snapshot(snapshot.id))
      return {}
    })
  },
})

/**
 * The same blocks under an id of one's own, whatever becomes of the first.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CopySnapshot.html
 */
export const copySnapshot = defineEc2Action('CopySnapshot', {
  honours: [
    ...(['SourceRegion', 'SourceSnapshotId', 'Description', 'DestinationRegion'] as const),
    ...(['Encrypted', 'KmsKeyId', 'TagSpecifications'] as const),
  ],
  creates: ['snapshot'],
  run(ctx, input) {
    const { region } = ctx.settings
    if (input.SourceRegion !== region)
      throw invalidParameterValue(
        `Value (${input.SourceRegion.slice(0, 100)}) for parameter sourceRegion is invalid. This cloud has the one region ${region}.`,
      )
    if (input.DestinationRegion !== undefined && input.DestinationRegion !== region)
      throw invalidParameterValue(
        `Value (${input.DestinationRegion.slice(0, 100)}) for parameter destinationRegion is invalid.`,
      )
    const description = checkDescription(input.Description)
    return ctx.transaction(async (tx) => {
      const source = await requireVisibleSnapshot(ctx, tx.db, input.SourceSnapshotId)
      const wish = { encrypted: input.Encrypted, kmsKeyId: input.KmsKeyId }
      const copy = await copyOfSnapshot(ctx, tx, source, { ...wish, description })
      await putTags(tx, tagRows(ctx, input.TagSpecifications, 'snapshot', [copy.id]))
      return {
        SnapshotId: copy.id,
        Tags: tagRows(ctx, input.TagSpecifications, 'snapshot', [copy.id]).map((tag) => ({
          Key: tag.key,
          Value: tag.value,
        })),
      }
    })
  },
})

export async function copyOfSnapshot(
  ctx: ActionContext,
  tx: ActionTransaction,
  source: SnapshotTable,
  wish: EncryptionWish & { readonly description: string },
): Promise<SnapshotTable> {
  if (source.state !== 'completed')
    throw incorrectState(`Snapshot ${source.id} is in invalid state - ${source.state}`)
  const isEncrypted = await resolveEncryption(ctx, tx.db, wish, source)
  if (isEncrypted) await requireEncrypting(tx.db, source.storage_id)
  const columns = await copyKeyColumns(ctx, tx, isEncrypted)
  const of = {
    volume_id: source.volume_id,
    storage_id: source.storage_id,
    size_gib: source.size_gib,
    description: wish.description,
    source_index: source.index_object,
    lineage: source.lineage,
  }
  return insertSnapshot(ctx, tx, of, () => columns)
}
