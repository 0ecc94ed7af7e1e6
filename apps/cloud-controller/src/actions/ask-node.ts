import { updateInstance } from '../store/instance-store.ts'
import type { Reader } from '../store/record.ts'
import type { ActionContext } from './define-action.ts'
import { requireInstances } from './require-instances.ts'

/** How long an answer waits for the node; afterwards the last known is told, with its time. */
const waitMs = 5_000

/**
 * A synchronous read of a guest (DECISIONS 16): raises the instance's counter of that blob, waits outside any
 * transaction for the node's blob that answers it, and goes on with what is known by then.
 */
export async function askNode(
  ctx: ActionContext,
  instanceId: string,
  blob: {
    readonly counter: 'console_count' | 'screenshot_count'
    /** The count that the newest blob answers; null where there is none. */
    readonly answered: (db: Reader) => Promise<number | null>
  },
): Promise<void> {
  const asked = await ctx.transaction(async (tx) => {
    const [instance] = await requireInstances(ctx, tx.db, [instanceId])
    const alive = instance!.state !== 'terminated' && instance!.incarnation > 0
    if (!alive) return null
    const count = instance![blob.counter] + 1
    await updateInstance(tx, instanceId, { [blob.counter]: count, generation: instance!.generation + 1 })
    tx.touch(instanceId)
    tx.afterCommit(() => ctx.wakes.instance(instanceId))
    return count
  })
  if (asked === null) return
  await ctx.waitUntil(async (db) => ((await blob.answered(db)) ?? -1) >= asked, waitMs)
}

/** Asks for the console, and answers what of it is known then. */
export async function readConsole(
  ctx: ActionContext,
  instanceId: string,
): Promise<{ takenAtMs: number; output: string } | null> {
  const read = (db: Reader) =>
    db.selectFrom('console').selectAll().where('instance_id', '=', instanceId).executeTakeFirst()
  await askNode(ctx, instanceId, {
    counter: 'console_count',
    answered: async (db) => (await read(db))?.count ?? null,
  })
  const known = await ctx.read(read)
  return known ? { takenAtMs: known.taken_at, output: known.output } : null
}
