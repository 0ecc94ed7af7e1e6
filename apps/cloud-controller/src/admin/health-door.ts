import type { FastifyInstance } from 'fastify'
import { isReadiness, type Metrics } from '@mallee/service-kit'
import { coverageReport } from '../coverage/coverage-report.ts'
import { listAgents } from '../store/agent-store.ts'
import { isReady } from './admin-door.ts'
import { readiness, type ReadinessDependencies } from './readiness.ts'

/** What a monitor may ask without a key: no names of users, no secrets, no changes. */
export function registerHealthDoor(
  app: FastifyInstance,
  deps: ReadinessDependencies & { readonly metrics: Metrics },
): void {
  const ready = readiness(deps)
  app.get('/healthz', () => ({ alive: true }))
  app.get('/metrics', async (_request, reply) =>
    reply.header('content-type', deps.metrics.contentType).send(await deps.metrics.text()),
  )
  app.get('/readyz', async (_request, reply) => {
    const checks = await ready()
    const agents = await deps.record.read((db) => listAgents(db))
    const launches = isReady(
      agents.map((agent) => ({
        kind: agent.kind,
        state: agent.state,
        silentSinceMs: agent.silent_since,
        fingerprint: agent.fingerprint ? (JSON.parse(agent.fingerprint) as Record<string, unknown>) : null,
      })),
    )
    // Whether a launch would find its agents is told and is no part of our own readiness.
    return reply
      .code(isReadiness(checks) ? 200 : 503)
      .send({ ready: isReadiness(checks), checks, launchesWouldSucceed: launches })
  })
  app.get('/coverage', () => ({ ec2: coverageReport() }))
}
