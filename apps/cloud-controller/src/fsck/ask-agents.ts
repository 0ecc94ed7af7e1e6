import type { Clock } from '@mallee/base'
import type { InventoryBlob, InventoryItem, InventoryRemoval } from '@mallee/agent-contract'
import type { StateStore } from '@mallee/state-store'
import { listAgents } from '../store/agent-store.ts'
import { putDesired } from '../store/desired-store.ts'
import type { Tx } from '../store/record.ts'
import type { AgentTable, Tables } from '../store/tables.ts'
import type { Wakes } from '../wakes.ts'
import type { AgentInventory } from './check-hosts.ts'

export interface AskDependencies {
  readonly record: StateStore<Tables>
  readonly wakes: Wakes
  readonly clock: Clock
}

/** How long agents have; one that is silent is not waited for. */
const waitMs = 8_000
const stepMs = 50
const itemId = 'host'

/**
 * Asks every agent what is on its host: a counter is raised in a transaction, and the answers are waited for outside
 * of any (DECISIONS 16). Removals are carried out before the look.
 */
export async function askAgents(
  deps: AskDependencies,
  removals: ReadonlyMap<string, readonly InventoryRemoval[]>,
): Promise<AgentInventory[]> {
  const asked = await deps.record.transaction('action', async (tx) => {
    const agents = (await listAgents(tx.db)).filter((agent) => agent.state !== 'forgotten')
    const counts: { agent: AgentTable; count: number }[] = []
    for (const agent of agents)
      counts.push({ agent, count: await raise(deps, tx, agent.id, [...(removals.get(agent.id) ?? [])]) })
    return counts
  })
  const answers = new Map<string, InventoryBlob>()
  const waitingFor = () => asked.filter(({ agent }) => agent.silent_since === null && !answers.has(agent.id))
  for (let waitedMs = 0; waitedMs < waitMs && waitingFor().length > 0; waitedMs += stepMs) {
    const rows = await deps.record.read((db) =>
      db.selectFrom('inventory').select(['agent_id', 'count']).execute(),
    )
    for (const { agent, count } of waitingFor()) {
      if (!rows.some((row) => row.agent_id === agent.id && row.count === count)) continue
      answers.set(agent.id, await readBlob(deps, agent.id))
    }
    if (waitingFor().length > 0) await deps.clock.sleep(stepMs)
  }
  if (removals.size > 0) await clearRemovals(deps, asked)
  return asked.map(({ agent }) => ({ agent, blob: answers.get(agent.id) ?? null }))
}

/** By the clock where that is further: a record that was restored must not repeat a count that was answered already. */
async function raise(
  deps: AskDependencies,
  tx: Tx,
  agentId: string,
  removals: InventoryRemoval[],
): Promise<number> {
  const before = await presentItem(tx, agentId)
  const count = Math.max((before?.count ?? 0) + 1, deps.clock.now())
  await putDesired(tx, deps.wakes, { agentId, kind: 'inventory', id: itemId, body: { count, removals } })
  return count
}

/** What was asked once is not asked again by chance. */
async function clearRemovals(
  deps: AskDependencies,
  asked: readonly { agent: AgentTable; count: number }[],
): Promise<void> {
  await deps.record.transaction('action', async (tx) => {
    for (const { agent, count } of asked) {
      const present = await presentItem(tx, agent.id)
      if (present?.count !== count || present.removals.length === 0) continue
      const body = { count, removals: [] }
      await putDesired(tx, deps.wakes, { agentId: agent.id, kind: 'inventory', id: itemId, body })
    }
  })
}

async function presentItem(tx: Tx, agentId: string): Promise<InventoryItem | null> {
  const row = await tx.db
    .selectFrom('desired_item')
    .select('body')
    .where('agent_id', '=', agentId)
    .where('kind', '=', 'inventory')
    .where('id', '=', itemId)
    .executeTakeFirst()
  return row ? (JSON.parse(row.body) as InventoryItem) : null
}

async function readBlob(deps: AskDependencies, agentId: string): Promise<InventoryBlob> {
  const row = await deps.record.read((db) =>
    db.selectFrom('inventory').select('body').where('agent_id', '=', agentId).executeTakeFirstOrThrow(),
  )
  return JSON.parse(row.body) as InventoryBlob
}

export async function keepInventory(tx: Tx, agentId: string, blob: InventoryBlob): Promise<void> {
  const row = { count: blob.count, taken_at: blob.takenAtMs, body: JSON.stringify(blob) }
  await tx.db
    .insertInto('inventory')
    .values({ agent_id: agentId, ...row })
    .onConflict((conflict) => conflict.column('agent_id').doUpdateSet(row))
    .execute()
}
