import { formatCidr } from '@mallee/base'
import { defaultVpcAlreadyExists, hasDependencies, missingParameter, vpcLimitExceeded } from '@mallee/ec2-api'
import { insertDefaultNetwork } from '../../store/default-network.ts'
import { deleteVpcRows, vpcIsInUse } from '../../store/delete-vpc.ts'
import { wakeVpc } from '../../store/network-reach.ts'
import { requireQuota } from '../../store/quota-store.ts'
import type { Reader } from '../../store/record.ts'
import type { VpcTable } from '../../store/tables.ts'
import { putTags, readTags } from '../../store/tag-store.ts'
import { readVpcCidrs } from '../../store/vpc-cidr-store.ts'
import { insertVpc } from '../../store/vpc-store.ts'
import { vpcView } from '../../views/vpc-view.ts'
import { requireVpcBlock } from '../address-blocks.ts'
import { defineEc2Action, type ActionContext } from '../define-action.ts'
import { requireOwned } from '../owned-networks.ts'
import { tagRows } from '../tag-specifications.ts'

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpc.html */
export const createVpc = defineEc2Action('CreateVpc', {
  honours: ['CidrBlock', 'TagSpecifications'],
  only: { InstanceTenancy: ['default'], AmazonProvidedIpv6CidrBlock: [false] },
  creates: ['vpc'],
  run(ctx, input) {
    if (input.CidrBlock === undefined) throw missingParameter('CidrBlock')
    const cidr = formatCidr(requireVpcBlock(input.CidrBlock))
    return ctx.transaction(async (tx) => {
      await checkQuota(ctx, tx.db)
      const vpc = await insertVpc(tx, {
        ...{ accountId: ctx.caller.accountId, cidr, isDefault: false },
        ...{ random: ctx.random, nowMs: ctx.nowMs },
      })
      await putTags(tx, tagRows(ctx, input.TagSpecifications, 'vpc', [vpc.id]))
      tx.touch(vpc.id)
      return { Vpc: await viewOf(ctx, tx.db, vpc) }
    })
  },
})

/** The one that accounts begin with, for whoever deleted it. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateDefaultVpc.html */
export const createDefaultVpc = defineEc2Action('CreateDefaultVpc', {
  honours: [],
  run(ctx) {
    return ctx.transaction(async (tx) => {
      if (await defaultVpcOf(ctx, tx.db)) throw defaultVpcAlreadyExists()
      await checkQuota(ctx, tx.db)
      const vpc = await insertDefaultNetwork(tx, {
        ...{ accountId: ctx.caller.accountId, zones: ctx.settings.availabilityZones },
        ...{ random: ctx.random, nowMs: ctx.nowMs },
      })
      tx.touch(vpc.id)
      return { Vpc: await viewOf(ctx, tx.db, vpc) }
    })
  },
})

export function defaultVpcOf(ctx: ActionContext, db: Reader): Promise<VpcTable | undefined> {
  return db
    .selectFrom('vpc')
    .selectAll()
    .where('account_id', '=', ctx.caller.accountId)
    .where('is_default', '=', 1)
    .executeTakeFirst()
}

async function checkQuota(ctx: ActionContext, db: Reader): Promise<void> {
  const { accountId } = ctx.caller
  const present = await db.selectFrom('vpc').select('id').where('account_id', '=', accountId).execute()
  await requireQuota(db, ctx.caller, 'vpcs', present.length, vpcLimitExceeded)
}

async function viewOf(ctx: ActionContext, db: Reader, vpc: VpcTable) {
  const cidrs = (await readVpcCidrs(db, [vpc.id])).get(vpc.id) ?? []
  const tags = (await readTags(db, ctx.caller.accountId, [vpc.id])).get(vpc.id) ?? []
  return vpcView({ vpc, cidrs }, tags)
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteVpc.html */
export const deleteVpc = defineEc2Action('DeleteVpc', {
  honours: ['VpcId'],
  run(ctx, input) {
    return ctx.transaction(async (tx) => {
      const vpc = await requireOwned(ctx, tx.db, 'vpc', input.VpcId)
      if (await vpcIsInUse(tx.db, vpc.id)) throw hasDependencies('vpc', vpc.id)
      // Before its rows go: whom its peerings lead to is told by them.
      await wakeVpc(tx, ctx.wakes, vpc.id)
      await deleteVpcRows(tx, vpc, { by: ctx.caller.accountId, nowMs: ctx.nowMs })
      tx.touch(vpc.id)
      return {}
    })
  },
})
