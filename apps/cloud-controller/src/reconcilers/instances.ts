import { minuteMs, unreachable } from '@mallee/base'
import type { InstanceEvent } from '@mallee/lifecycles'
import type { PassResult, Reconciler } from '@mallee/workflow'
import { dropDesired, putDesired } from '../store/desired-store.ts'
import { openBundleTask } from '../store/bundle-task-store.ts'
import { imageThatHoldsDown } from '../store/image-store.ts'
import {
  changeUse,
  currentDomain,
  getInstance,
  updateDomain,
  updateInstance,
} from '../store/instance-store.ts'
import { recordTransition } from '../store/event-store.ts'
import { settleInterfaces } from '../store/interface-store.ts'
import { wakeVpc } from '../store/network-reach.ts'
import { releaseInterfaces } from '../store/network-store.ts'
import type { Reader, Tx } from '../store/record.ts'
import type { DomainTable, InstanceTable, VolumeAttachmentTable } from '../store/tables.ts'
import { transitionInstance } from '../store/transition.ts'
import { attachmentsOfInstance, readyExports } from '../store/volume-store.ts'
import { decideInstance, type Circumstances, type Decision } from './decide-instance.ts'
import { domainItem } from './domain-item.ts'
import type { ReconcilerContext } from './reconciler-context.ts'

/** How long a guest that is to be stopped has to shut itself down. */
const stopGraceMs = 90_000
/** How long a guest has to shut itself down before it is bundled. */
const releaseGraceMs = 2 * minuteMs

/** Turns instance rows into domain items, and what nodes observed into instance states. */
export function instancesReconciler(ctx: ReconcilerContext): Reconciler {
  return {
    name: 'instances',
    everyMs: 60_000,
    list: () =>
      ctx.record.read(async (db) => {
        const rows = await db.selectFrom('instance').select('id').where('state', '!=', 'terminated').execute()
        return rows.map((row) => row.id)
      }),
    reconcile: (id) =>
      ctx.record.transaction('reconcile', async (tx): Promise<PassResult> => {
        const instance = await getInstance(tx.db, id)
        if (!instance) return { settled: true }
        const domain = await currentDomain(tx.db, instance)
        const bundle = instance.state === 'terminated' ? undefined : await openBundleTask(tx.db, id)
        if (bundle && (domain?.observed_state === 'gone' || instance.state !== 'running'))
          tx.afterCommit(() => ctx.wakes.bundle(bundle.id))
        const volumes = await volumesOf(tx.db, instance)
        const imaged = instance.state === 'running' ? await imageThatHoldsDown(tx.db, id) : undefined
        if (imaged && domain?.observed_state === 'gone') tx.afterCommit(() => ctx.wakes.image(imaged.id))
        const isBundled = bundle !== undefined || imaged !== undefined
        const decision = decideInstance(instance, domain, ctx.clock.now(), { isBundled, volumes })
        const about = { instance_id: id, decision: decision.do, request_id: instance.request_id ?? '' }
        return ctx.tracer.trace('reconcile instance', instance.trace_parent, about, () =>
          carryOut(ctx, tx, { instance, domain, decision, isBundled }),
        )
      }),
  }
}

async function carryOut(
  ctx: ReconcilerContext,
  tx: Tx,
  pass: {
    instance: InstanceTable
    domain: DomainTable | undefined
    decision: Decision
    isBundled: boolean
  },
): Promise<PassResult> {
  const { instance, domain, decision, isBundled } = pass
  switch (decision.do) {
    case 'nothing':
      return { settled: true }
    case 'wait':
      return { settled: false, againMs: decision.againMs }
    case 'incarnate':
      await incarnate(ctx, tx, { instance, before: domain, restarts: decision.restarts })
      return { settled: true }
    case 'keep':
      await keep(ctx, tx, { instance, domain: domain!, intent: decision.intent, isBundled })
      return { settled: true }
    case 'transition':
      await transitionInstance(tx, instance, decision.event, {
        nowMs: ctx.clock.now(),
        ...(decision.reason ? { reason: decision.reason } : {}),
        ...desiredAfter(decision.event),
      })
      tx.afterCommit(() => ctx.wakes.instance(instance.id))
      return { settled: true }
    case 'leave':
      await leave(ctx, tx, instance)
      return { settled: true }
    case 'release':
      await release(ctx, tx, instance)
      return { settled: true }
    default:
      return unreachable(decision, 'decision')
  }
}

function desiredAfter(event: InstanceEvent): { desired?: InstanceTable['desired'] } {
  if (event === 'domainRunning') return {}
  return { desired: event === 'guestStopped' || event === 'startFailed' ? 'stopped' : 'terminated' }
}

/** Whether what the instance is to start with can be reached from its node. */
async function volumesOf(
  db: Reader,
  instance: InstanceTable,
): Promise<NonNullable<Circumstances['volumes']>> {
  const attachments = (await attachmentsOfInstance(db, instance.id)).filter(
    ({ state }) => state !== 'detaching',
  )
  if (attachments.length === 0) return 'ready'
  const volumes = await db
    .selectFrom('volume')
    .select(['id', 'state', 'state_reason', 'observed_state', 'observed_message'])
    .where(
      'id',
      'in',
      attachments.map((entry) => entry.volume_id),
    )
    .execute()
  const failed = volumes.find(({ state, observed_state }) => state === 'error' || observed_state === 'failed')
  if (failed) return { failed: `${failed.id}: ${failed.state_reason ?? failed.observed_message}` }
  const ready = await readyExports(db, instance.id)
  const reached = ({ id }: VolumeAttachmentTable) => ready.get(id)?.node_id === instance.node_id
  return attachments.every(reached) ? 'ready' : 'waiting'
}

