import { existsSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { errorMessage, endProcess, isAlive, writePidFile, type ProcessMark } from '@mallee/base'
import { createLog } from '@mallee/service-kit'
import { downMarker } from './commands/down.ts'
import { requireMachine } from './host/machine.ts'
import { RouteKeeper } from './host/route-keeper.ts'
import { claimSupervision, startStandby } from './host/standby.ts'
import { Supervisor } from './host/supervisor.ts'

/**
 * The supervisor as a process of its own: `supervisor-main.ts STATE-DIR [--alone]`. It may be killed at any moment:
 * daemons and guests do not notice, and its standby (or, with --alone, systemd) starts it again.
 */
const againMs = 1_000
const machine = requireMachine(process.argv[2] ?? '')
const alone = process.argv.includes('--alone')
const log = createLog({ name: 'supervisor' })
if (!(await claimSupervision(machine.stateDir, machine.file('run', 'supervisor.pid')))) {
  log.info({}, 'another supervisor is at work')
  process.exit(75) // for systemd: not done, try again later
}
await withPatience('the pid file', () => writePidFile(machine.file('run', 'supervisor.pid'), process.pid))
// Said while a standby was starting us: whoever says it after this line sees our pid file.
if (existsSync(downMarker(machine))) process.exit(0)
let standby: ProcessMark | null = null
const supervisor = new Supervisor({
  specs: machine.specs,
  runDir: machine.file('run'),
  logDir: machine.file('log'),
  log,
  everyLook() {
    if (existsSync(downMarker(machine))) return supervisor.stop()
    if (alone || isAlive(standby)) return
    standby = startStandby({
      supervisorPid: process.pid,
      downMarker: downMarker(machine),
      script: import.meta.filename,
      stateDir: machine.stateDir,
    })
  },
})
let asked = false
for (const signal of ['SIGTERM', 'SIGINT'] as const)
  process.on(signal, () => {
    asked = true
    supervisor.stop()
  })
await withPatience('what the daemons stand on', () => (asked ? Promise.resolve() : machine.prepare()))
const routes = machine.cloud ? new RouteKeeper({ layout: machine.cloud, log }) : null
routes?.start()
flushCompileCache()
await supervisor.run()
// Asked to end: the standby goes first, or it would undo it.
await endProcess(standby, 0)
await routes?.stop()
process.exit(0)

/** Nobody starts a supervisor again that ends before it has a standby: a full disk, say, is waited for. */
async function withPatience(what: string, work: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      await work()
      return
    } catch (error) {
      log.error({ reason: errorMessage(error) }, `${what} could not be made; will be tried again`)
      await new Promise((resolve) => setTimeout(resolve, againMs))
    }
  }
}
