import { Ajv } from 'ajv'
import type { FastifyInstance } from 'fastify'
import { MalleeError, formatIpv4, parseIpv4, type Clock, type Log } from '@mallee/base'
import type { StateStore } from '@mallee/state-store'
import type { Presence } from '../presence.ts'
import type { CloudSettings } from '../settings.ts'
import { letTakePart } from '../store/agent-participation.ts'
import { findAgent, instancesOn } from '../store/agent-store.ts'
import { changeUse, updateDomain } from '../store/instance-store.ts'
import { recordAdminEvent } from '../store/event-store.ts'
import type { Reader, Tx } from '../store/record.ts'
import type { AgentTable, InstanceTable, Tables } from '../store/tables.ts'
import { transitionAgent, transitionInstance } from '../store/transition.ts'
import type { Wakes } from '../wakes.ts'

export interface AgentsAdminDependencies {
  readonly record: StateStore<Tables>
  readonly settings: CloudSettings
  readonly presence: Presence
  readonly wakes: Wakes
  readonly clock: Clock
  readonly log: Log
}

const ajv = new Ajv({ strict: true })
const forgetRequest = ajv.compile<{ fenced: boolean }>({
  type: 'object',
  additionalProperties: false,
  required: ['fenced'],
  properties: { fenced: { type: 'boolean' } },
})

/** What the administrator can say of a machine: take part, nothing new, empty it, it is dead. */
export function registerAgentsAdmin(app: FastifyInstance, deps: AgentsAdminDependencies): void {
  const inAction = <T>(work: (tx: Tx) => Promise<T>) => deps.record.transaction('action', work)
  app.post<Named>('/admin/v1/agents/:name/enable', (request) =>
    inAction(async (tx) => {
      const agent = await findAgent(tx.db, request.params.name)
      await letTakePart(tx, agent, true)
      await note(deps, tx, 'EnableAgent', [agent.id])
      return heldBy(tx.db, agent)
    }),
  )
  app.post<Named>('/admin/v1/agents/:name/disable', (request) =>
    inAction(async (tx) => {
      const agent = await findAgent(tx.db, request.params.name)
      await letTakePart(tx, agent, false)
      await note(deps, tx, 'DisableAgent', [agent.id])
      return heldBy(tx.db, agent)
    }),
  )
  app.post<Named>('/admin/v1/agents/:name/drain', (request) =>
    inAction(async (tx) => {
      const agent = await findAgent(tx.db, request.params.name)
      await transitionAgent(tx, agent, 'disableAsked')
      await tx.db
        .updateTable('agent')
        .set({ draining_since: agent.draining_since ?? deps.clock.now() })
        .where('id', '=', agent.id)
        .execute()
      await note(deps, tx, 'DrainAgent', [agent.id])
      return heldBy(tx.db, agent)
    }),
  )
  app.post<Named>('/admin/v1/agents/:name/forget', (request) => {
    if (!forgetRequest(request.body))
      throw new MalleeError({ code: 'BadRequest', publicMessage: ajv.errorsText(forgetRequest.errors) })
    const { fenced } = request.body
    return inAction((tx) => forget(deps, tx, { name: request.params.name, fenced }))
  })
  app.get<Named>('/admin/v1/agents/:name', (request) =>
    deps.record.read(async (db) => {
      const agent = await findAgent(db, request.params.name)
      return { ...(await heldBy(db, agent)), answers: answers(deps, agent) }
    }),
  )
  app.get('/admin/v1/public-routes', () => deps.record.read(publicRoutes))
}

interface Named {
  Params: { name: string }
}

/** What still is on the agent, as the record knows it. */
async function heldBy(db: Reader, agent: AgentTable) {
  return described(agent, await instancesOn(db, agent.id))
}

function described(agent: AgentTable, instances: readonly InstanceTable[]) {
  return {
    id: agent.id,
    kind: agent.kind,
    name: agent.name,
    silentSinceMs: agent.silent_since,
    fingerprint: agent.fingerprint === null ? null : (JSON.parse(agent.fingerprint) as unknown),
    instances: instances.map((instance) => ({
      id: instance.id,
      accountId: instance.account_id,
      state: instance.state,
      instanceType: instance.instance_type,
    })),
  }
}

/** Whether it spoke lately, or may not have had the time to since we began to listen. */
function answers(deps: AgentsAdminDependencies, agent: AgentTable): boolean {
  return deps.clock.now() < deps.presence.silentAtMs(agent.id, deps.settings.pollSeconds)
}

