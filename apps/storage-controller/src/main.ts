import { createLog, readConfig, runService } from '@mallee/service-kit'
import { startStorageController } from './app.ts'
import { storageControllerSchema, type StorageControllerConfig } from './config.ts'

const file = process.argv[2]
if (file === undefined) {
  process.stderr.write('usage: main.ts CONFIG.json\n')
  process.exit(2)
}
const config = readConfig<StorageControllerConfig>(storageControllerSchema, file)
const log = createLog({ name: 'storage-controller', level: config.logLevel })
await runService({ log, start: () => startStorageController(config, { log }) })
