import type { Commands } from './commands.ts'
import { parseLinks } from './parse.ts'
import type { NetworkPlan, PeerPlan, RouterPlan } from './plan.ts'

/** The links between the routers of peered VPCs on this node: one pair for each peering connection. */
interface Pair {
  readonly router: RouterPlan
  readonly peer: PeerPlan
}

/** Each pair once: from the side whose namespace is named first. */
function pairsOf(plan: NetworkPlan): Pair[] {
  return plan.routers.flatMap((router) =>
    router.peers.filter((peer) => router.namespace < peer.peerNamespace).map((peer) => ({ router, peer })),
  )
}

/** Makes what is lacking and ends what no peering wants; returns the namespaces that changed. */
export async function joinPeers(commands: Commands, plan: NetworkPlan): Promise<Set<string>> {
  const changed = new Set<string>()
  const standing = new Map<string, Set<string>>()
  for (const router of plan.routers) {
    const links = parseLinks(await commands.ipJson(['link', 'show'], router.namespace))
    const there = new Set(links.map(({ name }) => name).filter((name) => /^p[0-9a-z]+$/.test(name)))
    const wanted = new Set(router.peers.map(({ link }) => link))
    const spare = [...there].filter((name) => !wanted.has(name))
    await commands.ip(
      spare.map((name) => `link del ${name}`),
      router.namespace,
    )
    for (const name of spare) there.delete(name)
    if (spare.length > 0) changed.add(router.namespace)
    standing.set(router.namespace, there)
  }
  for (const { router, peer } of pairsOf(plan)) {
    if (standing.get(router.namespace)!.has(peer.link)) continue
    await commands.ip(
      [`link add ${peer.link} type veth peer name ${peer.peerLink} netns ${peer.peerNamespace}`],
      router.namespace,
    )
    changed.add(router.namespace).add(peer.peerNamespace)
  }
  return changed
}
