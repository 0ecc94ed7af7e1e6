import { blockContains, parseCidr, parseIpv4 } from '@mallee/base'
import type { Commands } from './commands.ts'
import type { NetworkPlan } from './plan.ts'

/**
 * A public address is where its instance is: the node answers for it on its uplink. Where the pool is routed to the
 * node, nobody asks and this changes nothing. Returns the addresses that have become its own, to be announced.
 */
export async function answerForPublicAddresses(
  commands: Commands,
  plan: NetworkPlan,
  options: { uplink: string; publicPool: string; before: NetworkPlan | null },
): Promise<string[]> {
  const { uplink } = options
  const wanted = new Set(publicAddresses(plan))
  const present = proxied(
    await commands.ipJson(['neigh', 'show', 'proxy', 'dev', uplink]),
    options.publicPool,
  )
  // Linux makes who asks for a proxied address wait for up to 0.8 s.
  await commands.sysctl({ [`ipv4/neigh/${uplink}/proxy_delay`]: 0 })
  await commands.ip([
    ...[...wanted]
      .filter((address) => !present.has(address))
      .map((address) => `neigh add proxy ${address} dev ${uplink}`),
    ...[...present]
      .filter((address) => !wanted.has(address))
      .map((address) => `neigh del proxy ${address} dev ${uplink}`),
  ])
  const former = new Set(options.before ? publicAddresses(options.before) : present)
  return [...wanted].filter((address) => !former.has(address))
}

const publicAddresses = (plan: NetworkPlan) =>
  plan.routers.flatMap((router) => router.published.map(({ publicIp }) => publicIp))

/** `ip -json neigh show proxy`: those of the pool; others are not ours. */
function proxied(answer: unknown, pool: string): Set<string> {
  const block = parseCidr(pool)
  const entries = Array.isArray(answer) ? (answer as { dst?: unknown }[]) : []
  const addresses = entries.map(({ dst }) => String(dst))
  return new Set(
    addresses.filter((address) => {
      const value = parseIpv4(address)
      return block !== null && value !== null && blockContains(block, value)
    }),
  )
}
