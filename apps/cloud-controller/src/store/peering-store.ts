import { blocksOverlap, dayMs, hourMs } from '@mallee/base'
import type { Reader } from './record.ts'
import type { VpcPeeringTable } from './routing-tables.ts'
import { vpcBlocks } from './vpc-cidr-store.ts'

/** How long a request waits for its answer. */
export const peeringExpiryMs = 7 * dayMs

/** A request that nobody answered in time has expired, whether or not anything has written that down. */
export function peeringStatus(row: VpcPeeringTable, nowMs: number): VpcPeeringTable['status'] {
  const isLate = row.status === 'pending-acceptance' && row.expires_at !== null && row.expires_at <= nowMs
  return isLate ? 'expired' : row.status
}

/** Peerings that are over stay visible for a while, longer to who did not end them (VPC Peering Guide, "lifecycle"). */
export function isPeeringVisible(row: VpcPeeringTable, nowMs: number, accountId: string | null): boolean {
  const status = peeringStatus(row, nowMs)
  if (status === 'active' || status === 'pending-acceptance') return true
  const endedAt = row.ended_at ?? row.expires_at ?? row.created_at
  const isRequester = accountId === null || accountId === row.account_id
  if (status === 'failed') return isRequester && nowMs < endedAt + 2 * hourMs
  const long = status === 'expired' || (status === 'rejected' && isRequester)
  return nowMs < endedAt + (long ? 2 * dayMs : 2 * hourMs)
}

/** Those of a VPC that stand or may come to stand. */
export async function openPeeringsOf(db: Reader, vpcId: string, nowMs: number): Promise<VpcPeeringTable[]> {
  const rows = await db
    .selectFrom('vpc_peering')
    .selectAll()
    .where((eb) => eb.or([eb('requester_vpc_id', '=', vpcId), eb('accepter_vpc_id', '=', vpcId)]))
    .where('status', 'in', ['active', 'pending-acceptance'])
    .execute()
  return rows.filter((row) => peeringStatus(row, nowMs) === row.status)
}

export async function vpcsOverlap(db: Reader, one: string, other: string): Promise<boolean> {
  const [left, right] = [await vpcBlocks(db, one), await vpcBlocks(db, other)]
  return left.some((block) => right.some((peer) => blocksOverlap(block, peer)))
}
