import { blocksOverlap, formatIpv4, parseCidr, type Random } from '@mallee/base'
import type { Reader, Tx } from './record.ts'
import { getSetting, setSetting } from './setting-store.ts'
import type { SubnetTable, VpcTable } from './network-tables.ts'
import { insertSubnet, insertVpc, openToInternet } from './vpc-store.ts'

/** The CIDR of every account's default VPC, as on AWS; a /20 of it for each zone. */
const defaultVpcCidr = '172.31.0.0/16'
const subnetSize = 2 ** 12
const subnetCount = 2 ** 4

interface Making {
  readonly random: Random
  readonly nowMs: number
}

/** A default VPC with its way to the internet and a subnet in every zone. */
export async function insertDefaultNetwork(
  tx: Tx,
  options: Making & { accountId: string; zones: readonly string[] },
): Promise<VpcTable> {
  const vpc = await insertVpc(tx, { ...options, cidr: defaultVpcCidr, isDefault: true })
  await openToInternet(tx, { ...options, vpc })
  for (const zone of options.zones) await insertDefaultSubnet(tx, { ...options, vpc, zone })
  return vpc
}

/** In the zone's own place of the VPC where that is free, else in the first that is; null where none is. */
export async function insertDefaultSubnet(
  tx: Tx,
  options: Making & {
    vpc: Pick<VpcTable, 'id' | 'account_id' | 'cidr'>
    zone: string
    zones: readonly string[]
  },
): Promise<SubnetTable | null> {
  const { vpc, zone, zones } = options
  const cidr = await freePlace(tx.db, vpc, zones.indexOf(zone))
  if (cidr === null) return null
  return insertSubnet(tx, { ...options, availabilityZone: zone, cidr, isDefault: true })
}

async function freePlace(
  db: Reader,
  vpc: Pick<VpcTable, 'id' | 'cidr'>,
  first: number,
): Promise<string | null> {
  const rows = await db.selectFrom('subnet').select('cidr').where('vpc_id', '=', vpc.id).execute()
  const taken = rows.map((row) => parseCidr(row.cidr)!)
  const { base } = parseCidr(vpc.cidr)!
  const order = [first, ...Array.from({ length: subnetCount }, (_none, index) => index)]
  for (const place of order.filter((index) => index < subnetCount)) {
    const block = { base: base + place * subnetSize, prefixLength: 20 }
    if (!taken.some((other) => blocksOverlap(block, other))) return `${formatIpv4(block.base)}/20`
  }
  return null
}

const openedZones = 'opened-zones'

/**
 * A zone that was added to the cloud gets its default subnet in every account that still has its default VPC; once, so
 * that one whom its owner deletes stays away.
 */
export async function openZones(tx: Tx, options: Making & { zones: readonly string[] }): Promise<void> {
  const opened = new Set(await zonesOpenedBefore(tx.db))
  const added = options.zones.filter((zone) => !opened.has(zone))
  if (added.length === 0) return
  const vpcs = await tx.db.selectFrom('vpc').selectAll().where('is_default', '=', 1).execute()
  for (const vpc of vpcs) for (const zone of added) await insertDefaultSubnet(tx, { ...options, vpc, zone })
  await setSetting(tx, openedZones, JSON.stringify([...opened, ...added]))
}

/** A record of before this was written down: those that somebody has a subnet in. */
async function zonesOpenedBefore(db: Reader): Promise<string[]> {
  const written = await getSetting(db, openedZones)
  if (written !== null) return JSON.parse(written) as string[]
  const rows = await db.selectFrom('subnet').select('availability_zone').distinct().execute()
  return rows.map((row) => row.availability_zone)
}
