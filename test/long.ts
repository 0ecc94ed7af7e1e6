import { longCrash } from './crash/long-crash.ts'
import { realDozen } from './crash/real-dozen.ts'
import { longSimulation } from './simulation/long-simulation.ts'

/**
 * What takes too long for every change: `npm run long NAME`. A suite prints its progress and answers whether it passed.
 */
const suites: Readonly<Record<string, () => Promise<boolean>>> = {
  simulation: longSimulation,
  crash: longCrash,
  'crash-real': realDozen,
}

const name = process.argv[2] ?? ''
const suite = Object.hasOwn(suites, name) ? suites[name] : undefined
if (!suite) {
  process.stderr.write(`long needs the name of a suite: ${Object.keys(suites).join(', ')}\n`)
  process.exit(2)
}
const beganMs = Date.now()
const passed = await suite()
process.stdout.write(`${passed ? 'ok  ' : 'FAIL'} ${name} (${Math.round((Date.now() - beganMs) / 1000)} s)\n`)
process.exit(passed ? 0 : 1)
