import { MalleeError, blockSize, formatIpv4, parseCidr, type Ipv4Block } from '@mallee/base'
import { invalidIpAddressInUse } from '@mallee/ec2-api'
import { promisedAddresses } from './instance-import-store.ts'
import type { SubnetTable } from './network-tables.ts'
import type { Reader } from './record.ts'

/** Which addresses of a subnet, or of the pool of public ones, are still to be had. */

/** The first four addresses and the last of a subnet are AWS's own; ours are the gateway and the DNS server. */
const reservedAtStart = 4

/** Free addresses of a subnet; the unique key is what really claims them. */
export async function freeAddresses(db: Reader, subnet: SubnetTable, count: number): Promise<number[]> {
  const block = parseCidr(subnet.cidr)!
  const own = () => db.selectFrom('network_interface_address').where('subnet_id', '=', subnet.id)
  const highest = await own()
    .select((eb) => eb.fn.max('private_ip').as('address'))
    .executeTakeFirst()
  const promised = await promisedAddresses(db, subnet.id)
  const free = await takeFree(block, count, Math.max(highest?.address ?? 0, ...promised), async () => [
    ...(await own().select('private_ip').execute()).map((row) => row.private_ip),
    ...promised,
  ])
  if (free.length < count) {
    throw new MalleeError({
      code: 'InsufficientFreeAddressesInSubnet',
      publicMessage: `The specified subnet does not have enough free addresses to satisfy the request.`,
    })
  }
  return free
}

/** Refuses addresses of a subnet that somebody has, or was promised; the key of the claim is what really decides. */
export async function requireFree(db: Reader, subnetId: string, addresses: readonly number[]): Promise<void> {
  if (addresses.length === 0) return
  const taken = await db
    .selectFrom('network_interface_address')
    .select('private_ip')
    .where('subnet_id', '=', subnetId)
    .where('private_ip', 'in', addresses)
    .executeTakeFirst()
  if (taken) throw invalidIpAddressInUse(formatIpv4(taken.private_ip))
  const promised = (await promisedAddresses(db, subnetId)).find((address) => addresses.includes(address))
  if (promised !== undefined) throw invalidIpAddressInUse(formatIpv4(promised))
}

/**
 * Addresses behind the highest that is taken, which costs one look at an index; only when a block has been gone through
 * once, the lowest gaps. So most addresses rest before they are somebody else's. May be fewer than asked.
 */
async function takeFree(
  block: Ipv4Block,
  count: number,
  highest: number | null,
  readTaken: () => Promise<number[]>,
): Promise<number[]> {
  const first = block.base + reservedAtStart
  const last = block.base + blockSize(block) - 1
  const next = Math.max(first, (highest ?? 0) + 1)
  if (next + count <= last) return Array.from({ length: count }, (_none, index) => next + index)
  const taken = new Set(await readTaken())
  const free: number[] = []
  for (let address = first; address < last && free.length < count; address += 1)
    if (!taken.has(address)) free.push(address)
  return free
}

/** Whether an address may be given away at all: the first ones are the link between the machine and its node. */
export function isUsable(block: Ipv4Block, address: number): boolean {
  return address >= block.base + reservedAtStart && address < block.base + blockSize(block) - 1
}

/** Addresses of the pool that nobody has; fewer than asked where it is empty. */
export async function freePublicAddresses(db: Reader, pool: string, count: number): Promise<number[]> {
  const highest = await db
    .selectFrom('address')
    .select((eb) => eb.fn.max('public_ip').as('address'))
    .executeTakeFirst()
  return takeFree(parseCidr(pool)!, count, highest?.address ?? null, async () =>
    (await db.selectFrom('address').select('public_ip').execute()).map((row) => row.public_ip),
  )
}
