import { formatIpv4, MalleeError } from '@mallee/base'
import {
  invalidParameterCombination,
  missingParameter,
  natGatewayLimitExceeded,
  natGatewayNotFound,
  type Ec2,
  type Ec2Input,
} from '@mallee/ec2-api'
import { freeAddresses, requireFree } from '../../store/free-addresses.ts'
import {
  insertFailedNatGateway,
  insertNatGateway,
  isVisible,
  natGatewaysInZone,
  transitionNatGateway,
  type NewNatGateway,
} from '../../store/nat-gateway-store.ts'
import { wakeVpc } from '../../store/network-reach.ts'
import { requireQuota } from '../../store/quota-store.ts'
import type { Reader } from '../../store/record.ts'
import type { SubnetTable } from '../../store/network-tables.ts'
import type { NatGatewayTable } from '../../store/routing-tables.ts'
import { putTags, readTags } from '../../store/tag-store.ts'
import { defineEc2Action, type ActionContext, type ActionTransaction } from '../define-action.ts'
import { describeThings, type Tag } from '../describe-things.ts'
import { filterNames, type FilterFields } from '../filters.ts'
import { ownedOf, requireAllocation, requireOwned } from '../owned-networks.ts'
import { tagRows } from '../tag-specifications.ts'
import { hostAddress } from './private-addresses.ts'

type Input = Ec2Input<'CreateNatGateway'>

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateNatGateway.html */
export const createNatGateway = defineEc2Action('CreateNatGateway', {
  honours: ['SubnetId', 'AllocationId', 'ConnectivityType', 'PrivateIpAddress', 'TagSpecifications'],
  only: { AvailabilityMode: ['zonal'] },
  creates: ['natgateway'],
  async run(ctx, input) {
    const isPublic = (input.ConnectivityType ?? 'public') === 'public'
    if (input.SubnetId === undefined) throw missingParameter('SubnetId')
    if (isPublic && input.AllocationId === undefined) throw missingParameter('AllocationId')
    if (!isPublic && input.AllocationId !== undefined)
      throw invalidParameterCombination(
        'The parameter AllocationId is not allowed for a private NAT gateway.',
      )
    const id = await ctx.transaction(async (tx) => {
      const row = await make(ctx, tx, input, isPublic ? 'public' : 'private')
      await putTags(tx, tagRows(ctx, input.TagSpecifications, 'natgateway', [row.id]))
      tx.touch(row.id)
      await wakeVpc(tx, ctx.wakes, row.vpc_id)
      tx.afterCommit(() => ctx.wakes.natGateway(row.id))
      return row.id
    })
    return ctx.read(async (db) => {
      const row = await requireOwned(ctx, db, 'natGateway', id)
      const tags = (await readTags(db, ctx.caller.accountId, [id])).get(id) ?? []
      return { NatGateway: gatewayView(row, tags), ClientToken: input.ClientToken }
    })
  },
})

async function make(
  ctx: ActionContext,
  tx: ActionTransaction,
  input: Input,
  connectivity: NatGatewayTable['connectivity'],
): Promise<NatGatewayTable> {
  const subnet = await requireOwned(ctx, tx.db, 'subnet', input.SubnetId!)
  const address = connectivity === 'public' ? await requireAllocation(ctx, tx.db, input.AllocationId!) : null
  const zone = subnet.availability_zone
  const { accountId } = ctx.caller
  const present = await natGatewaysInZone(tx.db, accountId, zone)
  await requireQuota(tx.db, ctx.caller, 'nat-gateways-per-zone', present, () => natGatewayLimitExceeded(zone))
  const made: NewNatGateway = { subnet, connectivity, address, random: ctx.random, nowMs: ctx.nowMs }
  const failure = await whyNot(tx.db, made)
  if (failure) return insertFailedNatGateway(tx, { ...made, ...failure, requestId: ctx.requestId })
  const privateIp = await privateIpFor(tx.db, subnet, input.PrivateIpAddress)
  if (privateIp === null)
    return insertFailedNatGateway(tx, {
      ...made,
      requestId: ctx.requestId,
      code: 'InsufficientFreeAddressesInSubnet',
      message: 'Subnet has insufficient free addresses to create this NAT gateway',
    })
  return insertNatGateway(tx, { ...made, privateIp })
}

/** The one that is wished, or a free one of the subnet; null where it has none left. */
async function privateIpFor(
  db: Reader,
  subnet: SubnetTable,
  wished: string | undefined,
): Promise<number | null> {
  if (wished !== undefined) {
    const address = hostAddress(subnet, wished)
    await requireFree(db, subnet.id, [address])
    return address
  }
  try {
    const [address] = await freeAddresses(db, subnet, 1)
    return address!
  } catch (error) {
    if (error instanceof MalleeError && error.code === 'InsufficientFreeAddressesInSubnet') return null
    throw error
  }
}