/**
 * The operator's word that a machine is dead. It is taken only of one that does not answer, and where guests may still
 * run there only once it is fenced: their addresses are given away by this. The cloud answers its certificate with
 * nothing else from here on; should it come back, it is told so and ends what it still runs (docs/rfd/0004).
 */
async function forget(deps: AgentsAdminDependencies, tx: Tx, asked: { name: string; fenced: boolean }) {
  const agent = await findAgent(tx.db, asked.name)
  const instances = await instancesOn(tx.db, agent.id)
  if (answers(deps, agent)) {
    throw new MalleeError({
      code: 'StillHere',
      publicMessage: `${agent.kind} ${agent.name} still answers. Stop it on its machine (./mallee down) before it is forgotten; ./mallee agent drain empties it.`,
    })
  }
  if (instances.length > 0 && !asked.fenced) {
    throw new MalleeError({
      code: 'NotFenced',
      publicMessage: `${instances.length} instance(s) may still run on ${agent.name}: ${instances
        .slice(0, 5)
        .map((instance) => instance.id)
        .join(', ')}. Power the machine off or cut it from the network, then say --fenced.`,
    })
  }
  for (const instance of instances) await declareLost(deps, tx, instance, agent)
  await tx.db.deleteFrom('desired_item').where('agent_id', '=', agent.id).execute()
  await transitionAgent(tx, agent, 'forgetAsked')
  // The name is free again for the machine that takes its place.
  await tx.db
    .updateTable('agent')
    .set({ name: `${agent.name} ${agent.id}`, fingerprint: null, undeclared: '[]' })
    .where('id', '=', agent.id)
    .execute()
  await note(deps, tx, 'ForgetAgent', [agent.id, ...instances.map((instance) => instance.id)])
  tx.afterCommit(() => {
    for (const instance of instances) {
      deps.wakes.instance(instance.id)
      deps.wakes.attachmentsOf(instance.id)
    }
    deps.wakes.agentSet(agent.id)
  })
  return described(agent, instances)
}

async function declareLost(
  deps: AgentsAdminDependencies,
  tx: Tx,
  instance: InstanceTable,
  agent: AgentTable,
): Promise<void> {
  if (instance.state !== 'shutting-down' && instance.root_device_type === 'ebs') {
    // Its volumes live on: their exports to the node are withdrawn before it can be started elsewhere.
    await transitionInstance(tx, instance, 'nodeLost', {
      nowMs: deps.clock.now(),
      reason: {
        code: 'Server.InternalError',
        message: `Server.InternalError: the node ${agent.name} was lost`,
      },
      desired: 'stopped',
    })
    await changeUse(tx, instance.id, { node_id: null })
  } else if (instance.state !== 'shutting-down') {
    const message = `Server.InternalError: the node ${agent.name} was lost, and the instance store with it`
    await transitionInstance(tx, instance, 'diskLost', {
      nowMs: deps.clock.now(),
      reason: { code: 'Server.InternalError', message },
      desired: 'terminated',
    })
  }
  await updateDomain(tx, `${instance.id}/${instance.incarnation}`, {
    intent: 'remove',
    observed_state: 'gone',
    message: 'its node was forgotten',
    observed_at: deps.clock.now(),
  })
}

/** Which node answers for each lent public address, so that the machine of an embedded cloud finds the way. */
async function publicRoutes(db: Reader): Promise<{ address: string; via: string }[]> {
  const rows = await db
    .selectFrom('address')
    .innerJoin('network_interface', 'network_interface.id', 'address.interface_id')
    .innerJoin('instance', 'instance.id', 'network_interface.instance_id')
    .innerJoin('agent', 'agent.id', 'instance.node_id')
    .select(['address.public_ip', 'agent.fingerprint'])
    .where('agent.state', '!=', 'forgotten')
    .execute()
  const ofGateways = await db
    .selectFrom('address')
    .innerJoin('nat_gateway', 'nat_gateway.interface_id', 'address.interface_id')
    .innerJoin('agent', 'agent.id', 'nat_gateway.node_id')
    .select(['address.public_ip', 'agent.fingerprint'])
    .where('agent.state', '!=', 'forgotten')
    .execute()
  return [...rows, ...ofGateways].flatMap((row) => {
    const via =
      row.fingerprint === null ? null : (JSON.parse(row.fingerprint) as { address?: string }).address
    return via && parseIpv4(via) !== null ? [{ address: formatIpv4(row.public_ip), via }] : []
  })
}

function note(deps: AgentsAdminDependencies, tx: Tx, action: string, resources: string[]): Promise<void> {
  return recordAdminEvent(tx, { nowMs: deps.clock.now(), action, resources })
}
