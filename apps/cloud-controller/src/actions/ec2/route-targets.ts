import { isWellFormedId } from '@mallee/base'
import {
  invalidGatewayIdNotFound,
  invalidInstanceIdNotFound,
  invalidNatGatewayIdNotFound,
  invalidParameterCombination,
  invalidParameterValue,
  invalidVpcPeeringConnectionIdNotFound,
  managedByService,
  unsupportedParameter,
} from '@mallee/ec2-api'
import type { Reader } from '../../store/record.ts'
import type { RouteTableTable, RouteTargetKind } from '../../store/routing-tables.ts'
import type { ActionContext } from '../define-action.ts'
import { requireOwned } from '../owned-networks.ts'
import { requireInstances } from '../require-instances.ts'
import { requirePeering } from '../require-peering.ts'
import { onlyInterfaceOf } from './require-interfaces.ts'

export interface RouteTarget {
  readonly kind: RouteTargetKind
  readonly id: string
}

interface TargetInput {
  GatewayId?: string | undefined
  NatGatewayId?: string | undefined
  NetworkInterfaceId?: string | undefined
  InstanceId?: string | undefined
  VpcPeeringConnectionId?: string | undefined
  LocalTarget?: boolean | undefined
}

export const targetMembers = [
  ...(['GatewayId', 'NatGatewayId', 'NetworkInterfaceId', 'InstanceId', 'VpcPeeringConnectionId'] as const),
]

/** The one target that is named, which must be of the table's own VPC; `local` is that VPC itself. */
export async function requireTarget(
  ctx: ActionContext,
  db: Reader,
  table: RouteTableTable,
  input: TargetInput,
): Promise<RouteTarget | 'local'> {
  const { GatewayId, NatGatewayId, NetworkInterfaceId, InstanceId, VpcPeeringConnectionId, LocalTarget } =
    input
  const named = [GatewayId, NatGatewayId, NetworkInterfaceId, InstanceId, VpcPeeringConnectionId]
  if (named.filter((id) => id !== undefined).length + (LocalTarget === true ? 1 : 0) !== 1)
    throw invalidParameterCombination(
      'The request must contain exactly one of gatewayId, natGatewayId, networkInterfaceId, vpcPeeringConnectionId or instanceId',
    )
  if (LocalTarget === true || GatewayId === 'local') return 'local'
  if (GatewayId !== undefined) return internetGateway(ctx, db, table, GatewayId)
  if (NatGatewayId !== undefined) return natGateway(ctx, db, table, NatGatewayId)
  if (VpcPeeringConnectionId !== undefined) return peering(ctx, db, table, VpcPeeringConnectionId)
  const entry =
    NetworkInterfaceId === undefined
      ? await interfaceOf(ctx, db, InstanceId!)
      : await requireOwned(ctx, db, 'networkInterface', NetworkInterfaceId)
  if (entry.requester_managed === 1) throw managedByService()
  if (entry.vpc_id !== table.vpc_id) throw differentNetworks(table, `interface ${entry.id}`)
  return { kind: 'network-interface', id: entry.id }
}

async function internetGateway(ctx: ActionContext, db: Reader, table: RouteTableTable, id: string) {
  // Gateways of VPNs and of endpoints: the cloud has none.
  if (/^(?:vgw|vpce)-/.test(id)) throw unsupportedParameter('GatewayId')
  if (!isWellFormedId('internetGateway', id)) throw invalidGatewayIdNotFound(id)
  const row = await db
    .selectFrom('internet_gateway')
    .select(['id', 'vpc_id'])
    .where('id', '=', id)
    .where('account_id', '=', ctx.caller.accountId)
    .executeTakeFirst()
  if (!row) throw invalidGatewayIdNotFound(id)
  if (row.vpc_id !== table.vpc_id) throw differentNetworks(table, `network gateway ${id}`)
  return { kind: 'internet-gateway', id } as const
}

async function natGateway(ctx: ActionContext, db: Reader, table: RouteTableTable, id: string) {
  const row = isWellFormedId('natGateway', id)
    ? await db
        .selectFrom('nat_gateway')
        .select(['id', 'vpc_id'])
        .where('id', '=', id)
        .where('account_id', '=', ctx.caller.accountId)
        .where('state', 'in', ['pending', 'available'])
        .executeTakeFirst()
    : undefined
  if (!row) throw invalidNatGatewayIdNotFound(id.slice(0, 200))
  if (row.vpc_id !== table.vpc_id) throw differentNetworks(table, `NAT gateway ${id}`)
  return { kind: 'nat-gateway', id } as const
}

/** One that is not accepted yet may be routed to already; nothing goes there. */
async function peering(ctx: ActionContext, db: Reader, table: RouteTableTable, id: string) {
  const row = await requirePeering(ctx, db, id)
  if (row.status !== 'active' && row.status !== 'pending-acceptance')
    throw invalidVpcPeeringConnectionIdNotFound([id])
  if (row.requester_vpc_id !== table.vpc_id && row.accepter_vpc_id !== table.vpc_id)
    throw differentNetworks(table, `vpc peering connection ${id}`)
  return { kind: 'vpc-peering-connection', id } as const
}

async function interfaceOf(ctx: ActionContext, db: Reader, instanceId: string) {
  const [instance] = await requireInstances(ctx, db, [instanceId])
  if (instance!.state === 'terminated') throw invalidInstanceIdNotFound([instanceId])
  return onlyInterfaceOf(db, instanceId)
}

function differentNetworks(table: RouteTableTable, other: string) {
  return invalidParameterValue(`route table ${table.id} and ${other} belong to different networks`)
}
