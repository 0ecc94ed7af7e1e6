import type { Reconciler } from '@mallee/workflow'
import { listKeyOwners } from '../store/account-store.ts'
import { listAgents } from '../store/agent-store.ts'
import { readBundlingKey } from '../store/bundling-key-store.ts'
import { desiredIds, dropDesired, putDesired } from '../store/desired-store.ts'
import type { ReconcilerContext } from './reconciler-context.ts'

/**
 * Gives walrus the access keys, so that it answers S3 while the cloud controller is away, and the key that bundles are
 * encrypted for. One object: the walrus.
 */
export function keysReconciler(ctx: ReconcilerContext): Reconciler {
  return {
    name: 'keys',
    everyMs: 60_000,
    list: () => ctx.record.read(async (db) => (await listAgents(db, 'walrus')).map((agent) => agent.id)),
    reconcile: (agentId) =>
      ctx.record.transaction('reconcile', async (tx) => {
        const agent = await tx.db.selectFrom('agent').selectAll().where('id', '=', agentId).executeTakeFirst()
        if (!agent || agent.state === 'forgotten') return { settled: true }
        const owners = await listKeyOwners(tx.db)
        for (const { key, user, account } of owners) {
          const body = {
            accessKeyId: key.id,
            // Sealed, as the record has it: the agent door opens it when the set is sent.
            secretAccessKey: key.sealed_secret,
            accountId: account.id,
            canonicalId: account.canonical_id,
            accountName: account.name,
            userId: user.id,
            userName: user.name,
            enabled: key.enabled === 1,
            ...(ctx.settings.legacySignatures || account.legacy_signatures === 1
              ? { legacySignatures: true }
              : {}),
          }
          await putDesired(tx, ctx.wakes, { agentId, kind: 'access-key', id: key.id, body })
        }
        const stays = new Set(owners.map((owner) => owner.key.id))
        for (const id of await desiredIds(tx.db, agentId, 'access-key')) {
          if (!stays.has(id)) await dropDesired(tx, ctx.wakes, agentId, 'access-key', id)
        }
        const bundling = await readBundlingKey(tx.db)
        if (bundling) {
          // Sealed too.
          const body = { certificate: bundling.certificate, privateKey: bundling.sealed_key }
          await putDesired(tx, ctx.wakes, { agentId, kind: 'bundling-key', id: bundling.name, body })
        }
        return { settled: true }
      }),
  }
}
