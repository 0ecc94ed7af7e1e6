import { parseCidr, type Ipv4Block } from '@mallee/base'
import { readInSlices } from './read-in-slices.ts'
import type { Reader } from './record.ts'
import type { VpcCidrTable } from './network-tables.ts'

/** The address blocks of these VPCs, the first one of each first. */
export async function readVpcCidrs(
  db: Reader,
  vpcIds: readonly string[],
): Promise<Map<string, VpcCidrTable[]>> {
  const rows = await readInSlices(vpcIds, (slice) =>
    db
      .selectFrom('vpc_cidr')
      .selectAll()
      .where('vpc_id', 'in', slice)
      .orderBy('is_primary', 'desc')
      .orderBy('created_at')
      .orderBy('id')
      .execute(),
  )
  return Map.groupBy(rows, (row) => row.vpc_id)
}

export async function vpcBlocks(db: Reader, vpcId: string): Promise<Ipv4Block[]> {
  const rows = (await readVpcCidrs(db, [vpcId])).get(vpcId) ?? []
  return rows.map((row) => parseCidr(row.cidr)!)
}
