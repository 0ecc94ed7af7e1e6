import { failureReport, keepSeeds, keptSeeds } from './kept-seeds.ts'
import { runSeeds } from './run-seeds.ts'

const minuteMs = 60_000

/** 100,000 seeds (MALLEE_SEEDS) from MALLEE_SEED on, over all processors; a line of progress every half a minute. */
export async function longSimulation(): Promise<boolean> {
  const count = Number(process.env['MALLEE_SEEDS'] ?? 100_000)
  const first = Number(process.env['MALLEE_SEED'] ?? 1)
  const beganMs = Date.now()
  let saidMs = beganMs
  const result = await runSeeds({
    seeds: seedsOf(first, count),
    onProgress(done) {
      const nowMs = Date.now()
      if (nowMs - saidMs < minuteMs / 2) return
      saidMs = nowMs
      const seconds = (nowMs - beganMs) / 1000
      say(`${done} of ${count} seeds in ${Math.round(seconds)} s (${(done / seconds).toFixed(1)} a second)`)
    },
  })
  keepSeeds(result.failures)
  for (const [what, times] of Object.entries(result.happenings).toSorted()) say(`  ${what}: ${times}`)
  say(`${Math.round(result.simulatedMs / minuteMs)} simulated minutes, ${result.failures.length} failures`)
  if (result.failures.length > 0) say(failureReport(result.failures))
  return result.failures.length === 0
}

function* seedsOf(first: number, count: number): Generator<number> {
  yield* keptSeeds()
  for (let seed = first; seed < first + count; seed += 1) yield seed
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
