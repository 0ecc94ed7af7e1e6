import type { NetworkPlan, SubnetPlan } from './plan.ts'

/** Private addresses of a subnet that have another MAC than before. */
export interface MovedAddresses {
  readonly namespace: string
  readonly subnet: SubnetPlan
  readonly addresses: readonly string[]
}

/**
 * Guests remember for most of a minute by what MAC they found a neighbour's address. Where it goes to another interface,
 * here or on another node, the router tells its own bridge that the address is found by the router, and passes on what
 * comes; who asks anew is answered by its holder.
 */
export function movedAddresses(before: NetworkPlan, after: NetworkPlan): MovedAddresses[] {
  const former = macs(before)
  return after.routers.flatMap((router) =>
    router.subnets.flatMap((subnet) => {
      const moved = [...holders(router, subnet)].flatMap(([address, mac]) => {
        const was = former.get(`${subnet.subnetId} ${address}`)
        return was === undefined || was === mac ? [] : [address]
      })
      return moved.length === 0 ? [] : [{ namespace: router.namespace, subnet, addresses: moved }]
    }),
  )
}

type Router = NetworkPlan['routers'][number]

function macs(plan: NetworkPlan): Map<string, string> {
  return new Map(
    plan.routers.flatMap((router) =>
      router.subnets.flatMap((subnet) =>
        [...holders(router, subnet)].map(([address, mac]) => [`${subnet.subnetId} ${address}`, mac] as const),
      ),
    ),
  )
}

function* holders(router: Router, subnet: SubnetPlan): Generator<readonly [string, string]> {
  for (const port of router.ports)
    if (port.subnet.subnetId === subnet.subnetId)
      for (const { privateIp } of port.addresses) yield [privateIp, port.mac]
  for (const remote of router.remotes)
    if (remote.subnet.subnetId === subnet.subnetId)
      for (const address of remote.addresses) yield [address, remote.mac]
}
