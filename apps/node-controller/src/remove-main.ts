import { createLog, readConfig } from '@mallee/service-kit'
import { nodeControllerSchema, type NodeControllerConfig } from './config.ts'
import { hypervisorDrivers } from './drivers/hypervisor/drivers.ts'
import { networkDrivers } from './drivers/network/drivers.ts'

/**
 * Takes a node apart for good: `remove-main.ts CONFIG.json` ends the domains that are ours and removes our part of the
 * machine's network; files are the caller's to remove. The node controller must not run.
 */
const file = process.argv[2]
if (file === undefined) {
  process.stderr.write('usage: remove-main.ts CONFIG.json\n')
  process.exit(2)
}
const config = readConfig<NodeControllerConfig>(nodeControllerSchema, file)
const log = createLog({ name: 'remove-node', level: 'warn' })
const hypervisor = await hypervisorDrivers[config.hypervisor.driver](config, log)
const network = await networkDrivers[config.network.driver](config, log)
for (const domain of (await hypervisor.inventory()).domains) await hypervisor.destroy(domain.name)
await network.removeAll()
await hypervisor.close()
await network.close()
process.exit(0)
