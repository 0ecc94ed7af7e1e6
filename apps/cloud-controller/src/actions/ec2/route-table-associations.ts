import { isWellFormedId, newId } from '@mallee/base'
import {
  invalidAssociationIdNotFound,
  invalidParameterValue,
  missingParameter,
  resourceAlreadyAssociated,
} from '@mallee/ec2-api'
import { wakeVpc } from '../../store/network-reach.ts'
import type { Reader } from '../../store/record.ts'
import type { RouteTableAssociationTable } from '../../store/routing-tables.ts'
import { associated } from '../../views/route-table-view.ts'
import { defineEc2Action, type ActionContext } from '../define-action.ts'
import { requireOwned } from '../owned-networks.ts'

/** A subnet that is associated with no table goes by the VPC's main one. */

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssociateRouteTable.html */
export const associateRouteTable = defineEc2Action('AssociateRouteTable', {
  honours: ['RouteTableId', 'SubnetId'],
  run(ctx, input) {
    if (input.SubnetId === undefined) throw missingParameter('SubnetId')
    const subnetId = input.SubnetId
    return ctx.transaction(async (tx) => {
      const table = await requireOwned(ctx, tx.db, 'routeTable', input.RouteTableId)
      const subnet = await requireOwned(ctx, tx.db, 'subnet', subnetId)
      if (subnet.vpc_id !== table.vpc_id)
        throw invalidParameterValue(
          `Route table ${table.id} and subnet ${subnet.id} belong to different networks`,
        )
      const present = await tx.db
        .selectFrom('route_table_association')
        .select('id')
        .where('subnet_id', '=', subnet.id)
        .executeTakeFirst()
      if (present)
        throw resourceAlreadyAssociated(
          `the specified association for route table ${table.id} conflicts with an existing association`,
        )
      const row: RouteTableAssociationTable = {
        id: newId('routeTableAssociation', ctx.random),
        account_id: ctx.caller.accountId,
        vpc_id: table.vpc_id,
        route_table_id: table.id,
        subnet_id: subnet.id,
        is_main: 0,
      }
      await tx.db.insertInto('route_table_association').values(row).execute()
      tx.touch(table.id, subnet.id)
      await wakeVpc(tx, ctx.wakes, table.vpc_id)
      return { AssociationId: row.id, AssociationState: associated }
    })
  },
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DisassociateRouteTable.html */
export const disassociateRouteTable = defineEc2Action('DisassociateRouteTable', {
  honours: ['AssociationId'],
  run(ctx, input) {
    return ctx.transaction(async (tx) => {
      const row = await requireAssociation(ctx, tx.db, input.AssociationId)
      if (row.is_main === 1)
        throw invalidParameterValue(`cannot disassociate the main route table association ${row.id}`)
      await tx.db.deleteFrom('route_table_association').where('id', '=', row.id).execute()
      tx.touch(row.route_table_id, row.subnet_id!)
      await wakeVpc(tx, ctx.wakes, row.vpc_id)
      return {}
    })
  },
})

/** Of the main association too, which makes another table the main one. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReplaceRouteTableAssociation.html */
export const replaceRouteTableAssociation = defineEc2Action('ReplaceRouteTableAssociation', {
  honours: ['AssociationId', 'RouteTableId'],
  run(ctx, input) {
    return ctx.transaction(async (tx) => {
      const row = await requireAssociation(ctx, tx.db, input.AssociationId)
      const table = await requireOwned(ctx, tx.db, 'routeTable', input.RouteTableId)
      if (table.vpc_id !== row.vpc_id)
        throw invalidParameterValue(
          `Route table ${table.id} and association ${row.id} belong to different networks`,
        )
      const id = newId('routeTableAssociation', ctx.random)
      await tx.db
        .updateTable('route_table_association')
        .set({ id, route_table_id: table.id })
        .where('id', '=', row.id)
        .execute()
      tx.touch(table.id, row.route_table_id)
      await wakeVpc(tx, ctx.wakes, table.vpc_id)
      return { NewAssociationId: id, AssociationState: associated }
    })
  },
})

async function requireAssociation(
  ctx: ActionContext,
  db: Reader,
  id: string,
): Promise<RouteTableAssociationTable> {
  if (!isWellFormedId('routeTableAssociation', id)) throw invalidAssociationIdNotFound(id.slice(0, 200))
  const row = await db
    .selectFrom('route_table_association')
    .selectAll()
    .where('id', '=', id)
    .where('account_id', '=', ctx.caller.accountId)
    .executeTakeFirst()
  if (!row) throw invalidAssociationIdNotFound(id)
  return row
}
