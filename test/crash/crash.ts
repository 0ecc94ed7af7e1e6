import { execFileSync } from 'node:child_process'
import { realDozen } from './real-dozen.ts'
import { runCrashPoints } from './run-crash-points.ts'

/**
 * The stage of CI: a share of all crash points, another one for every commit, and all whose label is new; then a dozen
 * deaths with real guests. Everything: `npm run long crash`. One point again: `node test/crash/crash.ts 'launch/node/before rename … #1'`.
 */
const shares = Number(process.env['MALLEE_CRASH_SHARES'] ?? 3)

function commitNumber(): number {
  try {
    return Number.parseInt(
      execFileSync('git', ['rev-parse', '--short=7', 'HEAD'], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }),
      16,
    )
  } catch {
    return 0 // not a repository: the first share
  }
}

const only = process.argv[2]
const share = { number: Number(process.env['MALLEE_CRASH_SHARE'] ?? commitNumber()), of: shares }
const passed = await runCrashPoints(only === undefined ? { share } : { only })
process.exit(passed && (only !== undefined || (await realDozen())) ? 0 : 1)
