/**
 * IPv4 addresses and CIDR blocks as numbers. Pure; texts that are no address give `null`, so that a door can answer
 * with its own error code.
 */
export interface Ipv4Block {
  /** The first address of the block, as an unsigned 32-bit number. */
  readonly base: number
  readonly prefixLength: number
}

export function parseIpv4(text: string): number | null {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)
  if (!match) return null
  let value = 0
  for (const part of match.slice(1)) {
    if (Number(part) > 255 || (part.length > 1 && part.startsWith('0'))) return null
    value = value * 256 + Number(part)
  }
  return value
}

export function formatIpv4(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.')
}

/** Parses `a.b.c.d/n`; host bits are cleared, as EC2 does for rules (`10.1.2.3/8` is kept as `10.0.0.0/8`). */
export function parseCidr(text: string): Ipv4Block | null {
  const [address, length, ...rest] = text.split('/')
  if (address === undefined || length === undefined || rest.length > 0 || !/^\d{1,2}$/.test(length))
    return null
  const prefixLength = Number(length)
  const value = parseIpv4(address)
  if (value === null || prefixLength > 32) return null
  const size = 2 ** (32 - prefixLength)
  return { base: Math.floor(value / size) * size, prefixLength }
}

export function formatCidr(block: Ipv4Block): string {
  return `${formatIpv4(block.base)}/${block.prefixLength}`
}

export function blockSize(block: Ipv4Block): number {
  return 2 ** (32 - block.prefixLength)
}

export function blockContains(block: Ipv4Block, address: number): boolean {
  return address >= block.base && address < block.base + blockSize(block)
}

export function blocksOverlap(one: Ipv4Block, other: Ipv4Block): boolean {
  return blockContains(one, other.base) || blockContains(other, one.base)
}

/** Whether the whole of one is in another. */
export function blockWithin(outer: Ipv4Block, inner: Ipv4Block): boolean {
  return inner.prefixLength >= outer.prefixLength && blockContains(outer, inner.base)
}
