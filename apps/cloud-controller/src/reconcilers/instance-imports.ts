import { minuteMs } from '@mallee/base'
import type { PassResult, Reconciler } from '@mallee/workflow'
import { endInstanceImport } from '../store/end-instance-import.ts'
import {
  disksOfImport,
  getInstanceImport,
  moveInstanceImport,
  type InstanceImportTable,
} from '../store/instance-import-store.ts'
import type { Tx } from '../store/record.ts'
import type { VolumeTable } from '../store/tables.ts'
import { getVolume } from '../store/volume-store.ts'
import { insertImportedInstance } from './imported-instance.ts'
import type { ReconcilerContext } from './reconciler-context.ts'

const settled: PassResult = { settled: true }

/** Makes the instance when every disk of its import is a volume, or takes the others away when one fails. */
export function instanceImportsReconciler(ctx: ReconcilerContext): Reconciler {
  return {
    name: 'instance-imports',
    everyMs: minuteMs,
    list: () =>
      ctx.record.read(async (db) => {
        const open = db
          .selectFrom('instance_import')
          .select('id')
          .where('phase', 'in', ['converting', 'ending'])
        return (await open.execute()).map((row) => row.id)
      }),
    reconcile: (id) =>
      ctx.record.transaction('reconcile', async (tx) => {
        const task = await getInstanceImport(tx.db, id)
        if (task?.phase === 'converting') await convert(ctx, tx, task)
        if (task?.phase === 'ending') await end(tx, task)
        return settled
      }),
  }
}

async function convert(ctx: ReconcilerContext, tx: Tx, task: InstanceImportTable): Promise<void> {
  const nowMs = ctx.clock.now()
  const giveUp = (message: string) => endInstanceImport(tx, ctx.wakes, task, { nowMs, message })
  const disks = await disksOfImport(tx.db, task.id)
  const broken = disks.find(({ phase }) => phase === 'ending' || phase === 'failed' || phase === 'cancelled')
  if (broken) return giveUp(broken.message ?? 'What it was to fill was deleted.')
  if (!disks.every(({ phase }) => phase === 'completed')) return
  const volumes: VolumeTable[] = []
  for (const { volume_id: id } of disks) {
    const volume = await getVolume(tx.db, id!)
    if (volume?.state !== 'available') return giveUp(`The volume ${id} was deleted, or put to another use.`)
    volumes.push(volume)
  }
  await insertImportedInstance(ctx, tx, task, volumes)
  await moveInstanceImport(tx, task.id, { phase: 'completed' })
}

async function end(tx: Tx, task: InstanceImportTable): Promise<void> {
  const disks = await disksOfImport(tx.db, task.id)
  if (disks.some(({ phase }) => phase === 'ending')) return
  await moveInstanceImport(tx, task.id, { phase: task.message === null ? 'cancelled' : 'failed' })
}
