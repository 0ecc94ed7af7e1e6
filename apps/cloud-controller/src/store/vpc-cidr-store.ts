import { parseCidr, type Ipv4Block } from '@mallee/base'
import type { Reader } from './record.ts'
import type { VpcCidrTable } from './network-tables.ts'

/** The address blocks of these VPCs, the first one of each first. */
export async function readVpcCidrs(
  db: Reader,
  vpcIds: readonly string[],
): Promise<Map<string, VpcCidrTable[]>> {
  const rows: VpcCidrTable[] = []
  for (let start = 0; start < vpcIds.length; start += 500)
    rows.push(
      ...(await db
        .selectFrom('vpc_cidr')
        .selectAll()
        .where('vpc_id', 'in', vpcIds.slice(start, start + 500))
        .orderBy('is_primary', 'desc')
        .orderBy('created_at')
        .orderBy('id')
        .execute()),
    )
  return Map.groupBy(rows, (row) => row.vpc_id)
}

export async function vpcBlocks(db: Reader, vpcId: string): Promise<Ipv4Block[]> {
  const rows = (await readVpcCidrs(db, [vpcId])).get(vpcId) ?? []
  return rows.map((row) => parseCidr(row.cidr)!)
}
