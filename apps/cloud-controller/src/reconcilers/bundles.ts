import { minuteMs } from '@mallee/base'
import type { PassResult, Reconciler } from '@mallee/workflow'
import { readBundlingKey } from '../store/bundling-key-store.ts'
import { isOpen, moveBundleTask, openPhases } from '../store/bundle-task-store.ts'
import { dropDesired, putDesired } from '../store/desired-store.ts'
import { currentDomain, getInstance } from '../store/instance-store.ts'
import type { Tx } from '../store/record.ts'
import type { BundleTaskTable, InstanceTable } from '../store/tables.ts'
import { causeOf } from './domain-item.ts'
import type { ReconcilerContext } from './reconciler-context.ts'

/** A guest that has its grace and is then ended is down by far sooner, unless its node is away. */
const shutdownMs = 30 * minuteMs

/**
 * Leads a bundle task on: the instance is shut down (by its own reconciler, which asks whether there is a task), its node
 * bundles the disk, and when that has ended, well or not, the instance is started again.
 */
export function bundlesReconciler(ctx: ReconcilerContext): Reconciler {
  return {
    name: 'bundles',
    everyMs: minuteMs,
    list: () =>
      ctx.record.read(async (db) => {
        const open = db.selectFrom('bundle_task').select('id').where('phase', 'in', openPhases)
        return (await open.execute()).map((row) => row.id)
      }),
    reconcile: (id) =>
      ctx.record.transaction('reconcile', async (tx) => {
        const task = await tx.db.selectFrom('bundle_task').selectAll().where('id', '=', id).executeTakeFirst()
        if (!task) return { settled: true }
        const instance = await getInstance(tx.db, task.instance_id)
        if (!isOpen(task)) return finish(ctx, tx, task, instance)
        if (instance?.state !== 'running') {
          const what = `The instance is ${instance?.state ?? 'gone'}.`
          return fail(ctx, tx, { task, instance, code: 'Client.InstanceNotRunning', message: what })
        }
        return task.phase === 'bundling' ? give(ctx, tx, task, instance) : awaitEnd(ctx, tx, task, instance)
      }),
  }
}

async function awaitEnd(
  ctx: ReconcilerContext,
  tx: Tx,
  task: BundleTaskTable,
  instance: InstanceTable,
): Promise<PassResult> {
  const domain = await currentDomain(tx.db, instance)
  if (domain?.intent === 'release' && domain.observed_state === 'gone') {
    await moveBundleTask(tx, task, { phase: 'bundling' }, ctx.clock.now())
    return give(ctx, tx, task, instance)
  }
  if (ctx.clock.now() - task.started_at > shutdownMs) {
    const message = 'The instance could not be shut down.'
    return fail(ctx, tx, { task, instance, code: 'Server.InternalError', message })
  }
  tx.afterCommit(() => ctx.wakes.instance(instance.id))
  return { settled: true } // the instance wakes us when it is down, and the next scan looks at the time
}

/** The node has the task as long as it is open. */
async function give(
  ctx: ReconcilerContext,
  tx: Tx,
  task: BundleTaskTable,
  instance: InstanceTable,
): Promise<PassResult> {
  const key = await readBundlingKey(tx.db)
  if (!key || instance.node_id === null) return { settled: true }
  const image = await tx.db
    .selectFrom('image')
    .select('architecture')
    .where('id', '=', instance.image_id)
    .executeTakeFirstOrThrow()
  const body = {
    ...{ instanceId: instance.id, accountId: task.account_id, architecture: image.architecture },
    ...{ kernelId: instance.kernel_id, ramdiskId: instance.ramdisk_id, certificate: key.certificate },
    ...{ bucket: task.bucket, prefix: task.prefix, accessKeyId: task.access_key_id },
    // Sealed, as the record has it.
    ...{ uploadPolicy: task.upload_policy, uploadPolicySignature: task.sealed_signature },
    ...causeOf(instance),
  }
  await putDesired(tx, ctx.wakes, { agentId: instance.node_id, kind: 'bundle', id: task.id, body })
  return { settled: true }
}

async function fail(
  ctx: ReconcilerContext,
  tx: Tx,
  end: { task: BundleTaskTable; instance: InstanceTable | undefined; code: string; message: string },
): Promise<PassResult> {
  const { task, instance, code, message } = end
  const changes = { phase: 'failed', error_code: code, error_message: message } as const
  await moveBundleTask(tx, task, changes, ctx.clock.now())
  return finish(ctx, tx, task, instance)
}

/** The node forgets it, and the instance goes on. */
async function finish(
  ctx: ReconcilerContext,
  tx: Tx,
  task: BundleTaskTable,
  instance: InstanceTable | undefined,
): Promise<PassResult> {
  if (instance?.node_id) await dropDesired(tx, ctx.wakes, instance.node_id, 'bundle', task.id)
  if (instance) tx.afterCommit(() => ctx.wakes.instance(instance.id))
  return { settled: true }
}
