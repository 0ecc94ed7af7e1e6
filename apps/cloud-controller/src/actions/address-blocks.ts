import { blockContains, blocksOverlap, formatCidr, parseCidr, type Ipv4Block } from '@mallee/base'
import { invalidParameterValue, invalidVpcRange } from '@mallee/ec2-api'

/** Blocks as EC2 takes them: host bits are cleared, anything else that is no block is refused. */
export function requireBlock(text: string, parameter: string): Ipv4Block {
  const block = parseCidr(text)
  if (block) return block
  throw invalidParameterValue(
    `Value (${text.slice(0, 60)}) for parameter ${parameter} is invalid. This is not a valid CIDR block.`,
  )
}

const block = (text: string) => parseCidr(text)!
const [ten, oneSevenTwo, oneNineTwo] = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'].map(block) as [
  Ipv4Block,
  Ipv4Block,
  Ipv4Block,
]
/** No host has an address of these. */
const neverOfHosts = ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3'].map(block)

/** A block that a VPC may have: /16 to /28, of addresses that hosts can have. */
export function requireVpcBlock(text: string): Ipv4Block {
  const wanted = requireBlock(text, 'cidrBlock')
  const { prefixLength } = wanted
  if (prefixLength < 16 || prefixLength > 28 || neverOfHosts.some((other) => blocksOverlap(other, wanted)))
    throw invalidVpcRange(formatCidr(wanted))
  return wanted
}

/**
 * What of the addresses that a VPC has forbids others (VPC User Guide, "IPv4 CIDR block association restrictions").
 * In both directions: what may not be beside the new one forbids it.
 */
const restrictions: readonly { readonly has: Ipv4Block; readonly forbids: readonly Ipv4Block[] }[] = [
  { has: ten, forbids: [oneSevenTwo, oneNineTwo, block('198.19.0.0/16')] },
  { has: block('10.0.0.0/15'), forbids: [block('10.0.0.0/16')] },
  { has: oneSevenTwo, forbids: [ten, oneNineTwo, block('172.31.0.0/16'), block('198.19.0.0/16')] },
  { has: oneNineTwo, forbids: [ten, oneSevenTwo, block('198.19.0.0/16')] },
  { has: block('198.19.0.0/16'), forbids: [ten, oneSevenTwo, oneNineTwo] },
]

/** Whether AWS lets a VPC with these blocks have this one too; overlaps are another matter. */
export function mayStandBeside(present: readonly Ipv4Block[], wanted: Ipv4Block): boolean {
  const isPrivate = [ten, oneSevenTwo, oneNineTwo].some((range) => blockContains(range, wanted.base))
  return present.every((own) => {
    const rules = restrictions.filter(({ has }) => blockContains(has, own.base))
    // What is no private network takes none beside it.
    if (rules.length === 0) return !isPrivate && !blocksOverlap(block('198.19.0.0/16'), wanted)
    return !rules.some(({ forbids }) => forbids.some((other) => blocksOverlap(other, wanted)))
  })
}
