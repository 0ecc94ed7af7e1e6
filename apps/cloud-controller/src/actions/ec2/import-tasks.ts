import { dayMs } from '@mallee/base'
import { incorrectState, invalidConversionTaskId, missingParameter } from '@mallee/ec2-api'
import type { Reader } from '../../store/record.ts'
import { readTags } from '../../store/tag-store.ts'
import type { ImageTable, ImportTaskTable } from '../../store/tables.ts'
import { transitionImage } from '../../store/transition.ts'
import { defineEc2Action } from '../define-action.ts'
import { describeThings, type Tag } from '../describe-things.ts'
import { filterNames, type FilterFields } from '../filters.ts'
import { timeKey } from '../pages.ts'
import { requireTaskForm, shownTasks } from './import-task-ids.ts'
import { cancelDiskImport } from './insert-disk-import.ts'

/** As long as AWS shows a task that is over. */
export const shownTaskMs = 7 * dayMs

export interface ImportTask extends ImportTaskTable {
  readonly image: ImageTable
}

type Status = 'active' | 'completed' | 'deleting' | 'deleted'

/** A task that was cancelled is deleting until walrus has removed what it made. */
function statusOf({ image, cancelled_at }: ImportTask): Status {
  if (cancelled_at !== null) return image.has_disk === 1 ? 'deleting' : 'deleted'
  if (image.state === 'pending') return 'active'
  return image.state === 'failed' ? 'deleted' : 'completed'
}

const fields: FilterFields<ImportTask> = { 'task-state': (task) => [statusOf(task)] }

/** Tasks of one account, or of all where it is null, with their images. */
async function readTasks(
  db: Reader,
  accountId: string | null,
  ids: readonly string[],
): Promise<ImportTask[]> {
  let query = db.selectFrom('import_task').selectAll()
  if (accountId !== null) query = query.where('account_id', '=', accountId)
  if (ids.length > 0) query = query.where('id', 'in', ids)
  const rows = await query.execute()
  if (rows.length === 0) return []
  const images = await db
    .selectFrom('image')
    .selectAll()
    .where(
      'id',
      'in',
      rows.map((row) => row.image_id),
    )
    .execute()
  const byId = new Map(images.map((image) => [image.id, image]))
  return rows.flatMap((row) => {
    const image = byId.get(row.image_id)
    return image ? [{ ...row, image }] : []
  })
}

/** Throws InvalidConversionTaskId. */
export async function readImportTask(
  db: Reader,
  accountId: string,
  id: string,
): Promise<{ task: ImportTask; tags: Tag[] }> {
  const [task] = await readTasks(db, accountId, [id])
  if (!task) throw invalidConversionTaskId([id])
  return { task, tags: (await readTags(db, accountId, [id])).get(id) ?? [] }
}

export function importTaskView(task: ImportTask, tags: Tag[]) {
  const { image } = task
  const status = statusOf(task)
  const message = messageOf(task, status)
  return {
    ImportTaskId: task.id,
    Status: status,
    ...(message === null ? {} : { StatusMessage: message }),
    ...(status === 'active' ? { Progress: String(image.progress ?? 0) } : {}),
    // The image is there when it is there.
    ...(status === 'completed' ? { ImageId: image.id } : {}),
    Architecture: image.architecture,
    Platform: 'Linux',
    Hypervisor: 'xen',
    LicenseType: 'BYOL',
    Encrypted: false,
    ...(task.description === null ? {} : { Description: task.description }),
    SnapshotDetails: [
      {
        Format: image.origin_format?.toUpperCase() ?? '',
        Status: status,
        UserBucket: { S3Bucket: image.origin_bucket ?? '', S3Key: image.origin_key ?? '' },
        ...(image.virtual_size_bytes === null ? {} : { DiskImageSize: image.virtual_size_bytes }),
      },
    ],
    Tags: tags,
  }
}

function messageOf({ image, cancel_reason }: ImportTask, status: Status): string | null {
  if (status === 'active') return image.progress === null ? 'pending' : 'converting'
  if (status === 'completed') return null
  if (image.state === 'failed') return `ClientError: ${image.state_reason ?? 'The disk cannot be used.'}`
  return cancel_reason === null ? 'User initiated task cancelation.' : cancel_reason
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeImportImageTasks.html */
export const describeImportImageTasks = defineEc2Action('DescribeImportImageTasks', {
  honours: ['ImportTaskIds', 'Filters', 'MaxResults', 'NextToken'],
  filters: filterNames(fields, { tagged: true }),
  async run(ctx, input) {
    const ids = input.ImportTaskIds ?? []
    requireTaskForm(ids)
    return ctx.read(async (db) => {
      const found = await readTasks(db, ctx.caller.accountId, ids)
      const { views, nextToken } = await describeThings(ctx, db, input, {
        things: shownTasks(found, { ids, since: ctx.nowMs - shownTaskMs }),
        idOf: (task) => task.id,
        keyOf: (task) => timeKey(task.created_at, task.id),
        fields,
        smallest: 1,
        exclusiveIds: ids.length > 0,
        view: importTaskView,
      })
      return { ImportImageTasks: views, NextToken: nextToken }
    })
  },
})

/**
 * Ends an import of an image or a snapshot that is under way; what was made of it is removed.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CancelImportTask.html
 */
export const cancelImportTask = defineEc2Action('CancelImportTask', {
  honours: ['ImportTaskId', 'CancelReason'],
  async run(ctx, input) {
    const id = input.ImportTaskId
    if (id === undefined) throw missingParameter('importTaskId')
    requireTaskForm([id])
    const reason = input.CancelReason?.slice(0, 255) ?? null
    return ctx.transaction(async (tx) => {
      if (!id.startsWith('import-ami-')) {
        await cancelDiskImport(ctx, tx, id, 'snapshot', reason)
        return { ImportTaskId: id, PreviousState: 'active', State: 'deleting' }
      }
      const { task } = await readImportTask(tx.db, ctx.caller.accountId, id)
      const before = statusOf(task)
      if (before !== 'active') throw incorrectState(`The task ${id} is ${before} and cannot be cancelled.`)
      const { nowMs, requestId } = ctx
      await transitionImage(tx, task.image, 'deregisterAsked', { nowMs, requestId })
      await tx.db
        .updateTable('import_task')
        .set({ cancelled_at: nowMs, cancel_reason: reason })
        .where('id', '=', id)
        .execute()
      tx.touch(id, task.image_id)
      tx.afterCommit(() => ctx.wakes.image(task.image_id))
      return { ImportTaskId: id, PreviousState: before, State: 'deleting' }
    })
  },
})
