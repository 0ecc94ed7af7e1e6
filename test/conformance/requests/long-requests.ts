import { availableParallelism } from 'node:os'
import { hasBotocore } from '../botocore/oracle.ts'
import { runRequests, tallyLine } from './run-requests.ts'

/**
 * A million requests that botocore makes and signs, or as many as MALLEE_REQUESTS says, from MALLEE_SEED: each is to be
 * verified and decoded to the parameters that were given, and refused once tampered with.
 */
export async function longRequests(): Promise<boolean> {
  if (!hasBotocore()) {
    process.stderr.write('/usr/bin/python3 has no botocore (Debian: python3-botocore)\n')
    return false
  }
  const seed = Number(process.env['MALLEE_SEED'] ?? Date.now() % 1_000_000)
  const count = Number(process.env['MALLEE_REQUESTS'] ?? 1_000_000)
  process.stdout.write(`requests: ${count} with MALLEE_SEED=${seed}\n`)
  const tally = await runRequests({
    seed,
    count,
    shards: 50,
    processes: availableParallelism(),
    onProgress: (sofar) => process.stdout.write(`${tallyLine(sofar)}\n`),
  })
  for (const [what, times] of [...tally.mutations].toSorted(([a], [b]) => (a < b ? -1 : 1)))
    process.stdout.write(`  ${what.padEnd(26)} ${times}\n`)
  for (const example of tally.examples) process.stdout.write(`${example}\n`)
  process.stdout.write(`MALLEE_SEED=${seed}: ${tallyLine(tally)}\n`)
  return tally.disagreements === 0 && tally.requests >= count
}
