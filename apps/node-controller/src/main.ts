import { createLog, readConfig, runService } from '@mallee/service-kit'
import { startNodeController } from './app.ts'
import { nodeControllerSchema, type NodeControllerConfig } from './config.ts'

const file = process.argv[2]
if (file === undefined) {
  process.stderr.write('usage: main.ts CONFIG.json\n')
  process.exit(2)
}
const config = readConfig<NodeControllerConfig>(nodeControllerSchema, file)
const log = createLog({ name: 'node-controller', level: config.logLevel })
await runService({ log, start: () => startNodeController(config, { log }) })
