import type { NodeFingerprint } from '@mallee/agent-contract'
import type { NodeSnapshot } from '../scheduler/plan-placement.ts'
import { useByNode } from './instance-store.ts'
import type { Reader } from './record.ts'
import type { AgentTable } from './tables.ts'

export function listAgents(db: Reader, kind?: AgentTable['kind']): Promise<AgentTable[]> {
  const query = db.selectFrom('agent').selectAll().orderBy('id')
  return (kind ? query.where('kind', '=', kind) : query).execute()
}

/** Every node as the scheduler sees it. One that never reported has no capacity. */
export async function nodeSnapshots(db: Reader): Promise<NodeSnapshot[]> {
  const agents = await listAgents(db, 'node')
  const use = await useByNode(db)
  return agents
    .filter((agent) => agent.state !== 'forgotten')
    .map((agent) => {
      const fingerprint = agent.fingerprint ? (JSON.parse(agent.fingerprint) as NodeFingerprint) : null
      return {
        nodeId: agent.id,
        name: agent.name,
        availabilityZone: agent.availability_zone,
        enabled: agent.state === 'enabled',
        silent: agent.silent_since !== null || fingerprint === null,
        healthy: fingerprint?.healthy ?? false,
        architecture: fingerprint?.architecture ?? 'x86_64',
        capacity: {
          vcpus: fingerprint?.vcpus ?? 0,
          memoryMiB: fingerprint?.memoryMiB ?? 0,
          diskGiB: fingerprint?.diskGiB ?? 0,
        },
        used: use.get(agent.id) ?? { vcpus: 0, memoryMiB: 0, diskGiB: 0 },
      }
    })
}
