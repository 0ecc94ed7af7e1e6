import { appendFileSync, readFileSync } from 'node:fs'
import type { SeedFailure } from './run-seeds.ts'

/**
 * Seeds that failed once, one a line with what was seen then; every run lives them first. They are kept for good: what
 * went wrong there may go wrong again, though a seed means another world once the simulation itself has changed.
 */
const file = new URL('./kept-seeds.txt', import.meta.url)

export function keptSeeds(): number[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => /^\d/.test(line))
    .map((line) => Number.parseInt(line, 10))
}

export function keepSeeds(failures: readonly SeedFailure[]): void {
  const kept = new Set(keptSeeds())
  for (const { seed, message } of failures)
    if (!kept.has(seed)) appendFileSync(file, `${seed} ${message.replaceAll('\n', ' ')}\n`)
}

/** What failed, and how to see each of it again. */
export function failureReport(failures: readonly SeedFailure[]): string {
  return failures
    .map(
      ({ seed, message }) =>
        `seed ${seed}: ${message}\n  again: MALLEE_SEED=${seed} MALLEE_SEEDS=1 npx vitest run test/simulation`,
    )
    .join('\n')
}
