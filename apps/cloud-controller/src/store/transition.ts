import { assert } from '@mallee/base'
import {
  agentLifecycle,
  imageLifecycle,
  instanceLifecycle,
  type ImageEvent,
  type InstanceEvent,
} from '@mallee/lifecycles'
import type { Tx } from './record.ts'
import type { AgentTable, ImageTable, InstanceTable } from './tables.ts'

/** The only code that writes a state column. An event that the lifecycle does not allow is a fault of the caller. */
export async function transitionInstance(
  tx: Tx,
  instance: InstanceTable,
  event: InstanceEvent,
  options: {
    nowMs: number
    reason?: { code: string; message: string } | null
    desired?: InstanceTable['desired']
  },
): Promise<InstanceTable> {
  const state = instanceLifecycle.next(instance.state, event)
  assert(state !== null, `instance ${instance.id} is ${instance.state} and cannot take ${event}`)
  if (state === instance.state) return instance
  const changes = {
    state,
    generation: instance.generation + 1,
    state_changed_at: options.nowMs,
    state_reason_code:
      options.reason === undefined ? instance.state_reason_code : (options.reason?.code ?? null),
    state_reason_message:
      options.reason === undefined ? instance.state_reason_message : (options.reason?.message ?? null),
    desired: options.desired ?? instance.desired,
  }
  const result = await tx.db
    .updateTable('instance')
    .set(changes)
    .where('id', '=', instance.id)
    .where('generation', '=', instance.generation)
    .executeTakeFirst()
  assert(result.numUpdatedRows === 1n, `instance ${instance.id} moved under a transaction`)
  return { ...instance, ...changes }
}

export async function transitionImage(
  tx: Tx,
  image: ImageTable,
  event: ImageEvent,
  reason: string | null = image.state_reason,
): Promise<ImageTable> {
  const state = imageLifecycle.next(image.state, event)
  assert(state !== null, `image ${image.id} is ${image.state} and cannot take ${event}`)
  await tx.db.updateTable('image').set({ state, state_reason: reason }).where('id', '=', image.id).execute()
  return { ...image, state, state_reason: reason }
}

export async function transitionAgent(
  tx: Tx,
  agent: AgentTable,
  event: keyof typeof agentLifecycle.events,
): Promise<AgentTable> {
  const state = agentLifecycle.next(agent.state, event)
  assert(state !== null, `agent ${agent.id} is ${agent.state} and cannot take ${event}`)
  await tx.db.updateTable('agent').set({ state }).where('id', '=', agent.id).execute()
  return { ...agent, state }
}
