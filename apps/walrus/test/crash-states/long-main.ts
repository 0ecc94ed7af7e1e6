/** 10,000 states or as many as MALLEE_STATES says, from MALLEE_SEED: `npm run long s3-crash-states`. */
import { record } from './recording.ts'
import { emptyTally, runStates, type Tally } from './run-states.ts'

const seed = Number(process.env['MALLEE_SEED'] ?? Date.now() % 1_000_000)
const states = Number(process.env['MALLEE_STATES'] ?? 10_000)
const perRecording = 500

const line = ({ states: count, lost, damaged, orphans }: Tally) =>
  `${count} states: ${lost} lost, ${damaged} damaged, ${orphans} orphans`

const tally = emptyTally()
for (let number = 0; tally.states < states; number += 1) {
  const recording = await record(seed + number)
  await runStates(
    recording,
    { seed: seed + number, states: Math.min(perRecording, states - tally.states) },
    tally,
  )
  process.stderr.write(`${line(tally)}\n`)
}
for (const example of tally.examples) process.stdout.write(`${example}\n`)
process.stdout.write(`s3-crash-states: MALLEE_SEED=${seed}: ${line(tally)}\n`)
process.exitCode = tally.lost + tally.damaged + tally.orphans === 0 ? 0 : 1
