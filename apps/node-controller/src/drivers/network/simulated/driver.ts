import type { VpcItem } from '@mallee/agent-contract'
import { fatal } from '../../../node-error.ts'
import type { FlowWindow, NetworkDriver, NetworkPart } from '../driver.ts'

/** A network without packets, for scale and fault tests; names ports as the real driver would. */
export interface SimulatedNetwork extends NetworkDriver {
  /** Something stands that nobody applied. */
  plant(vpc: VpcItem): void
}

export function createSimulatedNetwork(): SimulatedNetwork {
  let applied: readonly VpcItem[] = []
  let strays: VpcItem[] = []
  const windows = new SimulatedWindows()
  return {
    fingerprint: () => Promise.resolve({ network: 'simulated', address: null, problems: [] }),
    async apply(network) {
      applied = structuredClone(network) as VpcItem[]
      windows.apply(applied.some((vpc) => vpc.flowLogs !== undefined))
    },
    collectFlows: (keep) => windows.collect(keep),
    port(vpc, interfaceId) {
      const entry = vpc.interfaces.find((candidate) => candidate.interfaceId === interfaceId)
      const subnet = vpc.subnets.find((candidate) => candidate.subnetId === entry?.subnetId)
      return { bridge: bridgeOf(subnet?.tag ?? 0), tap: tapOf(interfaceId), mtu: null }
    },
    askerAt: (address) =>
      applied.flatMap((vpc) => vpc.interfaces).find((entry) => entry.privateIp === address)?.interfaceId ??
      null,
    metadataAddress: { host: '127.0.0.1', port: 0 },
    bytes: () => {
      const none = { inside: 0, outside: 0 }
      const interfaces = applied.flatMap((vpc) => vpc.interfaces)
      return Promise.resolve(
        interfaces.map(({ interfaceId }) => ({ interfaceId, sent: none, received: none })),
      )
    },
    inventory: (network) => Promise.resolve(partsOf([...applied, ...strays], network)),
    async removeStray(part, network) {
      const found = partsOf([...applied, ...strays], network).find(
        (entry) => entry.kind === part.kind && entry.id === part.id,
      )
      if (found && found.owner !== null) throw fatal('NotStray', `${part.id} belongs to ${found.owner}.`)
      applied = structuredClone(network) as VpcItem[]
      strays = []
    },
    plant: (vpc) => void strays.push(vpc),
    removeAll: () => Promise.resolve(),
    close: () => Promise.resolve(),
  }
}

/** Windows in which no packet is counted: there are none. */
class SimulatedWindows {
  private starts: number[] = []
  private capturing = false

  apply(capturing: boolean): void {
    this.capturing = capturing
    if (capturing && this.starts.length === 0) this.starts = [Date.now()]
  }

  async collect(keep: (window: FlowWindow) => Promise<void>): Promise<void> {
    const newest = this.starts.at(-1)
    if (newest === undefined) return
    this.starts.push(Math.max(Date.now(), newest + 1))
    while (this.starts.length > 1) {
      const [startMs, endMs] = this.starts as [number, number]
      await keep({ startMs, endMs, flows: [], incomplete: [] })
      this.starts.shift()
    }
    if (!this.capturing) this.starts = []
  }
}

const bridgeOf = (tag: number) => `br${tag}`
const tapOf = (interfaceId: string) => `vn${interfaceId.slice(-12)}`

function partsOf(standing: readonly VpcItem[], network: readonly VpcItem[]): NetworkPart[] {
  const owners = new Map(
    network.flatMap((vpc) => [
      ...vpc.subnets.map((subnet) => [bridgeOf(subnet.tag), subnet.subnetId] as const),
      ...vpc.interfaces.map((entry) => [tapOf(entry.interfaceId), entry.interfaceId] as const),
    ]),
  )
  const names = standing.flatMap((vpc) => [
    ...vpc.subnets.map((subnet) => ['bridge', bridgeOf(subnet.tag)] as const),
    ...vpc.interfaces.map((entry) => ['firewall-port', tapOf(entry.interfaceId)] as const),
  ])
  return names.map(([kind, id]) => ({ kind, id, owner: owners.get(id) ?? null }))
}
