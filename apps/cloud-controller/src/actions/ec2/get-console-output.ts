import { updateInstance } from '../../store/instance-store.ts'
import { defineEc2Action } from '../define-action.ts'
import { requireInstances } from '../require-instances.ts'

/** How long the answer waits for the node; afterwards the last known console is told, with its time. */
const waitMs = 5_000

/**
 * Raises the instance's console counter and waits, outside any transaction, for the node's blob that answers it.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetConsoleOutput.html
 */
export const getConsoleOutput = defineEc2Action('GetConsoleOutput', {
  honours: ['InstanceId', 'Latest'],
  async run(ctx, input) {
    const asked = await ctx.transaction(async (tx) => {
      const [instance] = await requireInstances(ctx, tx.db, [input.InstanceId])
      const alive = instance!.state !== 'terminated' && instance!.incarnation > 0
      if (!alive) return null
      const count = instance!.console_count + 1
      await updateInstance(tx, instance!.id, { console_count: count, generation: instance!.generation + 1 })
      tx.touch(instance!.id)
      tx.afterCommit(() => ctx.wakes.instance(instance!.id))
      return count
    })
    if (asked !== null) {
      await ctx.waitUntil(async (db) => {
        const row = await db
          .selectFrom('console')
          .select('count')
          .where('instance_id', '=', input.InstanceId)
          .executeTakeFirst()
        return row !== undefined && row.count >= asked
      }, waitMs)
    }
    const known = await ctx.read((db) =>
      db.selectFrom('console').selectAll().where('instance_id', '=', input.InstanceId).executeTakeFirst(),
    )
    return {
      InstanceId: input.InstanceId,
      Timestamp: new Date(known?.taken_at ?? ctx.nowMs),
      ...(known ? { Output: known.output } : {}),
    }
  },
})
