import type { Reconciler } from '@mallee/workflow'
import { keepUsageFloor } from '../store/instance-store.ts'
import { dropProfileOf } from '../store/profile-association-store.ts'
import { deleteTagsOf } from '../store/tag-store.ts'
import type { ReconcilerContext } from './reconciler-context.ts'

/** Forgets terminated instances once they were described long enough (EC2 shows them for about an hour). */
export function terminatedReconciler(ctx: ReconcilerContext): Reconciler {
  return {
    name: 'terminated',
    everyMs: 60_000,
    list: () =>
      ctx.record.read(async (db) => {
        const before = ctx.clock.now() - ctx.settings.terminatedVisibleMs
        const rows = await db
          .selectFrom('instance')
          .select('id')
          .where('state', '=', 'terminated')
          .where('state_changed_at', '<', before)
          .execute()
        return rows.map((row) => row.id)
      }),
    reconcile: (id) =>
      ctx.record.transaction('reconcile', async (tx) => {
        const instance = await tx.db
          .selectFrom('instance')
          .selectAll()
          .where('id', '=', id)
          .executeTakeFirst()
        if (!instance || instance.state !== 'terminated') return { settled: true }
        await deleteTagsOf(tx, id)
        await dropProfileOf(tx, id)
        for (const table of ['console', 'screenshot', 'sample', 'status_report'] as const)
          await tx.db.deleteFrom(table).where('instance_id', '=', id).execute()
        await tx.db.deleteFrom('decision').where('instance_id', '=', id).execute()
        await tx.db.deleteFrom('domain').where('instance_id', '=', id).execute()
        await keepUsageFloor(tx, instance.usage_revision)
        await tx.db.deleteFrom('instance').where('id', '=', id).execute()
        const siblings = await tx.db
          .selectFrom('instance')
          .select('id')
          .where('reservation_id', '=', instance.reservation_id)
          .executeTakeFirst()
        if (!siblings)
          await tx.db.deleteFrom('reservation').where('id', '=', instance.reservation_id).execute()
        return { settled: true }
      }),
  }
}