/** What AWS finds out only while it makes the gateway (VPC User Guide, "NAT gateway creation fails"). */
async function whyNot(
  db: Reader,
  { subnet, connectivity, address }: NewNatGateway,
): Promise<{ code: string; message: string } | null> {
  if (connectivity === 'private' || address === null) return null
  const gateway = await db
    .selectFrom('internet_gateway')
    .select('id')
    .where('vpc_id', '=', subnet.vpc_id)
    .executeTakeFirst()
  if (!gateway)
    return {
      code: 'Gateway.NotAttached',
      message: `Network ${subnet.vpc_id} has no Internet gateway attached`,
    }
  if (address.interface_id === null) return null
  const message = `Elastic IP address [${address.allocation_id}] is already associated`
  return { code: 'Resource.AlreadyAssociated', message }
}

/** Its interface and its addresses go, and its node is told. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteNatGateway.html */
export const deleteNatGateway = defineEc2Action('DeleteNatGateway', {
  honours: ['NatGatewayId'],
  run(ctx, input) {
    return ctx.transaction(async (tx) => {
      const row = await requireOwned(ctx, tx.db, 'natGateway', input.NatGatewayId)
      if (row.state === 'deleted' || !isVisible(row, ctx.nowMs)) throw natGatewayNotFound([row.id])
      tx.touch(row.id)
      if (row.state !== 'pending' && row.state !== 'available') return { NatGatewayId: row.id }
      await transitionNatGateway(tx, row, 'deleteAsked', { nowMs: ctx.nowMs, requestId: ctx.requestId })
      await wakeVpc(tx, ctx.wakes, row.vpc_id)
      tx.afterCommit(() => ctx.wakes.natGateway(row.id))
      return { NatGatewayId: row.id }
    })
  },
})

const fields: FilterFields<NatGatewayTable> = {
  'nat-gateway-id': (row) => [row.id],
  state: (row) => [row.state],
  'subnet-id': (row) => [row.subnet_id],
  'vpc-id': (row) => [row.vpc_id],
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeNatGateways.html */
export const describeNatGateways = defineEc2Action('DescribeNatGateways', {
  honours: ['NatGatewayIds', 'Filter', 'MaxResults', 'NextToken'],
  filters: filterNames(fields, { tagged: true }),
  ids: ['NatGatewayIds'],
  run(ctx, input) {
    return ctx.read(async (db) => {
      const ids = input.NatGatewayIds ?? []
      const rows = (await ownedOf(ctx, db, 'natGateway', ids)).filter((row) => isVisible(row, ctx.nowMs))
      const missing = ids.filter((id) => !rows.some((row) => row.id === id))
      if (missing.length > 0) throw natGatewayNotFound(missing)
      const { views, nextToken } = await describeThings(
        ctx,
        db,
        { ...input, Filters: input.Filter },
        {
          things: rows,
          idOf: (row) => row.id,
          fields,
          exclusiveIds: ids.length > 0,
          view: gatewayView,
        },
      )
      return { NatGateways: views, NextToken: nextToken }
    })
  },
})

function gatewayView(row: NatGatewayTable, tags: Tag[]): Ec2.NatGateway {
  return {
    NatGatewayId: row.id,
    VpcId: row.vpc_id,
    SubnetId: row.subnet_id,
    State: row.state,
    ConnectivityType: row.connectivity,
    CreateTime: new Date(row.created_at),
    NatGatewayAddresses: [addressView(row)],
    Tags: tags,
    ...(row.deleted_at === null ? {} : { DeleteTime: new Date(row.deleted_at) }),
    ...(row.failure_code === null ? {} : { FailureCode: row.failure_code }),
    ...(row.failure_message === null ? {} : { FailureMessage: row.failure_message }),
  }
}

const addressStatus = {
  pending: 'associating',
  available: 'succeeded',
  deleting: 'disassociating',
  deleted: 'succeeded',
  failed: 'failed',
} as const satisfies Record<NatGatewayTable['state'], string>

function addressView(row: NatGatewayTable): Ec2.NatGatewayAddress {
  return {
    IsPrimary: true,
    Status: addressStatus[row.state],
    ...(row.interface_id === null ? {} : { NetworkInterfaceId: row.interface_id }),
    ...(row.private_ip === null ? {} : { PrivateIp: formatIpv4(row.private_ip) }),
    ...(row.public_ip === null ? {} : { PublicIp: formatIpv4(row.public_ip) }),
    ...(row.allocation_id === null ? {} : { AllocationId: row.allocation_id }),
    ...(row.association_id === null ? {} : { AssociationId: row.association_id }),
  }
}
