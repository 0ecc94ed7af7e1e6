import type { Reconciler } from '@mallee/workflow'
import { listAgents } from '../store/agent-store.ts'
import { desiredIds, dropDesired, putDesired } from '../store/desired-store.ts'
import type { Reader } from '../store/record.ts'
import type { NatGatewayTable } from '../store/routing-tables.ts'
import type { ReconcilerContext } from './reconciler-context.ts'
import { vpcItem } from './vpc-item.ts'
import { nodeAddress, noOtherNodes, type OtherNodes } from './vpc-remotes.ts'
import { peeredWith } from './vpc-routing.ts'

/**
 * Gives each node the VPCs of its own instances and those they are peered with, and of each no more than those instances
 * can reach.
 */
export function networksReconciler(ctx: ReconcilerContext): Reconciler {
  return {
    name: 'networks',
    everyMs: 60_000,
    list: () => ctx.record.read(async (db) => (await listAgents(db, 'node')).map((agent) => agent.id)),
    reconcile: (nodeId) =>
      ctx.record.transaction('reconcile', async (tx) => {
        const nodes = await listAgents(tx.db, 'node')
        const node = nodes.find((agent) => agent.id === nodeId)
        if (!node || node.state === 'forgotten') return { settled: true }
        const instances = await tx.db
          .selectFrom('instance')
          .selectAll()
          .where('node_id', '=', nodeId)
          .where('state', '!=', 'terminated')
          .execute()
        const gateways = await tx.db
          .selectFrom('nat_gateway')
          .selectAll()
          .where('node_id', '=', nodeId)
          .where('state', 'in', ['pending', 'available'])
          .execute()
        const own = new Set([...instances, ...gateways].map((row) => row.vpc_id))
        const wanted = new Set([...own, ...(await peeredWith(tx.db, [...own]))])
        const addresses = new Map(
          nodes.flatMap((agent) => {
            const address = agent.state === 'forgotten' || agent.id === nodeId ? null : nodeAddress(agent)
            return address === null ? [] : [[agent.id, address] as const]
          }),
        )
        for (const vpcId of wanted) {
          const body = await vpcItem(tx.db, ctx.settings.region, vpcId, {
            nodeId,
            instances: instances.filter((instance) => instance.vpc_id === vpcId),
            natGateways: gateways.filter((gateway) => gateway.vpc_id === vpcId),
            others: await othersOf(tx.db, vpcId, nodeAddress(node) === null ? new Map() : addresses),
            alsoHere: wanted,
          })
          await putDesired(tx, ctx.wakes, { agentId: nodeId, kind: 'vpc', id: vpcId, body })
        }
        for (const vpcId of await desiredIds(tx.db, nodeId, 'vpc')) {
          if (!wanted.has(vpcId)) await dropDesired(tx, ctx.wakes, nodeId, 'vpc', vpcId)
        }
        return { settled: true }
      }),
  }
}

/** Of these nodes, the ones that have or reach the VPC. */
async function othersOf(
  db: Reader,
  vpcId: string,
  addresses: ReadonlyMap<string, string>,
): Promise<OtherNodes> {
  if (addresses.size === 0) return noOtherNodes
  const vpcIds = [vpcId, ...(await peeredWith(db, [vpcId]))]
  const hosts = await db
    .selectFrom('instance')
    .select('node_id')
    .distinct()
    .where('vpc_id', 'in', vpcIds)
    .where('state', '!=', 'terminated')
    .where('node_id', 'is not', null)
    .execute()
  const carriers: Pick<NatGatewayTable, 'node_id'>[] = await db
    .selectFrom('nat_gateway')
    .select('node_id')
    .where('vpc_id', 'in', vpcIds)
    .where('node_id', 'is not', null)
    .execute()
  const ids = new Set([...hosts, ...carriers].flatMap((row) => row.node_id ?? []))
  const of = new Map([...addresses].filter(([id]) => ids.has(id)))
  return { addresses: [...of.values()].toSorted(), of }
}
