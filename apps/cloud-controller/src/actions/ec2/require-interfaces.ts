import { invalidInstanceId, operationNotPermitted } from '@mallee/ec2-api'
import { interfacesOfInstance } from '../../store/interface-store.ts'
import type { Reader } from '../../store/record.ts'
import type { NetworkInterfaceTable } from '../../store/tables.ts'
import type { ActionContext } from '../define-action.ts'
import { requireOwned } from '../owned-networks.ts'

/** One that the caller made; what the cloud made for a service of its own is changed by that service alone. */
export async function requireOwnInterface(
  ctx: ActionContext,
  db: Reader,
  id: string,
): Promise<NetworkInterfaceTable> {
  const entry = await requireOwned(ctx, db, 'networkInterface', id)
  if (entry.requester_managed === 1)
    throw operationNotPermitted(
      `You are not allowed to manage '${entry.id}', which belongs to a NAT gateway.`,
    )
  return entry
}

/** What is asked of an instance where it means its interface: more than one, and it must be named. */
export async function onlyInterfaceOf(db: Reader, instanceId: string): Promise<NetworkInterfaceTable> {
  const entries = await interfacesOfInstance(db, instanceId)
  if (entries.length === 1) return entries[0]!
  throw invalidInstanceId(
    entries.length === 0
      ? `The instance '${instanceId}' has no network interface.`
      : `There are multiple interfaces attached to instance '${instanceId}'. Please specify an interface ID for the operation instead.`,
  )
}
