import { minuteMs } from '@mallee/base'
import type { PassResult, Reconciler } from '@mallee/workflow'
import { listAgents } from '../store/agent-store.ts'
import { isVisible, transitionNatGateway } from '../store/nat-gateway-store.ts'
import { deleteInterfaces } from '../store/network-store.ts'
import { wakeVpc } from '../store/network-reach.ts'
import type { Tx } from '../store/record.ts'
import { deleteTagsOf } from '../store/tag-store.ts'
import type { NatGatewayTable } from '../store/routing-tables.ts'
import type { ReconcilerContext } from './reconciler-context.ts'

/**
 * Leads a NAT gateway on: a node of its subnet's zone is to carry it; it is available when that node says that its network
 * stands (`recordVpc`). A node that is only silent keeps it; one that was declared lost does not.
 */
export function natGatewaysReconciler(ctx: ReconcilerContext): Reconciler {
  return {
    name: 'nat-gateways',
    everyMs: minuteMs,
    list: () =>
      ctx.record.read(async (db) =>
        (await db.selectFrom('nat_gateway').select('id').execute()).map((row) => row.id),
      ),
    reconcile: (id) =>
      ctx.record.transaction('reconcile', async (tx) => {
        const gateway = await tx.db
          .selectFrom('nat_gateway')
          .selectAll()
          .where('id', '=', id)
          .executeTakeFirst()
        if (!gateway) return { settled: true }
        switch (gateway.state) {
          case 'pending':
          case 'available':
            return place(ctx, tx, gateway)
          case 'deleting':
            return end(ctx, tx, gateway)
          case 'failed':
          case 'deleted':
            return forget(ctx, tx, gateway)
        }
      }),
  }
}

async function place(ctx: ReconcilerContext, tx: Tx, gateway: NatGatewayTable): Promise<PassResult> {
  const nodes = (await listAgents(tx.db, 'node')).filter((agent) => agent.state !== 'forgotten')
  if (gateway.node_id !== null && nodes.some((node) => node.id === gateway.node_id)) return { settled: true }
  const subnet = await tx.db
    .selectFrom('subnet')
    .select('availability_zone')
    .where('id', '=', gateway.subnet_id)
    .executeTakeFirstOrThrow()
  const carried = await tx.db
    .selectFrom('nat_gateway')
    .select((eb) => ['node_id', eb.fn.countAll<number>().as('count')])
    .where('state', 'in', ['pending', 'available'])
    .groupBy('node_id')
    .execute()
  const load = new Map(carried.map((row) => [row.node_id, Number(row.count)]))
  const able = nodes
    .filter(
      (node) =>
        node.availability_zone === subnet.availability_zone &&
        node.state === 'enabled' &&
        node.draining_since === null &&
        node.silent_since === null,
    )
    .toSorted((a, b) => (load.get(a.id) ?? 0) - (load.get(b.id) ?? 0) || (a.id < b.id ? -1 : 1))
  const [node] = able
  if (!node) return { settled: true } // the next scan looks again
  await tx.db.updateTable('nat_gateway').set({ node_id: node.id }).where('id', '=', gateway.id).execute()
  tx.afterCommit(() => ctx.wakes.network(node.id))
  await wakeVpc(tx, ctx.wakes, gateway.vpc_id)
  return { settled: true }
}

/** Its interface and addresses go with it; the elastic one stays its owner's. */
async function end(ctx: ReconcilerContext, tx: Tx, gateway: NatGatewayTable): Promise<PassResult> {
  await wakeVpc(tx, ctx.wakes, gateway.vpc_id)
  if (gateway.interface_id !== null) await deleteInterfaces(tx, [gateway.interface_id])
  await tx.db
    .updateTable('nat_gateway')
    .set({ interface_id: null, node_id: null })
    .where('id', '=', gateway.id)
    .execute()
  await transitionNatGateway(tx, gateway, 'gone', { nowMs: ctx.clock.now() })
  return { settled: true }
}

async function forget(ctx: ReconcilerContext, tx: Tx, gateway: NatGatewayTable): Promise<PassResult> {
  if (isVisible(gateway, ctx.clock.now())) return { settled: true }
  await deleteTagsOf(tx, gateway.id)
  await tx.db.deleteFrom('nat_gateway').where('id', '=', gateway.id).execute()
  return { settled: true }
}
