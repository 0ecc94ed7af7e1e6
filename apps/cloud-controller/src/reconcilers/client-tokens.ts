import { minuteMs } from '@mallee/base'
import type { Reconciler } from '@mallee/workflow'
import type { ReconcilerContext } from './reconciler-context.ts'

/** No client repeats a request after a week; AWS promises to remember for a day at least. */
const keptMs = 7 * 24 * 60 * minuteMs

/** Forgets client tokens that nobody will repeat, so that the table does not grow with the cloud's age. */
export function clientTokensReconciler(ctx: ReconcilerContext): Reconciler {
  const oldest = () => ctx.clock.now() - keptMs
  return {
    name: 'client-tokens',
    everyMs: 60 * minuteMs,
    list: () =>
      ctx.record.read(async (db) => {
        const rows = await db
          .selectFrom('client_token')
          .select('account_id')
          .distinct()
          .where('created_at', '<', oldest())
          .execute()
        return rows.map((row) => row.account_id)
      }),
    reconcile: (accountId) =>
      ctx.record.transaction('reconcile', async (tx) => {
        await tx.db
          .deleteFrom('client_token')
          .where('account_id', '=', accountId)
          .where('created_at', '<', oldest())
          .execute()
        return { settled: true }
      }),
  }
}
