import { formatIpv4, isWellFormedId, parseIpv4 } from '@mallee/base'
import {
  gatewayNotAttached,
  incorrectInstanceState,
  invalidAssociationIdNotFound,
  invalidInstanceId,
  invalidParameterCombination,
  invalidParameterValue,
  managedByService,
  missingParameter,
  resourceAlreadyAssociated,
  type Ec2Input,
} from '@mallee/ec2-api'
import { placeAddress, takeAddressOff } from '../../store/address-store.ts'
import { wakeInterface } from '../../store/network-reach.ts'
import type { Reader } from '../../store/record.ts'
import type { AddressTable, InstanceTable, NetworkInterfaceTable } from '../../store/tables.ts'
import { defineEc2Action, type ActionContext, type ActionTransaction } from '../define-action.ts'
import { requireOwned } from '../owned-networks.ts'
import { requireInstances } from '../require-instances.ts'
import { isManaged, requireAddress, requirePublicIp } from './allocate-address.ts'
import { onlyInterfaceOf } from './require-interfaces.ts'

type Input = Ec2Input<'AssociateAddress'>

/**
 * An address has one owner whatever runs at once: it moves within one transaction, and unique keys of its table hold it.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssociateAddress.html
 */
export const associateAddress = defineEc2Action('AssociateAddress', {
  honours: [
    ...(['AllocationId', 'PublicIp', 'InstanceId', 'NetworkInterfaceId'] as const),
    ...(['PrivateIpAddress', 'AllowReassociation'] as const),
  ],
  run(ctx, input) {
    const mayMove = input.AllowReassociation ?? true
    return ctx.transaction(async (tx) => {
      const entry = await requireTarget(ctx, tx.db, input)
      const address = await requireAddress(ctx, tx.db, input)
      const privateIp = await privateIpOf(tx.db, entry, input.PrivateIpAddress)
      if (address.interface_id === entry.id && address.private_ip === privateIp)
        return { AssociationId: address.association_id! }
      if (address.interface_id !== null && !mayMove)
        throw resourceAlreadyAssociated(
          `resource ${address.allocation_id} is already associated with associate-id ${address.association_id}`,
        )
      if (await isManaged(tx.db, address)) throw managedByService()
      await requireGateway(tx.db, entry.vpc_id)
      await wakeFormer(ctx, tx, address)
      const associationId = await placeAddress(tx, address, { entry, privateIp, random: ctx.random })
      tx.touch(address.allocation_id!, entry.id)
      await wakeInterface(tx, ctx.wakes, entry)
      return { AssociationId: associationId }
    })
  },
})

/**
 * Whether or not it was associated; only an association that is named must be there. No other address is lent instead.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DisassociateAddress.html
 */
export const disassociateAddress = defineEc2Action('DisassociateAddress', {
  honours: ['AssociationId', 'PublicIp'],
  run(ctx, input) {
    const { AssociationId: id, PublicIp: text } = input
    if (id === undefined && text === undefined) throw missingParameter('PublicIp or AssociationId')
    if (id !== undefined && text !== undefined)
      throw invalidParameterCombination(
        'You may specify public IP or association id, but not both in the same call',
      )
    return ctx.transaction(async (tx) => {
      const address =
        id === undefined ? await requirePublicIp(ctx, tx.db, text!) : await requireAssociation(ctx, tx.db, id)
      if (address.interface_id === null) return {}
      if (await isManaged(tx.db, address)) throw managedByService()
      await wakeFormer(ctx, tx, address)
      await takeAddressOff(tx, address)
      tx.touch(address.allocation_id!, address.interface_id)
      return {}
    })
  },
})

async function requireAssociation(ctx: ActionContext, db: Reader, id: string): Promise<AddressTable> {
  if (!isWellFormedId('association', id)) throw invalidAssociationIdNotFound(id)
  const row = await db
    .selectFrom('address')
    .selectAll()
    .where('association_id', '=', id)
    .where('account_id', '=', ctx.caller.accountId)
    .where('allocation_id', 'is not', null)
    .executeTakeFirst()
  if (!row) throw invalidAssociationIdNotFound(id)
  return row
}

async function requireTarget(
  ctx: ActionContext,
  db: Reader,
  { InstanceId: instanceId, NetworkInterfaceId: interfaceId }: Input,
): Promise<NetworkInterfaceTable> {
  if (instanceId !== undefined && interfaceId !== undefined)
    throw invalidParameterCombination(
      'You may specify an instance or a network interface, but not both in the same call',
    )
  if (interfaceId !== undefined) {
    const entry = await requireOwned(ctx, db, 'networkInterface', interfaceId)
    if (entry.requester_managed === 1) throw managedByService()
    if (entry.instance_id !== null) {
      const [instance] = await requireInstances(ctx, db, [entry.instance_id])
      if (!takesAddress(instance!)) throw incorrectInstanceState(notValid(instance!))
    }
    return entry
  }
  if (instanceId === undefined) throw missingParameter('InstanceId or NetworkInterfaceId')
  const [instance] = await requireInstances(ctx, db, [instanceId])
  if (!takesAddress(instance!)) throw invalidInstanceId(notValid(instance!))
  return onlyInterfaceOf(db, instanceId)
}

function takesAddress({ state }: InstanceTable): boolean {
  return state === 'running' || state === 'stopping' || state === 'stopped'
}

function notValid(instance: InstanceTable): string {
  return `The ${instance.state} instance '${instance.id}' is not in a valid state for this operation.`
}

async function privateIpOf(
  db: Reader,
  entry: NetworkInterfaceTable,
  given: string | undefined,
): Promise<number> {
  if (given === undefined) return entry.private_ip
  const address = parseIpv4(given)
  const own = await db
    .selectFrom('network_interface_address')
    .select('private_ip')
    .where('interface_id', '=', entry.id)
    .where('private_ip', '=', address ?? -1)
    .executeTakeFirst()
  if (own) return own.private_ip
  throw invalidParameterValue(
    `Invalid value '${address === null ? given.slice(0, 60) : formatIpv4(address)}' for privateIpAddress. It is not assigned to interface ${entry.id}.`,
  )
}

async function requireGateway(db: Reader, vpcId: string): Promise<void> {
  const gateway = await db
    .selectFrom('internet_gateway')
    .select('id')
    .where('vpc_id', '=', vpcId)
    .executeTakeFirst()
  if (!gateway) throw gatewayNotAttached(`Network ${vpcId} is not attached to any internet gateway`)
}

/** The machines that the address leaves feel it too. */
async function wakeFormer(
  ctx: ActionContext,
  tx: ActionTransaction,
  address: Pick<AddressTable, 'interface_id'>,
): Promise<void> {
  if (address.interface_id === null) return
  const former = await tx.db
    .selectFrom('network_interface')
    .select(['vpc_id', 'instance_id'])
    .where('id', '=', address.interface_id)
    .executeTakeFirst()
  if (former) await wakeInterface(tx, ctx.wakes, former)
}
