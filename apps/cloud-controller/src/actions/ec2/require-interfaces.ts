import {
  invalidNetworkInterfaceIdMalformed,
  invalidNetworkInterfaceIdNotFound,
  operationNotPermitted,
} from '@mallee/ec2-api'
import type { Reader } from '../../store/record.ts'
import type { NetworkInterfaceTable } from '../../store/tables.ts'
import type { ActionContext } from '../define-action.ts'
import { requireIds } from '../required-ids.ts'

/** The caller's interface of this id. */
export async function requireInterface(
  ctx: ActionContext,
  db: Reader,
  id: string,
): Promise<NetworkInterfaceTable> {
  const rows = await db
    .selectFrom('network_interface')
    .selectAll()
    .where('id', '=', id)
    .where('account_id', '=', ctx.caller.accountId)
    .execute()
  const [entry] = requireIds([id], rows, {
    kind: 'networkInterface',
    idOf: (row) => row.id,
    malformed: invalidNetworkInterfaceIdMalformed,
    missing: invalidNetworkInterfaceIdNotFound,
  })
  return entry!
}

/** One that the caller made; what the cloud made for a service of its own is changed by that service alone. */
export async function requireOwnInterface(
  ctx: ActionContext,
  db: Reader,
  id: string,
): Promise<NetworkInterfaceTable> {
  const entry = await requireInterface(ctx, db, id)
  if (entry.requester_managed === 1)
    throw operationNotPermitted(
      `You are not allowed to manage '${entry.id}', which belongs to a NAT gateway.`,
    )
  return entry
}
