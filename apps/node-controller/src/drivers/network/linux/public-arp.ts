import { blockContains, errorMessage, parseCidr, parseIpv4, type Log } from '@mallee/base'
import type { Commands } from './commands.ts'
import type { NetworkPlan } from './plan.ts'

/**
 * A public address is where its instance is: the node answers for it on its uplink, and says so unasked when it has
 * become its own (gratuitous ARP, RFC 5227 section 3), so that neighbours follow at once. Where the pool is routed to the
 * node, nobody asks and this changes nothing.
 */
export async function answerForPublicAddresses(
  commands: Commands,
  plan: NetworkPlan,
  options: { uplink: string; publicPool: string; before: NetworkPlan | null; log: Log },
): Promise<void> {
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
  const fresh = [...wanted].filter((address) => !former.has(address))
  if (fresh.length === 0) return
  await commands.run('sh', ['-c', announcement, 'announce', uplink, ...fresh]).catch((error: unknown) =>
    // Neighbours then find out when their own entries end.
    options.log.warn({ reason: errorMessage(error) }, 'public addresses could not be announced'),
  )
}

/** arping takes only addresses that it can bind to, and these are nobody's own: they are routed on. */
const announcement = `
  setting=/proc/sys/net/ipv4/ip_nonlocal_bind
  was=$(cat $setting); echo 1 > $setting
  uplink=$1; shift
  for address; do arping -q -c 1 -w 1 -A -I "$uplink" -s "$address" "$address" || failed=1; done
  echo "$was" > $setting
  exit \${failed:-0}`

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
