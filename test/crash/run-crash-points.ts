import { writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { CrashCloud } from './crash-cloud.ts'
import { enumeratePoints, labelOf, shareOf, workflows } from './enumerate-points.ts'
import { nameOf, runPoint, type Point } from './run-point.ts'

/** More failures than this tell nothing new. */
const enoughFailures = 5

interface Tally {
  ran: number
  notReached: number
  readonly failures: string[]
}

/** Records the points of every workflow, then dies at each of the chosen ones; answers whether all was well. */
export async function runCrashPoints(options: {
  /** A share of the points; all of them without. */
  readonly share?: { readonly number: number; readonly of: number }
  /** Points whose name holds this. */
  readonly only?: string
}): Promise<boolean> {
  const beganMs = Date.now()
  const first = await CrashCloud.start()
  const all = await enumeratePoints(first)
  if (process.env['MALLEE_CRASH_NOTE']) noteLabels(all)
  const { only, share } = options
  const chosen =
    only === undefined
      ? share
        ? shareOf(all, share)
        : all
      : all.filter((point) => nameOf(point).includes(only))
  say(`${all.length} crash points in ${seconds(beganMs)} s of recording; ${chosen.length} of them run now`)
  for (const { name } of workflows) {
    const of = (points: readonly Point[]) => points.filter((point) => point.workflow === name).length
    say(`  ${name}: ${of(chosen)} of ${of(all)}`)
  }
  const tally: Tally = { ran: 0, notReached: 0, failures: [] }
  const queue = [...chosen]
  const others = Array.from({ length: Math.min(availableParallelism(), 2) - 1 }, () => CrashCloud.start())
  await Promise.all([first, ...others].map((world) => work(world, queue, tally)))
  say(
    `${tally.ran} deaths in ${seconds(beganMs)} s; ${tally.notReached} points were not passed again; ` +
      `${tally.failures.length} failures`,
  )
  if (tally.notReached > chosen.length / 10 + 2) tally.failures.push('too many points were not passed again')
  for (const failure of tally.failures) say(failure)
  return tally.failures.length === 0 && tally.ran > 0
}

/** One cloud takes point after point; one that failed is left for inspection, and another takes its place. */
async function work(start: CrashCloud | Promise<CrashCloud>, queue: Point[], tally: Tally): Promise<void> {
  let world = await start
  for (let point = queue.shift(); point; point = queue.shift()) {
    if (tally.failures.length >= enoughFailures) break
    const workflow = workflows.find((one) => one.name === point.workflow)!
    try {
      if (await runPoint(world, workflow, point)) tally.ran += 1
      else tally.notReached += 1
    } catch (error) {
      tally.failures.push(
        `${nameOf(point)}\n  ${(error as Error).message}\n  left in ${world.dir}\n  again: node test/crash/crash.ts '${nameOf(point)}'`,
      )
      say(`FAIL ${nameOf(point)}: ${(error as Error).message}`)
      await world.stop({ keep: true })
      world = await CrashCloud.start()
    }
    if ((tally.ran + tally.failures.length) % 25 === 0) say(`  ${queue.length} points to go`)
  }
  await world.stop({ keep: false })
}

function noteLabels(points: readonly Point[]): void {
  const labels = [...new Set(points.map(labelOf))].toSorted()
  writeFileSync(new URL('./known-points.txt', import.meta.url), `${labels.join('\n')}\n`)
}

const seconds = (sinceMs: number) => Math.round((Date.now() - sinceMs) / 1000)

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
