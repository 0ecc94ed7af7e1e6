import type { Reconciler } from '@mallee/workflow'
import { listAgents } from '../store/agent-store.ts'
import { desiredIds, dropDesired, putDesired } from '../store/desired-store.ts'
import { nodesOfVpcs, peersOfVpcs } from '../store/network-reach.ts'
import type { Reader } from '../store/record.ts'
import type { AgentTable } from '../store/tables.ts'
import type { ReconcilerContext } from './reconciler-context.ts'
import { vpcItem } from './vpc-item.ts'
import { nodeAddress, noOtherNodes, type OtherNodes } from './vpc-remotes.ts'

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
        const wanted = new Set([...own, ...(await peersOfVpcs(tx.db, [...own]))])
        const addresses = nodeAddress(node) === null ? new Map<string, string>() : addressesOf(nodes, nodeId)
        for (const vpcId of wanted) {
          const body = await vpcItem(tx.db, ctx.settings.region, vpcId, {
            instances: instances.filter((instance) => instance.vpc_id === vpcId),
            natGateways: gateways.filter((gateway) => gateway.vpc_id === vpcId),
            others: await othersOf(tx.db, vpcId, addresses),
            alsoHere: wanted,
          })
          await putDesired(tx, ctx.wakes, { agentId: nodeId, kind: 'vpc', id: vpcId, body })
          // Walrus has to know of this node before its first records come.
          if (body.flowLogs) tx.afterCommit(() => ctx.wakes.flowLogs())
        }
        for (const vpcId of await desiredIds(tx.db, nodeId, 'vpc')) {
          if (!wanted.has(vpcId)) await dropDesired(tx, ctx.wakes, nodeId, 'vpc', vpcId)
        }
        return { settled: true }
      }),
  }
}

/** By which the nodes besides this one are reached. */
function addressesOf(nodes: readonly AgentTable[], nodeId: string): Map<string, string> {
  return new Map(
    nodes.flatMap((agent) => {
      const address = agent.state === 'forgotten' || agent.id === nodeId ? null : nodeAddress(agent)
      return address === null ? [] : [[agent.id, address] as const]
    }),
  )
}

/** Of these nodes, the ones that have or reach the VPC. */
async function othersOf(
  db: Reader,
  vpcId: string,
  addresses: ReadonlyMap<string, string>,
): Promise<OtherNodes> {
  if (addresses.size === 0) return noOtherNodes
  const ids = await nodesOfVpcs(db, [vpcId, ...(await peersOfVpcs(db, [vpcId]))])
  const of = new Map([...addresses].filter(([id]) => ids.has(id)))
  return { addresses: [...of.values()].toSorted(), of }
}
