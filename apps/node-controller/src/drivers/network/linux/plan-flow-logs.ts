import type { VpcItem } from '@mallee/agent-contract'
import type { RouterPlan } from './plan.ts'

/** An interface of this node, of a guest or of a NAT gateway, whose flows are counted. */
export interface CapturePlan {
  readonly interfaceId: string
  readonly tap: string
  /** Others' addresses of which there are no records. */
  readonly ignored: readonly string[]
  /** Of its subnet in its router, and what it is there. */
  readonly link: string
  readonly addresses: readonly string[]
}

export function planCapture(
  item: VpcItem,
  router: Pick<RouterPlan, 'ports' | 'natGateways' | 'nameServers'>,
): CapturePlan[] {
  const wanted = new Set((item.flowLogs ?? []).flatMap((log) => log.interfaceIds))
  const gateways = (item.natGateways ?? []).map(({ interfaceId, privateIp }, index) => ({
    ...{ ...router.natGateways[index]!, interfaceId },
    addresses: [{ privateIp }],
  }))
  return [...router.ports, ...gateways]
    .filter(({ interfaceId }) => wanted.has(interfaceId))
    .map(({ interfaceId, tap, subnet, addresses }) => ({
      ...{ interfaceId, tap, link: subnet.gatewayLink },
      ignored: [...new Set([subnet.gateway, router.nameServers[0]])],
      addresses: addresses.map(({ privateIp }) => privateIp),
    }))
}

/** Whether the router's ACLs refuse anything of which there are records. */
export const countsRefusals = ({ captured, subnets }: RouterPlan): boolean =>
  captured.length > 0 && subnets.some(({ acl }) => acl !== null)
