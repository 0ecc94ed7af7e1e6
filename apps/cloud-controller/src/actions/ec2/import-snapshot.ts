import { newId } from '@mallee/base'
import { missingParameter } from '@mallee/ec2-api'
import { getDiskImport, listDiskImports, type DiskImportTable } from '../../store/disk-import-store.ts'
import { getSnapshot } from '../../store/snapshot-store.ts'
import { putTags, readTags } from '../../store/tag-store.ts'
import type { Reader } from '../../store/record.ts'
import type { SnapshotTable } from '../../store/tables.ts'
import { defineEc2Action } from '../define-action.ts'
import { describeThings, type Tag } from '../describe-things.ts'
import { filterNames, type FilterFields } from '../filters.ts'
import { timeKey } from '../pages.ts'
import { tagRows } from '../tag-specifications.ts'
import { diskFormat, diskPlace } from './disk-container.ts'
import { resolveEncryption } from './encryption.ts'
import { shownTaskMs } from './import-tasks.ts'
import { requireTaskForm, shownTasks } from './import-task-ids.ts'
import { insertImport, insertImportedSnapshot } from './insert-disk-import.ts'
import { checkDescription } from './snapshots.ts'

/**
 * Makes a snapshot of a disk in a bucket: raw, qcow2, VMDK, VHD, VHDX, or an OVA with one disk.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ImportSnapshot.html
 */
export const importSnapshot = defineEc2Action('ImportSnapshot', {
  honours: [
    'Description',
    'Encrypted',
    'KmsKeyId',
    'DiskContainer.Description',
    'DiskContainer.Format',
    'DiskContainer.Url',
    'DiskContainer.UserBucket',
    'TagSpecifications',
  ],
  only: {
    // There is one such role on AWS, which lets its service read the bucket; here walrus reads its own.
    RoleName: ['vmimport'],
  },
  creates: ['import-snapshot-task'],
  async run(ctx, input) {
    const container = input.DiskContainer
    if (!container) throw missingParameter('DiskContainer')
    const format = diskFormat(container.Format, 'DiskContainer.Format')
    const place = diskPlace(container, 'DiskContainer')
    const description = checkDescription(input.Description ?? container.Description)
    const taskId = await ctx.transaction(async (tx) => {
      const id = newId('importSnapshotTask', ctx.random)
      const wish = { encrypted: input.Encrypted, kmsKeyId: input.KmsKeyId }
      const isEncrypted = await resolveEncryption(ctx, tx.db, wish, null)
      const snapshot = await insertImportedSnapshot(ctx, tx, { description, zone: null, isEncrypted })
      await insertImport(ctx, tx, { id, snapshot_id: snapshot.id, format, ...place, description })
      await putTags(tx, tagRows(ctx, input.TagSpecifications, 'import-snapshot-task', [id]))
      return id
    })
    return ctx.read(async (db) => {
      const task = await withSnapshot(db, (await getDiskImport(db, taskId))!)
      const tags = (await readTags(db, ctx.caller.accountId, [taskId])).get(taskId) ?? []
      return taskView(task, tags)
    })
  },
})

interface Task extends DiskImportTable {
  readonly snapshot: SnapshotTable | undefined
}

const withSnapshot = async (db: Reader, task: DiskImportTable): Promise<Task> => ({
  ...task,
  snapshot: await getSnapshot(db, task.snapshot_id),
})

/** As AWS's. */
export function importStatus({
  phase,
  message,
}: Pick<DiskImportTable, 'phase' | 'message'>): 'active' | 'completed' | 'deleting' | 'deleted' {
  if (phase === 'completed') return 'completed'
  if (phase === 'failed' || phase === 'cancelled') return 'deleted'
  if (phase === 'ending') return message === null ? 'deleting' : 'deleted'
  return 'active'
}

export function importMessage(
  task: Pick<DiskImportTable, 'phase' | 'message' | 'cancel_reason'> & { readonly progress?: number | null },
): string | null {
  if (task.message !== null) return `ClientError: ${task.message}`
  if (task.phase === 'cancelled' || task.phase === 'ending')
    return task.cancel_reason ?? 'User initiated task cancelation.'
  if (task.phase === 'completed') return null
  return task.phase === 'gathering' ? 'storing' : task.progress == null ? 'pending' : 'converting'
}

function taskView(task: Task, tags: Tag[]) {
  const status = importStatus(task)
  const message = importMessage(task)
  const keyId = task.snapshot?.kms_key_id ?? null
  const described =
    task.description === null || task.description === '' ? {} : { Description: task.description }
  return {
    ImportTaskId: task.id,
    ...described,
    SnapshotTaskDetail: {
      ...described,
      Format: task.format.toUpperCase(),
      Encrypted: keyId !== null,
      ...(keyId === null ? {} : { KmsKeyId: keyId }),
      Status: status,
      UserBucket: { S3Bucket: task.bucket, S3Key: task.object_key },
      ...(message === null ? {} : { StatusMessage: message }),
      ...(status === 'active' ? { Progress: String(importProgress(task)) } : {}),
      ...(task.disk_bytes === null ? {} : { DiskImageSize: task.disk_bytes }),
      // It is there when it is whole.
      ...(status === 'completed' ? { SnapshotId: task.snapshot_id } : {}),
    },
    Tags: tags,
  }
}

/** Percent; the last tenth is what a storage controller does. */
function importProgress({ phase, progress, snapshot }: Task): number {
  if (phase === 'converting') return Math.floor((progress ?? 0) * 0.9)
  return 90 + Math.floor((snapshot?.progress ?? 0) / 10)
}

const fields: FilterFields<Task> = { 'task-state': (task) => [importStatus(task)] }

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeImportSnapshotTasks.html */
export const describeImportSnapshotTasks = defineEc2Action('DescribeImportSnapshotTasks', {
  honours: ['ImportTaskIds', 'Filters', 'MaxResults', 'NextToken'],
  filters: filterNames(fields, { tagged: true }),
  async run(ctx, input) {
    const ids = input.ImportTaskIds ?? []
    requireTaskForm(ids)
    return ctx.read(async (db) => {
      const found = await listDiskImports(db, ctx.caller.accountId, { kind: 'snapshot', ids })
      const shown = shownTasks(found, { ids, since: ctx.nowMs - shownTaskMs })
      const { views, nextToken } = await describeThings(ctx, db, input, {
        things: await Promise.all(shown.map((task) => withSnapshot(db, task))),
        idOf: (task) => task.id,
        keyOf: (task) => timeKey(task.created_at, task.id),
        fields,
        smallest: 1,
        exclusiveIds: ids.length > 0,
        view: taskView,
      })
      return { ImportSnapshotTasks: views, NextToken: nextToken }
    })
  },
})
