import type { NodeFingerprint } from '@mallee/agent-contract'
import type { NodeSnapshot } from '../scheduler/judge-node.ts'
import { MalleeError } from '@mallee/base'
import { sql } from 'kysely'
import { useByNode } from './instance-store.ts'
import type { Reader, Tx } from './record.ts'
import type { AgentTable, InstanceTable } from './tables.ts'

export function listAgents(db: Reader, kind?: AgentTable['kind']): Promise<AgentTable[]> {
  const query = db.selectFrom('agent').selectAll().orderBy('id')
  return (kind ? query.where('kind', '=', kind) : query).execute()
}

/** By id or by name; a name that agents of two kinds have needs the kind before it, as in `node:rack-1`. */
export async function findAgent(db: Reader, reference: string): Promise<AgentTable> {
  const [kind, name] = reference.includes(':') ? reference.split(':', 2) : [null, reference]
  const found = (await listAgents(db)).filter(
    (agent) =>
      agent.state !== 'forgotten' &&
      (agent.id === reference || (agent.name === name && (kind === null || agent.kind === kind))),
  )
  if (found.length === 1) return found[0]!
  throw new MalleeError(
    found.length === 0
      ? { code: 'NoSuchAgent', publicMessage: `There is no agent ${reference}.` }
      : {
          code: 'AmbiguousAgent',
          publicMessage: `More than one agent is named ${reference}: ${found.map((agent) => `${agent.kind}:${agent.name}`).join(', ')}.`,
        },
  )
}

/** Its state as an administrator speaks of it: a disabled one that is being emptied is draining. */
export function adminStateOf(agent: AgentTable): AgentTable['state'] | 'draining' {
  return agent.draining_since === null ? agent.state : 'draining'
}

/** Of these agents, the ones that will never do anything any more: declared lost, or not in the record at all. */
export async function forgottenAmong(db: Reader, ids: readonly string[]): Promise<ReadonlySet<string>> {
  if (ids.length === 0) return new Set()
  const rows = await db.selectFrom('agent').select(['id', 'state']).where('id', 'in', ids).execute()
  const present = new Set(rows.filter((row) => row.state !== 'forgotten').map((row) => row.id))
  return new Set(ids.filter((id) => !present.has(id)))
}

export async function isForgotten(db: Reader, id: string): Promise<boolean> {
  return (await forgottenAmong(db, [id])).has(id)
}

/** Instances that are, or may be, on the node. */
export function instancesOn(db: Reader, nodeId: string): Promise<InstanceTable[]> {
  return db
    .selectFrom('instance')
    .selectAll()
    .where('node_id', '=', nodeId)
    .where('state', '!=', 'terminated')
    .orderBy('id')
    .execute()
}

/** Nodes that changed, in what the scheduler looks at, after a revision; forgotten ones too. */
export function loadNodes(db: Reader, since: number): Promise<AgentTable[]> {
  return db
    .selectFrom('agent')
    .selectAll()
    .where('usage_revision', '>', since)
    .where('kind', '=', 'node')
    .execute()
}

/** Says that something the scheduler looks at has changed. */
export async function noteCapacity(tx: Tx, agentId: string): Promise<void> {
  await tx.db
    .updateTable('agent')
    .set({ usage_revision: sql<number>`(select coalesce(max(usage_revision), 0) + 1 from agent)` })
    .where('id', '=', agentId)
    .execute()
}

/** One node as the scheduler sees it. One that never reported has no capacity. */
export function nodeSnapshotOf(
  agent: AgentTable,
  fingerprint: NodeFingerprint | null,
  used: NodeSnapshot['used'],
): NodeSnapshot {
  return {
    nodeId: agent.id,
    name: agent.name,
    availabilityZone: agent.availability_zone,
    enabled: agent.state === 'enabled',
    draining: agent.draining_since !== null,
    silent: agent.silent_since !== null || fingerprint === null,
    healthy: fingerprint?.healthy ?? false,
    architecture: fingerprint?.architecture ?? 'x86_64',
    capacity: {
      vcpus: fingerprint?.vcpus ?? 0,
      memoryMiB: fingerprint?.memoryMiB ?? 0,
      diskGiB: fingerprint?.diskGiB ?? 0,
    },
    used,
  }
}

/** Every node as the scheduler sees it. One that never reported has no capacity. */
export async function nodeSnapshots(db: Reader): Promise<NodeSnapshot[]> {
  const agents = await listAgents(db, 'node')
  const use = await useByNode(db)
  return agents
    .filter((agent) => agent.state !== 'forgotten')
    .map((agent) => {
      const fingerprint = agent.fingerprint ? (JSON.parse(agent.fingerprint) as NodeFingerprint) : null
      return nodeSnapshotOf(agent, fingerprint, use.get(agent.id) ?? { vcpus: 0, memoryMiB: 0, diskGiB: 0 })
    })
}
