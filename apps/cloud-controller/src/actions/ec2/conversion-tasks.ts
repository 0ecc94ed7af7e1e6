import { incorrectState, invalidConversionTaskId } from '@mallee/ec2-api'
import { importMs, listDiskImports } from '../../store/disk-import-store.ts'
import { endInstanceImport } from '../../store/end-instance-import.ts'
import { disksOfImport, listInstanceImports, moveInstanceImport } from '../../store/instance-import-store.ts'
import { defineEc2Action, type ActionContext, type ActionTransaction } from '../define-action.ts'
import { instanceTaskView, volumeTaskView } from './conversion-task-views.ts'
import { requireTaskForm, shownTasks } from './import-task-ids.ts'
import { cancelDiskImport } from './insert-disk-import.ts'

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeConversionTasks.html */
export const describeConversionTasks = defineEc2Action('DescribeConversionTasks', {
  honours: ['ConversionTaskIds'],
  async run(ctx, input) {
    const ids = input.ConversionTaskIds ?? []
    requireTaskForm(ids)
    return ctx.read(async (db) => {
      const { accountId } = ctx.caller
      const found = [
        ...(await listDiskImports(db, accountId, { kind: 'volume', ids })),
        ...(await listInstanceImports(db, accountId, ids)),
      ]
      const shown = shownTasks(found, { ids, since: ctx.nowMs - importMs })
      const views = shown.map((task) =>
        'planned' in task ? instanceTaskView(ctx, db, task) : volumeTaskView(ctx, db, task),
      )
      return { ConversionTasks: await Promise.all(views) }
    })
  },
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CancelConversionTask.html */
export const cancelConversionTask = defineEc2Action('CancelConversionTask', {
  honours: ['ConversionTaskId', 'ReasonMessage'],
  async run(ctx, input) {
    const id = input.ConversionTaskId
    requireTaskForm([id])
    const reason = input.ReasonMessage?.slice(0, 255) ?? null
    return ctx.transaction(async (tx) => {
      if (id.startsWith('import-i-')) await cancelInstanceImport(ctx, tx, id, reason)
      else await cancelDiskImport(ctx, tx, id, 'volume', reason)
      return {}
    })
  },
})

/** Throws InvalidConversionTaskId, IncorrectState. */
async function cancelInstanceImport(
  ctx: ActionContext,
  tx: ActionTransaction,
  id: string,
  reason: string | null,
): Promise<void> {
  const [task] = await listInstanceImports(tx.db, ctx.caller.accountId, [id])
  if (!task) throw invalidConversionTaskId([id])
  if (task.phase !== 'converting') throw incorrectState(`The task ${id} is over and cannot be cancelled.`)
  await endInstanceImport(tx, ctx.wakes, task, { nowMs: ctx.nowMs, message: null })
  await moveInstanceImport(tx, id, { cancel_reason: reason })
  const disks = await disksOfImport(tx.db, id)
  tx.touch(id, ...disks.map((disk) => disk.volume_id!))
}
