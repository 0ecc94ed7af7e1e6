import { fork, type ChildProcess } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { seededRandom } from '@mallee/base'
import type { Guards } from './guards.ts'
import type { WorkDone, WorkOrder } from './seed-worker.ts'
import { SimulatedClock } from './simulated-clock.ts'
import { makeTemplate } from './simulated-cloud.ts'
import type { Happenings } from './world.ts'

export interface SeedFailure {
  readonly seed: number
  readonly message: string
}

export interface SeedsResult {
  readonly failures: SeedFailure[]
  readonly happenings: Happenings
  readonly simulatedMs: number
}

/** Seeds that one order holds: few enough that the processes end together, many enough that orders cost nothing. */
const orderSize = 20

/** Lives the worlds of these seeds in as many processes as there are processors. */
export async function runSeeds(options: {
  readonly seeds: Iterable<number>
  readonly guards?: Partial<Guards>
  /** So many failures are enough: more of them tell nothing new. */
  readonly enough?: number
  readonly onProgress?: (seedsDone: number) => void
}): Promise<SeedsResult> {
  const template = await makeTemplate(new SimulatedClock(), seededRandom(0), 3)
  const failures: SeedFailure[] = []
  const happenings: Happenings = {}
  let simulatedMs = 0
  let seedsDone = 0
  const orders = ordersOf(options.seeds)
  const collect = (done: WorkDone) => {
    failures.push(...done.failures)
    for (const [what, count] of Object.entries(done.happenings))
      happenings[what] = (happenings[what] ?? 0) + count
    simulatedMs += done.simulatedMs
    seedsDone += done.seeds
    options.onProgress?.(seedsDone)
  }
  try {
    const order = { template: template.dir, nodeIds: template.nodeIds, guards: options.guards ?? {} }
    await Promise.all(
      Array.from({ length: availableParallelism() }, () =>
        oneWorker(orders, order, (done) => {
          collect(done)
          return failures.length < (options.enough ?? 5)
        }),
      ),
    )
  } finally {
    await rm(template.dir, { recursive: true, force: true })
  }
  return { failures: failures.toSorted((a, b) => a.seed - b.seed), happenings, simulatedMs }
}

function* ordersOf(seeds: Iterable<number>): Generator<number[]> {
  let order: number[] = []
  for (const seed of seeds) {
    order.push(seed)
    if (order.length < orderSize) continue
    yield order
    order = []
  }
  if (order.length > 0) yield order
}

/** A process is given one order after another until there are none, or `goOn` says that it is enough. */
async function oneWorker(
  orders: Generator<number[]>,
  order: Omit<WorkOrder, 'seeds'>,
  goOn: (done: WorkDone) => boolean,
): Promise<void> {
  let child: ChildProcess | null = null
  try {
    for (let next = orders.next(); !next.done; next = orders.next()) {
      child ??= fork(new URL('./seed-worker.ts', import.meta.url), [], {
        execArgv: ['--max-semi-space-size=64'],
      })
      if (!goOn(await answerOf(child, { ...order, seeds: next.value }))) return
    }
  } finally {
    child?.disconnect()
  }
}

function answerOf(child: ChildProcess, order: WorkOrder): Promise<WorkDone> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null) =>
      reject(new Error(`a process of the simulation ended with ${code} at seeds ${order.seeds.join(' ')}`))
    child.once('exit', ended)
    child.once('message', (done) => {
      child.off('exit', ended)
      resolve(done as WorkDone)
    })
    child.send(order)
  })
}
