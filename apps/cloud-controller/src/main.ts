import { createLog, readConfig, runService } from '@mallee/service-kit'
import { startCloudController } from './app.ts'
import { cloudControllerSchema, type CloudControllerConfig } from './config.ts'

const file = process.argv[2]
if (file === undefined) {
  process.stderr.write('usage: main.ts CONFIG.json\n')
  process.exit(2)
}
const config = readConfig<CloudControllerConfig>(cloudControllerSchema, file)
const log = createLog({ name: 'cloud-controller', level: config.logLevel })
await runService({ log, start: () => startCloudController(config, { log }) })
