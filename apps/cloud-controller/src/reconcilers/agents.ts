import { noteCapacity } from '../store/agent-store.ts'
import type { Reconciler } from '@mallee/workflow'
import { recordTransition } from '../store/event-store.ts'
import type { Tx } from '../store/record.ts'
import type { ReconcilerContext } from './reconciler-context.ts'

/** Never sooner: a look at all agents is cheap, and not free. */
const leastMs = 50

/**
 * An agent is silent after three missed polls, or soon after its connection was cut. That makes its instances impaired
 * in what we say, and nothing else. The next look is at the earliest moment at which one may fall silent, so that it is
 * said at that moment and not a look later.
 */
export function agentsReconciler(ctx: ReconcilerContext): Reconciler {
  const { pollSeconds } = ctx.settings
  const everyMs = Math.max(1000, pollSeconds * 500)
  let nextMs = everyMs
  const isSilent = (id: string) => ctx.presence.silentAtMs(id, pollSeconds) <= ctx.clock.now()
  return {
    name: 'agents',
    everyMs,
    nextScanMs: () => nextMs,
    list: async () => {
      const agents = await ctx.record.read((db) =>
        db.selectFrom('agent').select(['id', 'silent_since']).where('state', '!=', 'forgotten').execute(),
      )
      const spoken = agents.filter((agent) => agent.silent_since === null && !isSilent(agent.id))
      const due = spoken.map((agent) => ctx.presence.silentAtMs(agent.id, pollSeconds) - ctx.clock.now())
      nextMs = due.reduce((least, ms) => Math.max(leastMs, Math.min(least, ms)), everyMs)
      return agents.flatMap((agent) =>
        (agent.silent_since !== null) === isSilent(agent.id) ? [] : [agent.id],
      )
    },
    reconcile: (id) =>
      ctx.record.transaction('reconcile', async (tx) => {
        const silent = isSilent(id)
        const result = await tx.db
          .updateTable('agent')
          .set({ silent_since: silent ? ctx.clock.now() : null })
          .where('id', '=', id)
          .where('silent_since', silent ? 'is' : 'is not', null)
          .executeTakeFirst()
        if (result.numUpdatedRows > 0n) {
          await noteCapacity(tx, id)
          await recordPresence(ctx, tx, id, silent)
        }
        return { settled: true }
      }),
  }
}

function recordPresence(ctx: ReconcilerContext, tx: Tx, id: string, silent: boolean): Promise<void> {
  return recordTransition(tx, {
    nowMs: ctx.clock.now(),
    accountId: ctx.settings.adminAccountName,
    event: silent ? 'fellSilent' : 'spokeAgain',
    requestId: null,
    resourceId: id,
    from: silent ? 'here' : 'silent',
    to: silent ? 'silent' : 'here',
    reason: null,
  })
}
