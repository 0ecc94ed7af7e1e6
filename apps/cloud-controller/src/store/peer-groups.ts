import type { Reader } from './record.ts'
import type { SecurityGroupRuleTable } from './tables.ts'
import type { VpcPeeringTable } from './routing-tables.ts'

/** What a rule's peer group in another VPC is by now. */
export interface PeerGroup {
  readonly vpcId: string
  /** Null once the group is gone. */
  readonly accountId: string | null
  readonly peeringId: string
  readonly status: VpcPeeringTable['status']
}

type Rule = Pick<
  SecurityGroupRuleTable,
  'id' | 'group_id' | 'peer_group_id' | 'peer_vpc_id' | 'peer_account_id' | 'peering_id'
>

/**
 * By rule id, for rules that name a group of another VPC. VPCs that were peered anew are reached by the new connection,
 * and a rule between them is good again.
 */
export async function readPeerGroups(
  db: Reader,
  rules: readonly Rule[],
): Promise<ReadonlyMap<string, PeerGroup>> {
  const far = rules.filter((rule) => rule.peer_vpc_id !== null)
  if (far.length === 0) return new Map()
  const named = await db
    .selectFrom('security_group')
    .select(['id', 'vpc_id'])
    .where('id', 'in', [...new Set(far.flatMap((rule) => [rule.group_id, rule.peer_group_id!]))])
    .execute()
  const vpcOf = new Map(named.map((group) => [group.id, group.vpc_id]))
  const peerings = await peeringsBetween(db, far)
  return new Map(
    far.map((rule) => {
      const own = vpcOf.get(rule.group_id)!
      const active = peerings.find((row) => row.status === 'active' && joins(row, own, rule.peer_vpc_id!))
      const former = peerings.find((row) => row.id === rule.peering_id)
      const peer: PeerGroup = {
        vpcId: rule.peer_vpc_id!,
        accountId: vpcOf.has(rule.peer_group_id!) ? rule.peer_account_id : null,
        peeringId: active?.id ?? rule.peering_id!,
        status: active?.status ?? former?.status ?? 'deleted',
      }
      return [rule.id, peer]
    }),
  )
}

function peeringsBetween(db: Reader, far: readonly Rule[]): Promise<VpcPeeringTable[]> {
  const vpcIds = [...new Set(far.map((rule) => rule.peer_vpc_id!))]
  return db
    .selectFrom('vpc_peering')
    .selectAll()
    .where((eb) => eb.or([eb('requester_vpc_id', 'in', vpcIds), eb('accepter_vpc_id', 'in', vpcIds)]))
    .execute()
}

function joins(row: VpcPeeringTable, one: string, other: string): boolean {
  const sides = [row.requester_vpc_id, row.accepter_vpc_id]
  return sides.includes(one) && sides.includes(other)
}

/** A rule does nothing any more once its group in another VPC is gone or the peering is over. */
export function isStale(peer: PeerGroup): boolean {
  return peer.accountId === null || peer.status !== 'active'
}

/** The connection by which two VPCs reach each other now. */
export async function activePeering(
  db: Reader,
  one: string,
  other: string,
): Promise<VpcPeeringTable | undefined> {
  const rows = await db
    .selectFrom('vpc_peering')
    .selectAll()
    .where('status', '=', 'active')
    .where((eb) => eb.or([eb('requester_vpc_id', '=', one), eb('accepter_vpc_id', '=', one)]))
    .execute()
  return rows.find((row) => joins(row, one, other))
}

/** The VPCs on the other side of active peerings whose groups' rules name these groups. */
export async function peersNaming(
  db: Reader,
  groupIds: readonly string[],
): Promise<{ groupId: string; vpcId: string; peeringId: string }[]> {
  if (groupIds.length === 0) return []
  const rows = await db
    .selectFrom('security_group_rule as rule')
    .innerJoin('security_group as own', 'own.id', 'rule.group_id')
    .innerJoin('security_group as peer', 'peer.id', 'rule.peer_group_id')
    .select(['peer.id as peer_id', 'peer.vpc_id as peer_vpc_id', 'own.vpc_id'])
    .distinct()
    .where('rule.peer_group_id', 'in', groupIds)
    .where('rule.peer_vpc_id', 'is not', null)
    .execute()
  const found: { groupId: string; vpcId: string; peeringId: string }[] = []
  for (const row of rows) {
    const peering = await activePeering(db, row.vpc_id, row.peer_vpc_id)
    if (peering) found.push({ groupId: row.peer_id, vpcId: row.vpc_id, peeringId: peering.id })
  }
  return found
}
