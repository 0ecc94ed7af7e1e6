/** Addresses and CIDR blocks of both families. An IPv4 address written in IPv6 (`::ffff:192.0.2.1`) is that IPv4 address. */
import { parseIpv4 } from '@mallee/base'

export interface IpAddress {
  readonly family: 4 | 6
  /** Sixteen bits each, two or eight of them. */
  readonly words: readonly number[]
}

export interface IpRange extends IpAddress {
  readonly prefixLength: number
}

export function readIpAddress(text: string): IpAddress | null {
  if (text.length > 45) return null
  const ipv4 = parseIpv4(text)
  if (ipv4 !== null) return { family: 4, words: wordsOfIpv4(ipv4) }
  const words = wordsOfIpv6(text)
  if (words === null) return null
  const mapped = words.slice(0, 5).every((word) => word === 0) && words[5] === 0xffff
  return mapped ? { family: 4, words: words.slice(6) } : { family: 6, words }
}

/** `ADDRESS` or `ADDRESS/LENGTH`; without a length it is that one address. */
export function readIpRange(text: string): IpRange | null {
  const slash = text.indexOf('/')
  const address = readIpAddress(slash < 0 ? text : text.slice(0, slash))
  if (address === null) return null
  const longest = address.family === 4 ? 32 : 128
  if (slash < 0) return { ...address, prefixLength: longest }
  const length = text.slice(slash + 1)
  if (!/^\d{1,3}$/.test(length)) return null
  const written = text.slice(0, slash).includes(':') ? 128 : 32
  const prefixLength = Number(length) - (written - longest)
  return prefixLength < 0 || prefixLength > longest ? null : { ...address, prefixLength }
}

export function rangeContains(range: IpRange, address: IpAddress): boolean {
  if (range.family !== address.family) return false
  let left = range.prefixLength
  for (let index = 0; left > 0; index += 1, left -= 16) {
    const ignored = left >= 16 ? 0 : 16 - left
    if (range.words[index]! >>> ignored !== address.words[index]! >>> ignored) return false
  }
  return true
}

function wordsOfIpv4(value: number): number[] {
  return [Math.floor(value / 65_536), value % 65_536]
}

function wordsOfIpv6(text: string): number[] | null {
  const halves = text.split('::')
  if (halves.length > 2) return null
  const read = halves.map((half, index) => readGroups(half, index === halves.length - 1))
  const [head, tail] = [read[0], read[1] ?? []]
  if (!head || !tail) return null
  if (halves.length === 1) return head.length === 8 ? head : null
  const missing = 8 - head.length - tail.length
  return missing < 1 ? null : [...head, ...Array.from({ length: missing }, () => 0), ...tail]
}

/** Groups of four hexadecimal digits; the last two may be written as an IPv4 address. */
function readGroups(text: string, isLast: boolean): number[] | null {
  if (text === '') return []
  const words: number[] = []
  const groups = text.split(':')
  for (const [index, group] of groups.entries()) {
    if (/^[0-9A-Fa-f]{1,4}$/.test(group)) words.push(Number.parseInt(group, 16))
    else {
      const ipv4 = isLast && index === groups.length - 1 ? parseIpv4(group) : null
      if (ipv4 === null) return null
      words.push(...wordsOfIpv4(ipv4))
    }
  }
  return words
}