/** The row before the item: an incarnation that a node may have seen is never made twice. */
async function incarnate(
  ctx: ReconcilerContext,
  tx: Tx,
  next: { instance: InstanceTable; before: DomainTable | undefined; restarts: number },
): Promise<void> {
  const { instance, before, restarts } = next
  const nodeId = instance.node_id
  if (nodeId === null) return
  const incarnation = instance.incarnation + 1
  if (instance.incarnation > 0) await dropDesired(tx, ctx.wakes, nodeId, 'domain', domainId(instance))
  await tx.db
    .insertInto('domain')
    .values({
      id: `${instance.id}/${incarnation}`,
      instance_id: instance.id,
      incarnation,
      node_id: nodeId,
      intent: 'run',
      created_at: ctx.clock.now(),
      observed_state: null,
      observed_generation: null,
      end_reason: null,
      message: null,
      started_at: null,
      disk_lost: 0,
      reboot_count: instance.reboot_count,
      accelerator: null,
      observed_at: null,
    })
    .execute()
  const reason = before ? restartReason(before, incarnation) : null
  if (reason) await recordRestart(ctx, tx, instance, reason.state_reason_message)
  await updateInstance(tx, instance.id, {
    incarnation,
    restarts,
    generation: instance.generation + 1,
    ...reason,
  })
  const body = await domainItem(tx.db, ctx.settings, instance, { incarnation, intent: 'run' })
  await putDesired(tx, ctx.wakes, {
    agentId: nodeId,
    kind: 'domain',
    id: `${instance.id}/${incarnation}`,
    body,
  })
}

/** A guest that was started again says so for as long as nothing else moves it. */
function restartReason(before: DomainTable, incarnation: number) {
  const code = 'Server.InstanceRestarted'
  const asked = before.intent === 'release' && before.end_reason === null
  const how = asked ? 'as was asked' : (before.end_reason ?? 'lost')
  const message = `${code}: its domain ended (${how}) and was started again from its own disk, incarnation ${incarnation}`
  return { state_reason_code: code, state_reason_message: message }
}

function recordRestart(ctx: ReconcilerContext, tx: Tx, instance: InstanceTable, reason: string) {
  return recordTransition(tx, {
    nowMs: ctx.clock.now(),
    accountId: instance.account_id,
    event: 'incarnated',
    requestId: instance.request_id,
    resourceId: instance.id,
    from: instance.state,
    to: instance.state,
    reason,
  })
}

async function keep(
  ctx: ReconcilerContext,
  tx: Tx,
  kept: {
    instance: InstanceTable
    domain: DomainTable
    intent: DomainTable['intent']
    isBundled: boolean
  },
): Promise<void> {
  const { instance, domain, intent, isBundled } = kept
  if (domain.intent !== intent) {
    // A release that has ended turned into a removal: what was observed was of the release.
    const observed = domain.observed_state === 'gone' ? { observed_state: 'ended' as const } : {}
    await updateDomain(tx, domain.id, { intent, ...observed })
  }
  const item = await domainItem(tx.db, ctx.settings, instance, { incarnation: domain.incarnation, intent })
  // A guest that still runs is asked first.
  const body =
    isBundled && intent === 'release'
      ? { ...item, releaseGraceMs }
      : instance.state === 'stopping'
        ? { ...item, graceMs: instance.stop_forced === 1 ? 0 : stopGraceMs }
        : item
  await putDesired(tx, ctx.wakes, { agentId: domain.node_id, kind: 'domain', id: domain.id, body })
}

/** Stopped: its node forgets it, and its room there is others'. Its interfaces, addresses and volumes stay its own. */
async function leave(ctx: ReconcilerContext, tx: Tx, instance: InstanceTable): Promise<void> {
  const nodeId = instance.node_id
  await transitionInstance(tx, instance, 'domainGone', { nowMs: ctx.clock.now(), desired: 'stopped' })
  await changeUse(tx, instance.id, { node_id: null })
  await settleInterfaces(tx, instance.id)
  await wakeVpc(tx, ctx.wakes, instance.vpc_id)
  tx.afterCommit(() => ctx.wakes.attachmentsOf(instance.id))
  if (nodeId === null) return
  if (instance.incarnation > 0) await dropDesired(tx, ctx.wakes, nodeId, 'domain', domainId(instance))
  tx.afterCommit(() => ctx.wakes.network(nodeId))
}

async function release(ctx: ReconcilerContext, tx: Tx, instance: InstanceTable): Promise<void> {
  await releaseInterfaces(tx, instance.id)
  await transitionInstance(tx, instance, 'released', { nowMs: ctx.clock.now() })
  tx.afterCommit(() => ctx.wakes.attachmentsOf(instance.id))
  // Machines that host its neighbours send nothing to it any more.
  await wakeVpc(tx, ctx.wakes, instance.vpc_id)
  // Its image may be deregistered, and have waited for it.
  tx.afterCommit(() => ctx.wakes.image(instance.image_id))
  if (instance.node_id === null) return
  if (instance.incarnation > 0)
    await dropDesired(tx, ctx.wakes, instance.node_id, 'domain', domainId(instance))
  const nodeId = instance.node_id
  tx.afterCommit(() => ctx.wakes.network(nodeId))
}

function domainId(instance: InstanceTable): string {
  return `${instance.id}/${instance.incarnation}`
}
