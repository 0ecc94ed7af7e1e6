import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Ajv } from 'ajv'
import { MalleeError } from '@mallee/base'
import { agentRoutes, type InventoryBlob } from '@mallee/agent-contract'
import type { StateStore } from '@mallee/state-store'
import { keepInventory } from '../fsck/ask-agents.ts'
import type { AgentTable, Tables } from '../store/tables.ts'

const ajv = new Ajv({ strict: true })
const validate = ajv.compile<InventoryBlob>(agentRoutes.inventory.request!.json)
const longestBytes = 64 * 1024 * 1024

/** Where agents say what they found on their hosts. */
export function registerInventoryDoor(
  app: FastifyInstance,
  deps: {
    readonly record: StateStore<Tables>
    readonly requireAgent: (request: FastifyRequest) => Promise<AgentTable>
  },
): void {
  app.put(agentRoutes.inventory.path, { bodyLimit: longestBytes }, async (request, reply) => {
    const agent = await deps.requireAgent(request)
    const blob = request.body
    if (!validate(blob))
      throw new MalleeError({
        code: 'BadRequest',
        publicMessage: `The inventory does not fit the contract: ${ajv.errorsText(validate.errors)}`,
      })
    await deps.record.transaction('report', (tx) => keepInventory(tx, agent.id, blob))
    return reply.code(204).send()
  })
}
