import type { VpcItem } from '@mallee/agent-contract'
import type { RouterPlan } from './plan.ts'

/** An interface of this node, of a guest or of a NAT gateway, whose flows are counted. */
export interface CapturePlan {
  readonly interfaceId: string
  readonly tap: string
  /** Others' addresses of which there are no records. */
  readonly ignored: readonly string[]
}

export function planCapture(item: VpcItem, router: RouterPlan): CapturePlan[] {
  const wanted = new Set((item.flowLogs ?? []).flatMap((log) => log.interfaceIds))
  const gateways = (item.natGateways ?? []).map(({ interfaceId }, index) => ({
    ...router.natGateways[index]!,
    interfaceId,
  }))
  return [...router.ports, ...gateways]
    .filter(({ interfaceId }) => wanted.has(interfaceId))
    .map(({ interfaceId, tap, subnet }) => ({
      ...{ interfaceId, tap },
      ignored: [...new Set([subnet.gateway, router.nameServers[0]])],
    }))
}
