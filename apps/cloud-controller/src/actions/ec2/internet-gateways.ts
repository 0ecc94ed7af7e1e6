import { newId } from '@mallee/base'
import {
  dependencyViolation,
  gatewayNotAttached,
  hasDependencies,
  internetGatewayLimitExceeded,
  invalidGatewayIdNotFound,
  invalidParameterValue,
  resourceAlreadyAssociated,
} from '@mallee/ec2-api'
import { hasPublicAddresses } from '../../store/address-store.ts'
import { wakeVpc } from '../../store/network-reach.ts'
import { requireQuota } from '../../store/quota-store.ts'
import type { InternetGatewayTable } from '../../store/routing-tables.ts'
import { deleteTagsOf, putTags, readTags } from '../../store/tag-store.ts'
import { defineEc2Action } from '../define-action.ts'
import { describeThings, type Tag } from '../describe-things.ts'
import { filterNames, type FilterFields } from '../filters.ts'
import { ownedOf, requireOwned } from '../owned-networks.ts'
import { pageOf } from '../pages.ts'
import { tagRows } from '../tag-specifications.ts'

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateInternetGateway.html */
export const createInternetGateway = defineEc2Action('CreateInternetGateway', {
  honours: ['TagSpecifications'],
  creates: ['internet-gateway'],
  run(ctx, input) {
    const { accountId } = ctx.caller
    return ctx.transaction(async (tx) => {
      const present = await tx.db
        .selectFrom('internet_gateway')
        .select('id')
        .where('account_id', '=', accountId)
        .execute()
      await requireQuota(tx.db, ctx.caller, 'internet-gateways', present.length, internetGatewayLimitExceeded)
      const row: InternetGatewayTable = {
        id: newId('internetGateway', ctx.random),
        account_id: accountId,
        vpc_id: null,
        created_at: ctx.nowMs,
      }
      await tx.db.insertInto('internet_gateway').values(row).execute()
      await putTags(tx, tagRows(ctx, input.TagSpecifications, 'internet-gateway', [row.id]))
      tx.touch(row.id)
      const tags = (await readTags(tx.db, accountId, [row.id])).get(row.id) ?? []
      return { InternetGateway: gatewayView(row, tags) }
    })
  },
})

/** Routes to it stay, and lead nowhere. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteInternetGateway.html */
export const deleteInternetGateway = defineEc2Action('DeleteInternetGateway', {
  honours: ['InternetGatewayId'],
  run(ctx, input) {
    return ctx.transaction(async (tx) => {
      const row = await requireOwned(ctx, tx.db, 'internetGateway', input.InternetGatewayId)
      if (row.vpc_id !== null) throw hasDependencies('internetGateway', row.id)
      await deleteTagsOf(tx, row.id)
      await tx.db.deleteFrom('internet_gateway').where('id', '=', row.id).execute()
      tx.touch(row.id)
      return {}
    })
  },
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AttachInternetGateway.html */
export const attachInternetGateway = defineEc2Action('AttachInternetGateway', {
  honours: ['InternetGatewayId', 'VpcId'],
  run(ctx, input) {
    return ctx.transaction(async (tx) => {
      const row = await requireOwned(ctx, tx.db, 'internetGateway', input.InternetGatewayId)
      const vpc = await requireOwned(ctx, tx.db, 'vpc', input.VpcId)
      if (row.vpc_id !== null)
        throw resourceAlreadyAssociated(`resource ${row.id} is already attached to network ${row.vpc_id}`)
      const other = await tx.db
        .selectFrom('internet_gateway')
        .select('id')
        .where('vpc_id', '=', vpc.id)
        .executeTakeFirst()
      if (other) throw invalidParameterValue(`Network ${vpc.id} already has an internet gateway attached`)
      await tx.db.updateTable('internet_gateway').set({ vpc_id: vpc.id }).where('id', '=', row.id).execute()
      tx.touch(row.id, vpc.id)
      await wakeVpc(tx, ctx.wakes, vpc.id)
      return {}
    })
  },
})

/** Not while anything of the VPC has a public address. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DetachInternetGateway.html */
export const detachInternetGateway = defineEc2Action('DetachInternetGateway', {
  honours: ['InternetGatewayId', 'VpcId'],
  run(ctx, input) {
    return ctx.transaction(async (tx) => {
      const row = await requireOwned(ctx, tx.db, 'internetGateway', input.InternetGatewayId)
      const vpc = await requireOwned(ctx, tx.db, 'vpc', input.VpcId)
      if (row.vpc_id !== vpc.id)
        throw gatewayNotAttached(`resource ${row.id} is not attached to network ${vpc.id}`)
      if (await hasPublicAddresses(tx.db, vpc.id))
        throw dependencyViolation(
          `Network ${vpc.id} has some mapped public address(es). Please unmap those before detaching the gateway.`,
        )
      await tx.db.updateTable('internet_gateway').set({ vpc_id: null }).where('id', '=', row.id).execute()
      tx.touch(row.id, vpc.id)
      await wakeVpc(tx, ctx.wakes, vpc.id)
      return {}
    })
  },
})

const fields: FilterFields<InternetGatewayTable> = {
  'attachment.state': (row) => [row.vpc_id === null ? null : 'available'],
  'attachment.vpc-id': (row) => [row.vpc_id],
  'internet-gateway-id': (row) => [row.id],
  'owner-id': (row) => [row.account_id],
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInternetGateways.html */
export const describeInternetGateways = defineEc2Action('DescribeInternetGateways', {
  honours: ['InternetGatewayIds', 'Filters', 'MaxResults', 'NextToken'],
  filters: filterNames(fields, { tagged: true }),
  ids: ['InternetGatewayIds'],
  run(ctx, input) {
    return ctx.read(async (db) => {
      const { views, nextToken } = await describeThings(ctx, db, input, {
        things: await ownedOf(ctx, db, 'internetGateway', input.InternetGatewayIds),
        idOf: (row) => row.id,
        fields,
        exclusiveIds: (input.InternetGatewayIds?.length ?? 0) > 0,
        view: gatewayView,
      })
      return { InternetGateways: views, NextToken: nextToken }
    })
  },
})

/** Of an attachment EC2 says `available`, though its model says `attached`. */
function gatewayView(row: InternetGatewayTable, tags: Tag[]) {
  const attachments = row.vpc_id === null ? [] : [{ VpcId: row.vpc_id, State: 'available' as never }]
  return { InternetGatewayId: row.id, OwnerId: row.account_id, Attachments: attachments, Tags: tags }
}

/** They are for IPv6, which the cloud does not speak: there are none. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeEgressOnlyInternetGateways.html */
export const describeEgressOnlyInternetGateways = defineEc2Action('DescribeEgressOnlyInternetGateways', {
  honours: ['EgressOnlyInternetGatewayIds', 'Filters', 'MaxResults', 'NextToken'],
  filters: filterNames({}, { tagged: true }),
  async run(ctx, input) {
    const [id] = input.EgressOnlyInternetGatewayIds ?? []
    if (id !== undefined) throw invalidGatewayIdNotFound(id)
    pageOf(ctx, input)
    return ctx.read(async (db) => {
      const { views } = await describeThings(
        ctx,
        db,
        { Filters: input.Filters },
        {
          things: [],
          idOf: () => '',
          fields: {},
          view: () => ({}),
        },
      )
      return { EgressOnlyInternetGateways: views }
    })
  },
})
