import type { FlowLogItem } from '@mallee/agent-contract'
import type { Reconciler } from '@mallee/workflow'
import { listAgents } from '../store/agent-store.ts'
import { desiredIds, dropDesired, putDesired } from '../store/desired-store.ts'
import { flowLogKeyPrefix } from '../store/flow-log-store.ts'
import { nodesOfVpcs } from '../store/network-reach.ts'
import type { Reader } from '../store/record.ts'
import type { ReconcilerContext } from './reconciler-context.ts'

/**
 * Tells walrus which nodes may put records of flow logs into which bucket; what it says of the bucket becomes the state of
 * delivery. One object: the walrus.
 */
export function flowLogsReconciler(ctx: ReconcilerContext): Reconciler {
  return {
    name: 'flow-logs',
    everyMs: 60_000,
    list: () => ctx.record.read(async (db) => (await listAgents(db, 'walrus')).map((agent) => agent.id)),
    reconcile: (agentId) =>
      ctx.record.transaction('reconcile', async (tx) => {
        const agent = await tx.db.selectFrom('agent').selectAll().where('id', '=', agentId).executeTakeFirst()
        if (!agent || agent.state === 'forgotten') return { settled: true }
        const { region } = ctx.settings
        const rows = await tx.db.selectFrom('flow_log').selectAll().execute()
        const known = await listAgents(tx.db, 'node')
        const nodes = new Set(known.filter(({ state }) => state !== 'forgotten').map(({ id }) => id))
        const before = await formerAgents(tx.db, agentId)
        const ofVpc = new Map<string, ReadonlySet<string>>()
        for (const vpcId of new Set(rows.map((row) => row.vpc_id)))
          ofVpc.set(vpcId, await nodesOfVpcs(tx.db, [vpcId]))
        for (const row of rows) {
          // A node whose last instance of the VPC has just gone still has records of it.
          const all = new Set([...ofVpc.get(row.vpc_id)!, ...(before.get(row.id) ?? [])])
          const body = {
            accountId: row.account_id,
            bucket: row.bucket,
            keyPrefix: flowLogKeyPrefix(row, region),
            region,
            agents: [...all].filter((id) => nodes.has(id)).toSorted(),
          }
          await putDesired(tx, ctx.wakes, { agentId, kind: 'flow-log', id: row.id, body })
        }
        const stays = new Set(rows.map((row) => row.id))
        for (const id of await desiredIds(tx.db, agentId, 'flow-log'))
          if (!stays.has(id)) await dropDesired(tx, ctx.wakes, agentId, 'flow-log', id)
        return { settled: true }
      }),
  }
}

async function formerAgents(db: Reader, agentId: string): Promise<Map<string, readonly string[]>> {
  const items = await db
    .selectFrom('desired_item')
    .select(['id', 'body'])
    .where('agent_id', '=', agentId)
    .where('kind', '=', 'flow-log')
    .execute()
  return new Map(items.map((item) => [item.id, (JSON.parse(item.body) as FlowLogItem).agents]))
}
