import { assert, canonicalJson, digestOf } from '@mallee/base'
import type { DesiredResponse, ItemBody, ItemKind } from '@mallee/agent-contract'
import type { Wakes } from '../wakes.ts'
import type { Reader, Tx } from './record.ts'

/** Puts an item into an agent's set. The same body again changes nothing; another one makes a new generation. */
export async function putDesired<K extends ItemKind>(
  tx: Tx,
  wakes: Wakes,
  item: { agentId: string; kind: K; id: string; body: ItemBody<K> },
): Promise<void> {
  const digest = digestOf(item.body)
  const present = await tx.db
    .selectFrom('desired_item')
    .select(['digest', 'generation'])
    .where('agent_id', '=', item.agentId)
    .where('kind', '=', item.kind)
    .where('id', '=', item.id)
    .executeTakeFirst()
  if (present?.digest === digest) return
  const revision = await nextRevision(tx, wakes, item.agentId)
  const row = { digest, body: canonicalJson(item.body), revision, generation: (present?.generation ?? 0) + 1 }
  if (present) {
    await tx.db
      .updateTable('desired_item')
      .set(row)
      .where('agent_id', '=', item.agentId)
      .where('kind', '=', item.kind)
      .where('id', '=', item.id)
      .execute()
  } else {
    await tx.db
      .insertInto('desired_item')
      .values({ agent_id: item.agentId, kind: item.kind, id: item.id, ...row })
      .execute()
  }
}

/** Takes an item out of an agent's set. */
export async function dropDesired(
  tx: Tx,
  wakes: Wakes,
  agentId: string,
  kind: ItemKind,
  id: string,
): Promise<void> {
  const result = await tx.db
    .deleteFrom('desired_item')
    .where('agent_id', '=', agentId)
    .where('kind', '=', kind)
    .where('id', '=', id)
    .executeTakeFirst()
  if (result.numDeletedRows > 0n) await nextRevision(tx, wakes, agentId)
}

export async function desiredIds(db: Reader, agentId: string, kind: ItemKind): Promise<string[]> {
  const rows = await db
    .selectFrom('desired_item')
    .select('id')
    .where('agent_id', '=', agentId)
    .where('kind', '=', kind)
    .execute()
  return rows.map((row) => row.id)
}

async function nextRevision(tx: Tx, wakes: Wakes, agentId: string): Promise<number> {
  const row = await tx.db
    .updateTable('agent')
    .set((eb) => ({ revision: eb('revision', '+', 1) }))
    .where('id', '=', agentId)
    .returning('revision')
    .executeTakeFirst()
  assert(row, `agent ${agentId} is not registered`)
  tx.afterCommit(() => wakes.agentSet(agentId))
  return row.revision
}

/** The set as an agent that holds `heldRevision` needs it: the whole index, and the bodies it lacks. */
export async function readDesiredSet(
  db: Reader,
  agentId: string,
  heldRevision: number,
): Promise<Omit<DesiredResponse, 'pollSeconds'> | null> {
  const agent = await db.selectFrom('agent').select('revision').where('id', '=', agentId).executeTakeFirst()
  if (!agent || agent.revision === heldRevision) return null
  const rows = await db.selectFrom('desired_item').selectAll().where('agent_id', '=', agentId).execute()
  // An agent that claims a revision from the future has another cloud's ledger, or we were restored: send everything.
  const held = heldRevision > agent.revision ? 0 : heldRevision
  const entry = (row: (typeof rows)[number]) => ({
    kind: row.kind,
    id: row.id,
    generation: row.generation,
    digest: row.digest,
  })
  return {
    revision: agent.revision,
    index: rows.map(entry),
    bodies: rows
      .filter((row) => row.revision > held)
      .map((row) => ({ ...entry(row), body: JSON.parse(row.body) as unknown })),
  }
}
