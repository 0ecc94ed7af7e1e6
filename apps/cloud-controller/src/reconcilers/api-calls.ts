import { dayMs, hourMs } from '@mallee/base'
import type { Reconciler } from '@mallee/workflow'
import { forgetApiCalls } from '../store/api-call-store.ts'
import type { ReconcilerContext } from './reconciler-context.ts'

/** As long as CloudTrail's event history. */
const keptMs = 90 * dayMs
const mostTogether = 1000

/** Lets lines of the audit go that are older than CloudTrail keeps them; what a trail has yet to deliver stays. */
export function apiCallsReconciler(ctx: ReconcilerContext): Reconciler {
  return {
    name: 'api-calls',
    everyMs: hourMs,
    list: () => Promise.resolve(['audit']),
    reconcile: () =>
      ctx.record.transaction('reconcile', async (tx) => {
        const gone = await forgetApiCalls(tx, ctx.clock.now() - keptMs, mostTogether)
        return gone === mostTogether ? { settled: false, againMs: 1 } : { settled: true }
      }),
  }
}
