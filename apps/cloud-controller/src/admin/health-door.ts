import type { FastifyInstance } from 'fastify'
import type { StateStore } from '@mallee/state-store'
import { ec2ActionNames } from '@mallee/ec2-api'
import { ec2ActionByName } from '../actions/ec2-actions.ts'
import { listAgents } from '../store/agent-store.ts'
import type { Tables } from '../store/tables.ts'
import { isReady } from './admin-door.ts'

/** What a monitor may ask without a key: no names, no secrets, no changes. */
export function registerHealthDoor(app: FastifyInstance, deps: { record: StateStore<Tables> }): void {
  app.get('/healthz', () => ({ alive: true }))
  app.get('/readyz', async (_request, reply) => {
    const agents = await deps.record.read((db) => listAgents(db))
    const ready = isReady(
      agents.map((agent) => ({
        kind: agent.kind,
        state: agent.state,
        silentSinceMs: agent.silent_since,
        fingerprint: agent.fingerprint ? (JSON.parse(agent.fingerprint) as Record<string, unknown>) : null,
      })),
    )
    return reply.code(ready ? 200 : 503).send({ ready })
  })
  app.get('/coverage', () => ({
    ec2: { implemented: [...ec2ActionByName.keys()].toSorted(), known: ec2ActionNames().size },
  }))
}
