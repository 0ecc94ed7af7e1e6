import type { RouterPlan } from './plan.ts'

/** Who has each address of a router's subnets, here or elsewhere: `LINK ADDRESS`, and the MAC. Pure. */
export function routerNeighbours(router: RouterPlan): Map<string, string> {
  const local = router.ports.flatMap(({ subnet, mac, addresses }) =>
    addresses.map(({ privateIp }) => ({ subnet, mac, address: privateIp })),
  )
  const gateways = router.natGateways.map(({ subnet, mac, privateIp }) => ({
    subnet,
    mac,
    address: privateIp,
  }))
  const remote = router.remotes.flatMap(({ subnet, mac, addresses }) =>
    addresses.map((address) => ({ subnet, mac, address })),
  )
  return new Map(
    [...local, ...gateways, ...remote].map(({ subnet, mac, address }) => [
      `${subnet.gatewayLink} ${address}`,
      mac,
    ]),
  )
}

/**
 * Lines for `ip -batch` inside a router that make it ask anew who has an address, where it remembers somebody else than
 * has it now: it would go on sending there until it doubts, which takes most of a minute. `said` is `ip -json neigh show`.
 */
export function staleNeighbours(router: RouterPlan, said: unknown): string[] {
  const owners = routerNeighbours(router)
  const entries = Array.isArray(said) ? (said as { dst?: unknown; dev?: unknown; lladdr?: unknown }[]) : []
  return entries.flatMap(({ dst, dev, lladdr }) => {
    const owner = owners.get(`${String(dev)} ${String(dst)}`)
    return owner === undefined || lladdr === undefined || lladdr === owner
      ? []
      : [`neigh flush to ${String(dst)} dev ${String(dev)}`]
  })
}
