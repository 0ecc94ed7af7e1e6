import { blockContains, formatIpv4, MalleeError, parseCidr, parseIpv4 } from '@mallee/base'
import { invalidAddressMalformed, invalidIpAddressInUse, invalidParameterValue } from '@mallee/ec2-api'
import { freeAddresses, isUsable } from '../store/network-store.ts'
import type { Reader } from '../store/record.ts'
import type { SubnetTable } from '../store/network-tables.ts'

/** The private address that was asked for, or a free one of the subnet; null where it has none left. */
export async function choosePrivateIp(
  db: Reader,
  subnet: SubnetTable,
  wished: string | undefined,
): Promise<number | null> {
  if (wished !== undefined) return requireFree(db, subnet, wished)
  try {
    const [address] = await freeAddresses(db, subnet, 1)
    return address!
  } catch (error) {
    if (error instanceof MalleeError && error.code === 'InsufficientFreeAddressesInSubnet') return null
    throw error
  }
}

/** An address of the subnet that nobody has and that is none of those which every subnet keeps. */
export async function requireFree(db: Reader, subnet: SubnetTable, text: string): Promise<number> {
  const address = parseIpv4(text)
  if (address === null) throw invalidAddressMalformed(text)
  const block = parseCidr(subnet.cidr)!
  if (!blockContains(block, address))
    throw invalidParameterValue("Address does not fall within the subnet's address range")
  if (!isUsable(block, address)) throw invalidParameterValue("Address is in subnet's reserved address range")
  const taken = await db
    .selectFrom('network_interface_address')
    .select('interface_id')
    .where('subnet_id', '=', subnet.id)
    .where('private_ip', '=', address)
    .executeTakeFirst()
  if (taken) throw invalidIpAddressInUse(formatIpv4(address))
  return address
}
