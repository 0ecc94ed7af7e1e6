/** A million cases, or as many as MALLEE_POLICIES says, from MALLEE_SEED: `npm run long policies`. */
import { manyCases, tallyLine } from './many-cases.ts'

const seed = Number(process.env['MALLEE_SEED'] ?? Date.now() % 1_000_000)
const count = Number(process.env['MALLEE_POLICIES'] ?? 1_000_000)
const tally = manyCases({
  seed,
  count,
  enough: 0,
  onProgress: (sofar) => process.stderr.write(`${tallyLine(sofar)}\n`),
})
for (const example of tally.disagreements.slice(0, 5)) process.stdout.write(`${example}\n`)
process.stdout.write(`policies: MALLEE_SEED=${seed}: ${tallyLine(tally)}\n`)
process.exitCode = tally.disagreements.length === 0 && tally.cases >= count ? 0 : 1
