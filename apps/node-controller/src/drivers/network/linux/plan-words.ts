import { formatCidr, parseCidr, parseIpv4 } from '@mallee/base'
import { fatal } from '../../../node-error.ts'

/** Ids become parts of names in rule sets and paths. */
export function word(id: string): string {
  if (!/^[a-z][a-z0-9-]{1,63}$/.test(id)) throw bad(`${JSON.stringify(id)} is no id`)
  return id
}

export function bad(reason: string) {
  return fatal('BadNetwork', `The network cannot be made: ${reason}.`)
}

/** A block in its shortest writing. */
export function planBlock(cidr: string): string {
  const block = parseCidr(cidr)
  if (!block) throw bad(`${JSON.stringify(cidr.slice(0, 60))} is no address block`)
  return formatCidr(block)
}

export function planAddress(address: string): string {
  if (parseIpv4(address) === null) throw bad(`${JSON.stringify(address.slice(0, 60))} is no address`)
  return address
}

export function planMac(mac: string): string {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac)) throw bad(`${JSON.stringify(mac.slice(0, 60))} is no MAC`)
  return mac
}

/** RFC 1035, section 2.3.4: labels of 63 at most. */
export function isDomainName(text: string): boolean {
  return text.length <= 253 && /^[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})*$/.test(text)
}

/** A name that may stand in a hosts file. */
export function planName(name: string): string {
  if (!/^[a-z0-9.-]{1,253}$/.test(name)) throw bad(`${JSON.stringify(name.slice(0, 60))} is no host name`)
  return name
}
