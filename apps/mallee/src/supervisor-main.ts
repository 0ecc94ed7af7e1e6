import { createLog } from '@mallee/service-kit'
import { daemonSpecs } from './host/daemons.ts'
import { ensureNodeHost } from './host/node-host.ts'
import { Supervisor } from './host/supervisor.ts'
import { requireLayout } from './layout.ts'

/** The supervisor as a process of its own: `supervisor-main.ts STATE-DIR`. */
const layout = requireLayout(process.argv[2] ?? '')
const log = createLog({ name: 'supervisor' })
const supervisor = new Supervisor({
  specs: daemonSpecs(layout),
  runDir: layout.file('run'),
  logDir: layout.file('log'),
  log,
})
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => supervisor.stop())
await ensureNodeHost(layout)
await supervisor.run()
process.exit(0)
