import { spawnSync } from 'node:child_process'
import { longRequests } from './conformance/requests/long-requests.ts'
import { longCrash } from './crash/long-crash.ts'
import { realDozen } from './crash/real-dozen.ts'
import { longSimulation } from './simulation/long-simulation.ts'

/**
 * What takes too long for every change: `npm run long NAME`. A suite prints its progress and answers whether it passed.
 */
const suites: Readonly<Record<string, () => Promise<boolean>>> = {
  simulation: longSimulation,
  requests: longRequests,
  crash: longCrash,
  'crash-real': realDozen,
  's3-crash-states': () => told('apps/walrus/test/crash-states/long-main.ts'),
  policies: () => told('packages/iam-policy/test/long-main.ts'),
  outage: () => told('test/system/outage.ts'),
  'volume-races': () => tested(['apps/mallee/test/volume-races.test.ts'], { MALLEE_RACES: '1000' }),
  ceph: () =>
    tested(['apps/storage-controller/test/rbd.test.ts', 'apps/mallee/test/ceph-volumes.test.ts'], {
      MALLEE_CEPH: '1',
    }),
  'volume-kills': () => told('test/system/volume-kills.ts'),
  reboots: () => told('test/system/machines.ts', { MALLEE_REBOOTS: process.env['MALLEE_REBOOTS'] ?? '20' }),
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

/** Tests that every change runs for a short while, or not at all. */
function tested(files: readonly string[], env: Record<string, string>): Promise<boolean> {
  return run(['node_modules/vitest/vitest.mjs', 'run', ...files], env)
}

/** A suite that is a script of its own. */
function told(script: string, env: Record<string, string> = {}): Promise<boolean> {
  return run([script], env)
}

function run(args: readonly string[], env: Record<string, string>): Promise<boolean> {
  const words = ['--disable-warning=ExperimentalWarning', ...args]
  const { status } = spawnSync(process.execPath, words, { stdio: 'inherit', env: { ...process.env, ...env } })
  return Promise.resolve(status === 0)
}
