import { fatal } from '../../../node-error.ts'
import { bridgeMac, linkAlias } from './names.ts'
import type { ObservedLink } from './parse.ts'

/**
 * A link of somebody else's that is called like ours is left alone, whatever that costs us. Ours bear our word in their
 * alias; one that was cut off before it was dressed is known by what it was made with.
 */
export function refuseForeignBridge(link: ObservedLink | undefined, subnetTag: number): void {
  refuseUnless(link, link?.mac === bridgeMac(subnetTag))
}

export function refuseForeignTunnel(link: ObservedLink | undefined, nodeAddress: string): void {
  refuseUnless(link, link?.kind === 'vxlan' && link.local === nodeAddress)
}

/** An end of a pair whose other end is in a namespace of ours. */
export function refuseForeignPort(link: ObservedLink | undefined): void {
  refuseUnless(link, link?.kind === 'veth')
}

function refuseUnless(link: ObservedLink | undefined, isHalfMade: boolean): void {
  if (!link || link.alias === linkAlias || isHalfMade) return
  throw fatal('LinkTaken', `This machine has a link named ${link.name} that is not the cloud's: rename it.`)
}
