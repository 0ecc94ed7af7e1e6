import { assert } from '@mallee/base'
import {
  agentLifecycle,
  imageLifecycle,
  instanceLifecycle,
  type ImageEvent,
  type InstanceEvent,
} from '@mallee/lifecycles'
import { recordTransition } from './event-store.ts'
import { noteCapacity } from './agent-store.ts'
import { nextUsageRevision } from './instance-store.ts'
import type { Tx } from './record.ts'
import { closeUsage, openUsage } from './usage-store.ts'
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
    /** Of the request that asks for it; the one that moved the instance last where none does. */
    requestId?: string
    traceparent?: string | null
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
    request_id: options.requestId ?? instance.request_id,
    trace_parent: options.requestId === undefined ? instance.trace_parent : (options.traceparent ?? null),
  }
  const result = await tx.db
    .updateTable('instance')
    .set(instanceLifecycle.isTerminal(state) ? { ...changes, usage_revision: nextUsageRevision } : changes)
    .where('id', '=', instance.id)
    .where('generation', '=', instance.generation)
    .executeTakeFirst()
  assert(result.numUpdatedRows === 1n, `instance ${instance.id} moved under a transaction`)
  if (instance.state === 'running') await closeUsage(tx, instance.id, options.nowMs)
  if (state === 'running') await openUsage(tx, { ...usageOf(instance), nowMs: options.nowMs })
  await recordTransition(tx, {
    nowMs: options.nowMs,
    accountId: instance.account_id,
    event,
    requestId: changes.request_id,
    resourceId: instance.id,
    from: instance.state,
    to: state,
    reason: options.reason?.message ?? null,
  })
  return { ...instance, ...changes }
}

/** An instance is used while it runs, as AWS bills it. */
const usageOf = (instance: InstanceTable) => ({
  resourceId: instance.id,
  kind: 'instance' as const,
  accountId: instance.account_id,
  userId: instance.user_id,
  variety: instance.instance_type,
  quantity: 1,
  zone: instance.availability_zone,
})

export async function transitionImage(
  tx: Tx,
  image: ImageTable,
  event: ImageEvent,
  options: { nowMs: number; reason?: string | null; requestId?: string },
): Promise<ImageTable> {
  const state = imageLifecycle.next(image.state, event)
  assert(state !== null, `image ${image.id} is ${image.state} and cannot take ${event}`)
  const changes = {
    state,
    state_reason: options.reason === undefined ? image.state_reason : options.reason,
  }
  await tx.db.updateTable('image').set(changes).where('id', '=', image.id).execute()
  if (state !== image.state) {
    await recordTransition(tx, {
      nowMs: options.nowMs,
      accountId: image.account_id,
      event,
      requestId: options.requestId ?? image.request_id,
      resourceId: image.id,
      from: image.state,
      to: state,
      reason: options.reason ?? null,
    })
  }
  return { ...image, ...changes }
}

export async function transitionAgent(
  tx: Tx,
  agent: AgentTable,
  event: keyof typeof agentLifecycle.events,
): Promise<AgentTable> {
  const state = agentLifecycle.next(agent.state, event)
  assert(state !== null, `agent ${agent.id} is ${agent.state} and cannot take ${event}`)
  await tx.db.updateTable('agent').set({ state }).where('id', '=', agent.id).execute()
  await noteCapacity(tx, agent.id)
  return { ...agent, state }
}
