import { refuse } from './flow-ruleset.ts'
import { chain } from './nft-text.ts'
import type { AclEntryPlan, AclPlan } from './plan-routing.ts'
import { countsRefusals } from './plan-flow-logs.ts'
import type { RouterPlan } from './plan.ts'

/**
 * Network ACLs as chains of the router, which everything passes that enters or leaves a subnet. They look at every packet
 * by itself, answers too (AWS VPC User Guide, "Network ACL basics"). What lets pass returns; the end of a chain drops.
 */
const aclChain = (acl: AclPlan, direction: 'in' | 'out') =>
  `${acl.networkAclId.replaceAll('-', '_')}_${direction}`

export function aclChains(router: RouterPlan): string[] {
  const acls = new Map(
    router.subnets.flatMap(({ acl }) => (acl === null ? [] : [[acl.networkAclId, acl] as const])),
  )
  const refusal = (direction: 'in' | 'out') => (countsRefusals(router) ? refuse(direction) : 'drop')
  return [...acls.values()].flatMap((acl) => [
    ...chain(aclChain(acl, 'in'), [
      ...acl.ingress.map((entry) => entryText(entry, 'ip saddr', refusal('in'))),
      refusal('in'),
    ]),
    ...chain(aclChain(acl, 'out'), [
      ...acl.egress.map((entry) => entryText(entry, 'ip daddr', refusal('out'))),
      refusal('out'),
    ]),
  ])
}

/** Jumps into the ACL of the subnet that a packet leaves, then into that of the one it enters. */
export function aclJumps(router: RouterPlan): string[] {
  const verdicts = (direction: 'in' | 'out') =>
    router.subnets.flatMap(({ acl, gatewayLink }) =>
      acl === null ? [] : [`"${gatewayLink}" : jump ${aclChain(acl, direction)}`],
    )
  const jump = (field: string, entries: readonly string[]) =>
    entries.length === 0 ? [] : [`${field} vmap { ${entries.join(', ')} }`]
  // What stays within a subnet is not asked, also where its sender was sent to the router for it.
  const within = router.subnets.flatMap(({ acl, cidr, gatewayLink: link }) =>
    acl === null
      ? []
      : [`iifname "${link}" oifname "${link}" ip saddr ${cidr} ct original ip daddr ${cidr} accept`],
  )
  return [...within, ...jump('iifname', verdicts('out')), ...jump('oifname', verdicts('in'))]
}

function entryText(entry: AclEntryPlan, remote: 'ip saddr' | 'ip daddr', refusal: string): string {
  const far = entry.cidr.endsWith('/0') ? [] : [`${remote} ${entry.cidr}`]
  return [...far, ...protocolText(entry), entry.allow ? 'return' : refusal].join(' ')
}

function protocolText({ protocol, first, last }: AclEntryPlan): string[] {
  if (protocol === null) return []
  if (first === null) return [`meta l4proto ${protocol}`]
  if (protocol === 1) return [`icmp type ${first}`, ...(last === null ? [] : [`icmp code ${last}`])]
  return [`${protocol === 6 ? 'tcp' : 'udp'} dport ${first}-${last ?? first}`]
}
