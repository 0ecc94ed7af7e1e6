import { formatIpv4 } from '@mallee/base'
import type { NodeFingerprint, VpcItem } from '@mallee/agent-contract'
import type { Reader } from '../store/record.ts'
import type { AgentTable, VpcTable } from '../store/tables.ts'
import { privateDnsName, publicDnsName } from '../views/instance-view.ts'

/** Nodes besides the one that is told: their addresses, and of each node the one it has. */
export interface OtherNodes {
  readonly addresses: readonly string[]
  readonly of: ReadonlyMap<string, string>
}

export const noOtherNodes: OtherNodes = { addresses: [], of: new Map() }

/** The address of a node on its uplink, by which others reach it; null while it has said none. */
export function nodeAddress(agent: Pick<AgentTable, 'fingerprint'>): string | null {
  return agent.fingerprint === null
    ? null
    : ((JSON.parse(agent.fingerprint) as NodeFingerprint).address ?? null)
}

/** Left out where there is none. */
export function publicNameOf(...of: Parameters<typeof publicDnsName>): { publicName?: string } {
  const publicName = publicDnsName(...of)
  return publicName === '' ? {} : { publicName }
}

/** The interfaces of a VPC that other nodes have: of instances, and of NAT gateways. */
export async function readRemotes(
  db: Reader,
  region: string,
  vpc: VpcTable,
  others: OtherNodes,
): Promise<NonNullable<VpcItem['remotes']>> {
  const nodeIds = [...others.of.keys()]
  if (nodeIds.length === 0) return []
  const ofInstances = await db
    .selectFrom('network_interface as ni')
    .innerJoin('instance', 'instance.id', 'ni.instance_id')
    .innerJoin('network_interface_address as own', 'own.interface_id', 'ni.id')
    .leftJoin('address', (join) =>
      join.onRef('address.interface_id', '=', 'ni.id').onRef('address.private_ip', '=', 'ni.private_ip'),
    )
    .select(['ni.id', 'ni.subnet_id', 'ni.mac', 'ni.private_ip', 'own.private_ip as address'])
    .select(['instance.node_id', 'address.public_ip'])
    .where('ni.vpc_id', '=', vpc.id)
    .where('instance.node_id', 'in', nodeIds)
    .where('instance.state', '!=', 'terminated')
    .orderBy('ni.id')
    .orderBy('own.is_primary', 'desc')
    .orderBy('own.private_ip')
    .execute()
  const ofGateways = await db
    .selectFrom('nat_gateway')
    .innerJoin('network_interface as ni', 'ni.id', 'nat_gateway.interface_id')
    .select(['ni.id', 'ni.subnet_id', 'ni.mac', 'ni.private_ip', 'nat_gateway.node_id'])
    .where('nat_gateway.vpc_id', '=', vpc.id)
    .where('nat_gateway.node_id', 'in', nodeIds)
    .orderBy('ni.id')
    .execute()
  return [
    ...[...Map.groupBy(ofInstances, (row) => row.id).values()].map((rows) => {
      const [row] = rows as [(typeof rows)[number]]
      return {
        interfaceId: row.id,
        subnetId: row.subnet_id,
        mac: row.mac,
        addresses: rows.map(({ address }) => formatIpv4(address)),
        node: others.of.get(row.node_id!)!,
        hostname: privateDnsName(region, row.private_ip),
        ...publicNameOf(region, vpc, row.public_ip),
      }
    }),
    ...ofGateways.map((row) => ({
      interfaceId: row.id,
      subnetId: row.subnet_id,
      mac: row.mac,
      addresses: [formatIpv4(row.private_ip)],
      node: others.of.get(row.node_id!)!,
    })),
  ]
}
