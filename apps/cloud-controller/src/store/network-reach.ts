import type { Wakes } from '../wakes.ts'
import type { Reader, Tx } from './record.ts'
import type { NetworkInterfaceTable } from './network-tables.ts'

/**
 * Whom a change of a VPC concerns: nodes that host an instance of it or carry one of its NAT gateways, and those of the
 * VPCs that it is peered with, or just was, which route to it.
 */
export async function wakeVpc(tx: Tx, wakes: Wakes, vpcId: string): Promise<void> {
  const peers = await peersOfVpcs(tx.db, [vpcId], ['active', 'deleted'])
  for (const nodeId of await nodesOfVpcs(tx.db, [vpcId, ...peers]))
    tx.afterCommit(() => wakes.network(nodeId))
}

/** The same, and its guests: they find of it in their metadata. */
export async function wakeVpcAndGuests(tx: Tx, wakes: Wakes, vpcId: string): Promise<void> {
  await wakeVpc(tx, wakes, vpcId)
  const guests = await tx.db
    .selectFrom('instance')
    .select('id')
    .where('vpc_id', '=', vpcId)
    .where('state', '!=', 'terminated')
    .execute()
  for (const { id } of guests) tx.afterCommit(() => wakes.instance(id))
}

/** Whom a change of an interface concerns: its packets feel it, and its guest finds it in its metadata. */
export async function wakeInterface(
  tx: Tx,
  wakes: Wakes,
  { vpc_id: vpcId, instance_id: instanceId }: Pick<NetworkInterfaceTable, 'vpc_id' | 'instance_id'>,
): Promise<void> {
  if (instanceId !== null) tx.afterCommit(() => wakes.instance(instanceId))
  await wakeVpc(tx, wakes, vpcId)
}

/** The VPCs at the other ends of these VPCs' peering connections; some of these may be among them. */
export async function peersOfVpcs(
  db: Reader,
  vpcIds: readonly string[],
  statuses: readonly ('active' | 'deleted')[] = ['active'],
): Promise<Set<string>> {
  if (vpcIds.length === 0) return new Set()
  const rows = await db
    .selectFrom('vpc_peering')
    .select(['requester_vpc_id', 'accepter_vpc_id'])
    .where((eb) => eb.or([eb('requester_vpc_id', 'in', vpcIds), eb('accepter_vpc_id', 'in', vpcIds)]))
    .where('status', 'in', statuses)
    .execute()
  const own = new Set(vpcIds)
  return new Set(
    rows.flatMap(({ requester_vpc_id: requester, accepter_vpc_id: accepter }) => [
      ...(own.has(requester) ? [accepter] : []),
      ...(own.has(accepter) ? [requester] : []),
    ]),
  )
}

/** The nodes that have anything of these VPCs. */
export async function nodesOfVpcs(db: Reader, vpcIds: readonly string[]): Promise<Set<string>> {
  const hosts = await db
    .selectFrom('instance')
    .select('node_id')
    .distinct()
    .where('vpc_id', 'in', vpcIds)
    .where('node_id', 'is not', null)
    .where('state', '!=', 'terminated')
    .execute()
  const carriers = await db
    .selectFrom('nat_gateway')
    .select('node_id')
    .where('vpc_id', 'in', vpcIds)
    .where('node_id', 'is not', null)
    .execute()
  return new Set([...hosts, ...carriers].flatMap((row) => row.node_id ?? []))
}
