import { Ajv } from 'ajv'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { MalleeError } from '@mallee/base'
import { agentRoutes, type ConsoleBlob, type SamplesBlob, type ScreenshotBlob } from '@mallee/agent-contract'
import type { StateStore } from '@mallee/state-store'
import { checkedBody } from './checked-body.ts'
import type { Reader } from '../store/record.ts'
import type { AgentTable, Tables } from '../store/tables.ts'
import { addAmount } from '../store/usage-store.ts'

const ajv = new Ajv({ strict: true })
const validate = {
  console: ajv.compile<ConsoleBlob>(agentRoutes.console.request!.json),
  screenshot: ajv.compile<ScreenshotBlob>(agentRoutes.screenshot.request!.json),
  samples: ajv.compile<SamplesBlob>(agentRoutes.samples.request!.json),
}

/** What a node sends of its guests that is neither wanted nor observed state: console, screen, measurements. */
export function registerBlobDoor(
  app: FastifyInstance,
  deps: {
    readonly record: StateStore<Tables>
    readonly requireAgent: (request: FastifyRequest) => Promise<AgentTable>
  },
): void {
  type OfInstance = { Params: { instanceId: string } }
  app.put<OfInstance>(agentRoutes.console.path, async (request, reply) => {
    const agent = await deps.requireAgent(request)
    const { count, takenAtMs, output } = checkedBody(validate.console, request.body)
    const { instanceId } = request.params
    await deps.record.transaction('report', async (tx) => {
      await requireOwn(tx.db, agent, instanceId)
      const row = { count, taken_at: takenAtMs, output }
      await tx.db
        .insertInto('console')
        .values({ instance_id: instanceId, ...row })
        .onConflict((conflict) => conflict.column('instance_id').doUpdateSet(row))
        .execute()
    })
    return reply.code(204).send()
  })
  app.put<OfInstance>(agentRoutes.screenshot.path, async (request, reply) => {
    const agent = await deps.requireAgent(request)
    const { count, takenAtMs, image } = checkedBody(validate.screenshot, request.body)
    const { instanceId } = request.params
    await deps.record.transaction('report', async (tx) => {
      await requireOwn(tx.db, agent, instanceId)
      const row = { count, taken_at: takenAtMs, image: image ?? '' }
      await tx.db
        .insertInto('screenshot')
        .values({ instance_id: instanceId, ...row })
        .onConflict((conflict) => conflict.column('instance_id').doUpdateSet(row))
        .execute()
    })
    return reply.code(204).send()
  })
  app.put(agentRoutes.samples.path, async (request, reply) => {
    const agent = await deps.requireAgent(request)
    await keepSamples(deps.record, agent, checkedBody(validate.samples, request.body))
    return reply.code(204).send()
  })
}

async function requireOwn(db: Reader, agent: AgentTable, instanceId: string): Promise<void> {
  const owner = await db
    .selectFrom('instance')
    .select('node_id')
    .where('id', '=', instanceId)
    .executeTakeFirst()
  if (owner?.node_id !== agent.id)
    throw new MalleeError({ code: 'Forbidden', publicMessage: 'This instance is not on this node.' })
}

/** Samples of guests that are not this node's are dropped: one that left meanwhile is no reason to lose the others. */
async function keepSamples(record: StateStore<Tables>, agent: AgentTable, blob: SamplesBlob): Promise<void> {
  await record.transaction('report', async (tx) => {
    const own = await tx.db
      .selectFrom('instance')
      .select(['id', 'account_id'])
      .where('node_id', '=', agent.id)
      .execute()
    const ids = new Map(own.map((row) => [row.id, row.account_id]))
    const rows = blob.samples
      .filter((sample) => ids.has(sample.instanceId))
      .map((sample) => ({
        instance_id: sample.instanceId,
        at: sample.atMs,
        period_seconds: sample.periodSeconds,
        cpu_percent: sample.cpuPercent,
        disk_read_bytes: sample.diskReadBytes,
        disk_write_bytes: sample.diskWriteBytes,
        network_in_bytes: sample.networkInBytes,
        network_out_bytes: sample.networkOutBytes,
      }))
    if (rows.length === 0) return
    // What was sent before is not inserted again, and its bytes are counted once.
    const added = await tx.db
      .insertInto('sample')
      .values(rows)
      .onConflict((conflict) => conflict.columns(['instance_id', 'at']).doNothing())
      .returning(['instance_id', 'at', 'network_in_bytes', 'network_out_bytes'])
      .execute()
    for (const sample of added) {
      const of = {
        resource_id: sample.instance_id,
        account_id: ids.get(sample.instance_id)!,
        atMs: sample.at,
      }
      const { network_in_bytes: received, network_out_bytes: sent } = sample
      if (received > 0) await addAmount(tx, { ...of, kind: 'network-in', amount: received })
      if (sent > 0) await addAmount(tx, { ...of, kind: 'network-out', amount: sent })
    }
  })
}
