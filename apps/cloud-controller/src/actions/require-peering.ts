import { isWellFormedId } from '@mallee/base'
import {
  invalidVpcPeeringConnectionIdMalformed,
  invalidVpcPeeringConnectionIdNotFound,
} from '@mallee/ec2-api'
import type { Reader } from '../store/record.ts'
import type { VpcPeeringTable } from '../store/routing-tables.ts'
import type { ActionContext } from './define-action.ts'

/** A peering connection that the caller is a side of; it has two owners. */
export async function requirePeering(ctx: ActionContext, db: Reader, id: string): Promise<VpcPeeringTable> {
  if (!isWellFormedId('vpcPeeringConnection', id)) throw invalidVpcPeeringConnectionIdMalformed(id)
  const { accountId } = ctx.caller
  const row = await db
    .selectFrom('vpc_peering')
    .selectAll()
    .where('id', '=', id)
    .where((eb) => eb.or([eb('account_id', '=', accountId), eb('accepter_account_id', '=', accountId)]))
    .executeTakeFirst()
  if (!row) throw invalidVpcPeeringConnectionIdNotFound([id])
  return row
}
