import type { Wakes } from '../wakes.ts'
import type { Reader, Tx } from './record.ts'

/**
 * Whom a change of a VPC concerns: nodes that host an instance of it or carry one of its NAT gateways, and those of the
 * VPCs that it is peered with, which route to it.
 */
export async function wakeVpc(tx: Tx, wakes: Wakes, vpcId: string): Promise<void> {
  for (const nodeId of await nodesOfVpcs(tx.db, [vpcId, ...(await peersOfVpc(tx.db, vpcId))]))
    tx.afterCommit(() => wakes.network(nodeId))
}

/** The VPCs at the other ends of its peering connections; also of those that just ended, unless only active ones are asked for. */
export async function peersOfVpc(
  db: Reader,
  vpcId: string,
  statuses: readonly ('active' | 'deleted')[] = ['active', 'deleted'],
): Promise<string[]> {
  const rows = await db
    .selectFrom('vpc_peering')
    .select(['requester_vpc_id', 'accepter_vpc_id'])
    .where((eb) => eb.or([eb('requester_vpc_id', '=', vpcId), eb('accepter_vpc_id', '=', vpcId)]))
    .where('status', 'in', statuses)
    .execute()
  return rows.map((row) => (row.requester_vpc_id === vpcId ? row.accepter_vpc_id : row.requester_vpc_id))
}

async function nodesOfVpcs(db: Reader, vpcIds: readonly string[]): Promise<string[]> {
  const hosts = await db
    .selectFrom('instance')
    .innerJoin('network_interface', 'network_interface.instance_id', 'instance.id')
    .select('instance.node_id')
    .distinct()
    .where('network_interface.vpc_id', 'in', vpcIds)
    .where('instance.node_id', 'is not', null)
    .where('instance.state', '!=', 'terminated')
    .execute()
  const carriers = await db
    .selectFrom('nat_gateway')
    .select('node_id')
    .where('vpc_id', 'in', vpcIds)
    .where('node_id', 'is not', null)
    .execute()
  return [...new Set([...hosts, ...carriers].flatMap((row) => row.node_id ?? []))]
}
