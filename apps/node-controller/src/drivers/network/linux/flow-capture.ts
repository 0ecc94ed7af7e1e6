import { systemClock, type Clock } from '@mallee/base'
import type { CountedFlow, FlowWindow } from '../driver.ts'
import type { Commands } from './commands.ts'
import { CountingTable } from './counting-table.ts'
import { countsRefusals } from './plan-flow-logs.ts'
import type { NetworkPlan } from './plan.ts'

/**
 * Flows of captured interfaces, of the node and of the routers whose network ACLs refuse some of them. Where nothing is
 * captured there is no table.
 */
export class FlowCapture {
  private readonly commands: Commands
  private readonly clock: Clock
  private readonly node: CountingTable
  private readonly routers = new Map<string, CountingTable>()
  /** What ACLs refused of the sender's packets that the node has counted in its next window only. */
  private owed = new Map<string, CountedFlow>()

  constructor(commands: Commands, clock: Clock = systemClock) {
    this.commands = commands
    this.clock = clock
    this.node = new CountingTable(commands, clock, 'bridge')
  }

  /** Counts from now on what crosses the plan's captured interfaces, and nothing else. What was counted stays. */
  async apply({ captured }: NetworkPlan): Promise<void> {
    await this.node.apply(captured)
  }

  /** When the routers stand. Those that are gone, or `anew`, have taken their tables along. */
  async applyRouters({ routers }: NetworkPlan, anew: ReadonlySet<string>): Promise<void> {
    const standing = new Set(routers.map(({ namespace }) => namespace))
    for (const namespace of this.routers.keys())
      if (!standing.has(namespace) || anew.has(namespace)) this.routers.delete(namespace)
    await Promise.all(
      routers.map(async (router) => {
        const { namespace } = router
        const table =
          this.routers.get(namespace) ?? new CountingTable(this.commands, this.clock, 'ip', namespace)
        this.routers.set(namespace, table)
        await table.apply(countsRefusals(router) ? router.captured : [])
      }),
    )
  }

  /** Ends the window under way, hands over all that ended, and forgets each as soon as it is kept. */
  async collect(keep: (window: FlowWindow) => Promise<void>): Promise<void> {
    const ended = await this.node.turn()
    const refused: FlowWindow[] = []
    const forget: (() => Promise<void>)[] = []
    for (const table of this.routers.values())
      for (const window of await table.turn()) {
        refused.push(await table.read(window))
        forget.push(() => table.forget(window))
      }
    for (const [index, window] of ended.entries()) {
      const counted = await this.node.read(window)
      const isLast = index === ended.length - 1
      await keep(isLast ? this.withRefused(counted, refused) : counted)
      await this.node.forget(window)
    }
    if (ended.length > 0) for (const each of forget) await each()
    await this.node.turned()
    for (const table of this.routers.values()) await table.turned()
  }

  async remove(): Promise<void> {
    await this.node.remove()
    this.routers.clear()
  }

  /**
   * What an ACL refused was let out by the sender's groups, and counted so: it is taken away there. The node's window ends a
   * moment before the routers' do, so some of it may be the next one's.
   */
  private withRefused(window: FlowWindow, refused: readonly FlowWindow[]): FlowWindow {
    const flows = new Map(window.flows.map((flow) => [keyOf(flow), flow]))
    const owed = new Map<string, CountedFlow>()
    const takeAway = (flow: CountedFlow, mayOwe: boolean) => {
      const key = keyOf({ ...flow, accepted: true })
      const counted = flows.get(key)
      const left = sum(counted ?? { ...flow, packets: 0, bytes: 0 }, flow, -1)
      if (left.packets > 0) flows.set(key, left)
      else flows.delete(key)
      if (left.packets < 0 && mayOwe)
        owed.set(key, { ...flow, packets: -left.packets, bytes: Math.max(0, -left.bytes) })
    }
    for (const flow of this.owed.values()) takeAway(flow, false)
    for (const flow of refused.flatMap((each) => each.flows)) {
      if (flow.direction === 'egress') takeAway(flow, true)
      const counted = flows.get(keyOf(flow))
      flows.set(keyOf(flow), counted ? sum(counted, flow, 1) : flow)
    }
    this.owed = owed
    const incomplete = [window, ...refused].flatMap((each) => each.incomplete)
    return { ...window, flows: [...flows.values()], incomplete: [...new Set(incomplete)] }
  }
}

const keyOf = (flow: CountedFlow) =>
  [
    ...[flow.interfaceId, flow.direction, flow.accepted, flow.protocol],
    ...[flow.source, flow.sourcePort, flow.destination, flow.destinationPort],
  ].join(' ')

function sum(one: CountedFlow, other: CountedFlow, sign: 1 | -1): CountedFlow {
  return {
    ...one,
    packets: one.packets + sign * other.packets,
    bytes: one.bytes + sign * other.bytes,
    tcpFlags: sign === 1 ? one.tcpFlags | other.tcpFlags : one.tcpFlags,
  }
}
