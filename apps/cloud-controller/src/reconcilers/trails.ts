import { minuteMs } from '@mallee/base'
import type { Reconciler } from '@mallee/workflow'
import { fileTrailLines, getTrail } from '../store/trail-store.ts'
import type { ReconcilerContext } from './reconciler-context.ts'

/** Every five minutes, about as often as CloudTrail, what an account called becomes a file that walrus is to write. */
export function trailsReconciler(ctx: ReconcilerContext): Reconciler {
  return {
    name: 'trails',
    everyMs: 5 * minuteMs,
    list: () =>
      ctx.record.read(async (db) => {
        const rows = await db
          .selectFrom('trail')
          .select(['account_id', 'name'])
          .where('logging', '=', 1)
          .execute()
        return rows.map((row) => `${row.account_id} ${row.name}`)
      }),
    reconcile: (id) =>
      ctx.record.transaction('reconcile', async (tx) => {
        const [accountId = '', name = ''] = id.split(' ')
        const trail = await getTrail(tx.db, accountId, name)
        if (trail?.logging === 1)
          await fileTrailLines(tx, trail, {
            nowMs: ctx.clock.now(),
            region: ctx.settings.region,
            random: ctx.random,
          })
        return { settled: true }
      }),
  }
}
