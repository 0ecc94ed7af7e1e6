import type { VpcItem } from '@mallee/agent-contract'
import type { NetworkDriver } from '../driver.ts'

/** A network without packets, for scale and fault tests; names ports as the real driver would. */
export function createSimulatedNetwork(): NetworkDriver {
  let applied: readonly VpcItem[] = []
  return {
    fingerprint: () => Promise.resolve({ network: 'simulated', problems: [] }),
    async apply(network) {
      applied = structuredClone(network) as VpcItem[]
    },
    port(vpc, interfaceId) {
      const entry = vpc.interfaces.find((candidate) => candidate.interfaceId === interfaceId)
      const subnet = vpc.subnets.find((candidate) => candidate.subnetId === entry?.subnetId)
      return { bridge: `br${subnet?.tag ?? 0}`, tap: `vn${interfaceId.slice(-12)}`, mtu: null }
    },
    askerAt: (address) =>
      applied.flatMap((vpc) => vpc.interfaces).find((entry) => entry.privateIp === address)?.interfaceId ??
      null,
    metadataAddress: { host: '127.0.0.1', port: 0 },
    removeAll: () => Promise.resolve(),
    close: () => Promise.resolve(),
  }
}
