import { createLog } from '@mallee/service-kit'
import { requireMachine } from './host/machine.ts'
import { RouteKeeper } from './host/route-keeper.ts'
import { Supervisor } from './host/supervisor.ts'

/** The supervisor as a process of its own: `supervisor-main.ts STATE-DIR`. */
const machine = requireMachine(process.argv[2] ?? '')
const log = createLog({ name: 'supervisor' })
const supervisor = new Supervisor({
  specs: machine.specs,
  runDir: machine.file('run'),
  logDir: machine.file('log'),
  log,
})
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => supervisor.stop())
await machine.prepare()
const routes = machine.cloud ? new RouteKeeper({ layout: machine.cloud, log }) : null
routes?.start()
await supervisor.run()
await routes?.stop()
process.exit(0)
