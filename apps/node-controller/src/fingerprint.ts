import { mkdir } from 'node:fs/promises'
import os from 'node:os'
import type { NodeFingerprint } from '@mallee/agent-contract'
import type { HypervisorDriver } from './drivers/hypervisor/driver.ts'
import { diskCapacityGiB } from './drivers/hypervisor/libvirt/driver.ts'
import type { NetworkDriver } from './drivers/network/driver.ts'

/** What the node says of itself; healthy when nothing stands in a launch's way. */
export async function takeFingerprint(deps: {
  hypervisor: HypervisorDriver
  network: NetworkDriver
  instancesDir: string
  hooksVeto: string | null
}): Promise<NodeFingerprint> {
  await mkdir(deps.instancesDir, { recursive: true, mode: 0o750 })
  const hypervisor = await deps.hypervisor.fingerprint()
  const network = await deps.network.fingerprint()
  const problems = [...hypervisor.problems, ...network.problems, ...(deps.hooksVeto ? [deps.hooksVeto] : [])]
  return {
    vcpus: hypervisor.vcpus,
    memoryMiB: hypervisor.memoryMiB,
    diskGiB: await diskCapacityGiB(deps.instancesDir),
    architecture: hypervisor.architecture,
    accelerator: hypervisor.accelerator,
    acceleratorReason: hypervisor.acceleratorReason,
    hypervisor: hypervisor.hypervisor,
    network: network.network,
    address: network.address,
    hostname: os.hostname(),
    healthy: problems.length === 0,
    problems,
  }
}
