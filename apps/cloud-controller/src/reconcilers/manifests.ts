import { secondMs } from '@mallee/base'
import type { Reconciler } from '@mallee/workflow'
import { listAgents } from '../store/agent-store.ts'
import { dropDesired, putDesired } from '../store/desired-store.ts'
import type { ReconcilerContext } from './reconciler-context.ts'

/** Far longer than an action waits for its answer. */
const keptMs = 30 * secondMs

/** Asks walrus what a manifest says, for an action that waits; the question goes when it was answered, the row soon after. */
export function manifestsReconciler(ctx: ReconcilerContext): Reconciler {
  return {
    name: 'manifests',
    everyMs: keptMs,
    list: () =>
      ctx.record.read(async (db) =>
        (await db.selectFrom('manifest').select('id').execute()).map((row) => row.id),
      ),
    reconcile: (id) =>
      ctx.record.transaction('reconcile', async (tx) => {
        const row = await tx.db.selectFrom('manifest').selectAll().where('id', '=', id).executeTakeFirst()
        if (!row) return { settled: true }
        const over = ctx.clock.now() - row.created_at > keptMs
        for (const agent of await listAgents(tx.db, 'walrus')) {
          if (agent.state === 'forgotten') continue
          if (over || row.facts !== null) await dropDesired(tx, ctx.wakes, agent.id, 'manifest', id)
          else {
            const body = { accountId: row.account_id, bucket: row.bucket, key: row.object_key }
            await putDesired(tx, ctx.wakes, { agentId: agent.id, kind: 'manifest', id, body })
          }
        }
        if (over) await tx.db.deleteFrom('manifest').where('id', '=', id).execute()
        return { settled: true }
      }),
  }
}
