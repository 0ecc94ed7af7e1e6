import { silentLog } from '@mallee/base'
import type { VpcItem } from '@mallee/agent-contract'
import {
  forbiddenFlows,
  NetworkKeeper,
  noNumbers,
  renderNetwork,
  type Flow,
  type RenderedNetwork,
} from '@mallee/node-controller'
import type { SimulatedNode } from './simulated-node.ts'

const addresses = { uplink: 'uplink', nodeAddress: '198.18.0.2' }

/**
 * The network of one simulated host: the rules that the real plan renders, and the flows that go by them. Rules, flows
 * and numbers are the host's and outlive its node controller, of which there is one after the other.
 */
export class SimulatedNetwork {
  readonly node: SimulatedNode
  /** What conntrack knows. */
  flows: Flow[] = []
  rendered: RenderedNetwork = renderNetwork([], noNumbers, addresses)
  /** Flows that the node took away, ever. */
  readonly cut: Flow[] = []
  private keeper!: NetworkKeeper

  constructor(node: SimulatedNode) {
    this.node = node
    this.restart()
  }

  /** Another process, which believes nothing and has what the ledger and the numbers' file hold. */
  restart(): void {
    let before: RenderedNetwork | null = null
    const apply = async (items: readonly VpcItem[]) => {
      this.rendered = renderNetwork(items, this.rendered.numbers, addresses)
      const forbidden = forbiddenFlows(this.rendered.plan, this.flows, before?.plan.subnets)
      before = this.rendered
      this.cut.push(...forbidden)
      this.flows = this.flows.filter((flow) => !forbidden.includes(flow))
    }
    this.keeper = new NetworkKeeper({
      driver: { apply } as ConstructorParameters<typeof NetworkKeeper>[0]['driver'],
      items: () => this.node.vpcItems(),
      observe: () => {},
      log: silentLog,
    })
  }

  refresh(): Promise<void> {
    return this.keeper.refresh()
  }

  /** A connection to a guest of this host, as the host of either end knows it; from a neighbour or from the outside. */
  connect(flow: { source: string; destination: string; destinationPort: number }): void {
    for (const address of new Set([flow.source, flow.destination]))
      for (const port of this.rendered.plan.ports)
        if (port.addresses.some(({ privateIp }) => privateIp === address))
          this.flows.push({
            ...{ zone: port.subnet.zone, protocol: 6, sourcePort: 40_000, icmp: null },
            ...flow,
          } as Flow)
  }
}
