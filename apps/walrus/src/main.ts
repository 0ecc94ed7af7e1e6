import { createLog, readConfig, runService } from '@mallee/service-kit'
import { startWalrus } from './app.ts'
import { walrusSchema, type WalrusConfig } from './config.ts'

const file = process.argv[2]
if (file === undefined) {
  process.stderr.write('usage: main.ts CONFIG.json\n')
  process.exit(2)
}
const config = readConfig<WalrusConfig>(walrusSchema, file)
const log = createLog({ name: 'walrus', level: config.logLevel })
await runService({ log, start: () => startWalrus(config, { log }) })
