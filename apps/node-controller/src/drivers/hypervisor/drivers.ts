import path from 'node:path'
import type { Log } from '@mallee/base'
import type { NodeControllerConfig } from '../../config.ts'
import type { HypervisorDriver } from './driver.ts'
import { LibvirtDriver, physicalCapacity } from './libvirt/driver.ts'
import { openSimulatedHypervisor } from './simulated/driver.ts'

type Factory = (config: NodeControllerConfig, log: Log) => Promise<HypervisorDriver>

/** The hypervisor drivers by the name that configuration gives them. Nothing is chosen silently. */
export const hypervisorDrivers: Readonly<Record<NodeControllerConfig['hypervisor']['driver'], Factory>> = {
  async libvirt(config, log) {
    if (config.hypervisor.driver !== 'libvirt') throw new Error('not a libvirt configuration')
    return new LibvirtDriver({
      socket: config.hypervisor.socket,
      logDir: config.hypervisor.logDir,
      instancesDir: config.instancesDir,
      log,
      ...capacity(config),
    })
  },
  async simulated(config) {
    return openSimulatedHypervisor({ dir: path.join(config.dir, 'simulated'), ...capacity(config) })
  },
}

function capacity(config: NodeControllerConfig): { vcpus: number; memoryMiB: number } {
  const physical = physicalCapacity(config)
  return { vcpus: config.maxVcpus ?? physical.vcpus, memoryMiB: config.maxMemoryMiB ?? physical.memoryMiB }
}
