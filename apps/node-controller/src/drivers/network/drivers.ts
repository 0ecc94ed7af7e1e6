import type { Log } from '@mallee/base'
import type { NodeControllerConfig } from '../../config.ts'
import type { NetworkDriver } from './driver.ts'
import { openLinuxNetwork } from './linux/driver.ts'
import { createSimulatedNetwork } from './simulated/driver.ts'

type Factory = (config: NodeControllerConfig, log: Log) => Promise<NetworkDriver>

/** The network drivers by the name that configuration gives them. */
export const networkDrivers: Readonly<Record<NodeControllerConfig['network']['driver'], Factory>> = {
  async linux(config, log) {
    if (config.network.driver !== 'linux') throw new Error('not a linux network configuration')
    return openLinuxNetwork({ ...config.network, log })
  },
  simulated: () => Promise.resolve(createSimulatedNetwork()),
}
