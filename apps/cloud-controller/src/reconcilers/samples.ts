import { minuteMs } from '@mallee/base'
import type { Reconciler } from '@mallee/workflow'
import type { ReconcilerContext } from './reconciler-context.ts'

/** As long as CloudWatch keeps figures of one minute. */
const keptMs = 15 * 24 * 60 * minuteMs

/** Forgets measurements that are older than anybody looks at. */
export function samplesReconciler(ctx: ReconcilerContext): Reconciler {
  const oldest = () => ctx.clock.now() - keptMs
  return {
    name: 'samples',
    everyMs: 10 * minuteMs,
    list: () =>
      ctx.record.read(async (db) => {
        const rows = await db
          .selectFrom('sample')
          .select('instance_id')
          .distinct()
          .where('at', '<', oldest())
          .execute()
        return rows.map((row) => row.instance_id)
      }),
    reconcile: (id) =>
      ctx.record.transaction('reconcile', async (tx) => {
        await tx.db.deleteFrom('sample').where('instance_id', '=', id).where('at', '<', oldest()).execute()
        return { settled: true }
      }),
  }
}
