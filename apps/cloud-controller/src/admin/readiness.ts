import { errorMessage, minuteMs, type Clock } from '@mallee/base'
import type { Readiness } from '@mallee/service-kit'
import type { StateStore } from '@mallee/state-store'
import type { ReconcilerStatus } from '@mallee/workflow'
import { setSetting } from '../store/setting-store.ts'
import type { Tables } from '../store/tables.ts'

/** A write that was tried this lately is not tried again. */
const triedMs = 2_000
const writeMs = 3_000
const loopMs = 3 * minuteMs
/** Before this program was written, no clock was right. */
const earliestMs = Date.UTC(2026, 0, 1)
const aheadMs = 5 * minuteMs

export interface ReadinessDependencies {
  readonly record: StateStore<Tables>
  readonly reconcilers: () => ReconcilerStatus[]
  readonly clock: Clock
}

/** Whether the cloud controller can do its work: the record takes a write, the loops run, the clock is one. */
export function readiness(deps: ReadinessDependencies): () => Promise<Readiness> {
  let tried: { atMs: number; result: Promise<string | null> } | null = null
  return async () => {
    const nowMs = deps.clock.now()
    if (!tried || nowMs - tried.atMs >= triedMs) tried = { atMs: nowMs, result: tryWrite(deps) }
    return { record: await tried.result, loops: loopsProblem(deps), clock: await clockProblem(deps) }
  }
}

async function tryWrite({ record, clock }: ReadinessDependencies): Promise<string | null> {
  const timer = new AbortController()
  try {
    return await Promise.race([
      record
        .transaction('report', (tx) => setSetting(tx, 'readiness.probe', String(clock.now())))
        .then(() => null),
      clock.sleep(writeMs, timer.signal).then(() => 'the record takes no write in time'),
    ])
  } catch (error) {
    return `the record takes no write: ${errorMessage(error)}`
  } finally {
    timer.abort()
  }
}

function loopsProblem({ reconcilers, clock }: ReadinessDependencies): string | null {
  const nowMs = clock.now()
  const stuck = reconcilers().filter(
    (loop) =>
      loop.stopped ||
      loop.lastScanAtMs === null ||
      (loop.passSinceMs !== null && nowMs - loop.passSinceMs > minuteMs) ||
      nowMs - loop.lastScanAtMs > loopMs,
  )
  return stuck.length === 0 ? null : `these loops do not run: ${stuck.map((loop) => loop.name).join(', ')}`
}

async function clockProblem({ record, clock }: ReadinessDependencies): Promise<string | null> {
  const nowMs = clock.now()
  if (nowMs < earliestMs) return `the clock says ${new Date(nowMs).toISOString()}`
  const newest = await record
    .read((db) => db.selectFrom('event').select('at').orderBy('id', 'desc').limit(1).executeTakeFirst())
    .catch(() => undefined)
  if (!newest || newest.at - nowMs < aheadMs) return null
  return `the record has events of ${new Date(newest.at).toISOString()}, and the clock is behind them`
}
