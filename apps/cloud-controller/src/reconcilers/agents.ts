import type { Reconciler } from '@mallee/workflow'
import { listAgents } from '../store/agent-store.ts'
import type { ReconcilerContext } from './reconciler-context.ts'

/** An agent is silent after three missed polls. That makes its instances impaired in what we say, and nothing else. */
export function agentsReconciler(ctx: ReconcilerContext): Reconciler {
  const limitMs = ctx.settings.pollSeconds * 3000
  return {
    name: 'agents',
    everyMs: Math.max(1000, (ctx.settings.pollSeconds * 1000) / 2),
    list: () =>
      ctx.record.read(async (db) => {
        const agents = await listAgents(db)
        return agents
          .filter(
            (agent) =>
              agent.state !== 'forgotten' &&
              (agent.silent_since !== null) !== ctx.presence.silenceMs(agent.id) > limitMs,
          )
          .map((agent) => agent.id)
      }),
    reconcile: (id) =>
      ctx.record.transaction('reconcile', async (tx) => {
        const silent = ctx.presence.silenceMs(id) > limitMs
        await tx.db
          .updateTable('agent')
          .set({ silent_since: silent ? ctx.clock.now() : null })
          .where('id', '=', id)
          .where('silent_since', silent ? 'is' : 'is not', null)
          .execute()
        return { settled: true }
      }),
  }
}
