import {
  blockWithin,
  blocksOverlap,
  formatCidr,
  isWellFormedId,
  parseCidr,
  type Ipv4Block,
} from '@mallee/base'
import {
  cidrLimitExceeded,
  dependencyViolation,
  invalidVpcCidrAssociationIdNotFound,
  missingParameter,
  operationNotPermitted,
  restrictedVpcRange,
} from '@mallee/ec2-api'
import { wakeVpcAndGuests } from '../../store/network-reach.ts'
import { openPeeringsOf } from '../../store/peering-store.ts'
import { requireQuota } from '../../store/quota-store.ts'
import type { Reader } from '../../store/record.ts'
import type { VpcTable } from '../../store/tables.ts'
import { vpcBlocks } from '../../store/vpc-cidr-store.ts'
import { insertVpcCidr } from '../../store/vpc-store.ts'
import { cidrAssociationView } from '../../views/vpc-view.ts'
import { mayStandBeside, requireVpcBlock } from '../address-blocks.ts'
import { defineEc2Action } from '../define-action.ts'
import { requireOwned } from '../owned-networks.ts'

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssociateVpcCidrBlock.html */
export const associateVpcCidrBlock = defineEc2Action('AssociateVpcCidrBlock', {
  honours: ['VpcId', 'CidrBlock'],
  only: { AmazonProvidedIpv6CidrBlock: [false] },
  run(ctx, input) {
    if (input.CidrBlock === undefined) throw missingParameter('CidrBlock')
    const block = requireVpcBlock(input.CidrBlock)
    const cidr = formatCidr(block)
    return ctx.transaction(async (tx) => {
      const vpc = await requireOwned(ctx, tx.db, 'vpc', input.VpcId)
      const present = await vpcBlocks(tx.db, vpc.id)
      await checkBeside(tx.db, vpc, { present, block, nowMs: ctx.nowMs })
      await requireQuota(tx.db, ctx.caller, 'vpc-cidrs', present.length, (most) =>
        cidrLimitExceeded(vpc.id, most),
      )
      const id = await insertVpcCidr(tx, {
        ...{ vpc, cidr, isPrimary: false },
        ...{ random: ctx.random, nowMs: ctx.nowMs },
      })
      tx.touch(vpc.id, id)
      await wakeVpcAndGuests(tx, ctx.wakes, vpc.id)
      return { VpcId: vpc.id, CidrBlockAssociation: cidrAssociationView({ id, cidr }) }
    })
  },
})

/** Neither what it has, nor what it routes or is peered to, nor what AWS keeps apart. */
async function checkBeside(
  db: Reader,
  vpc: VpcTable,
  { present, block, nowMs }: { present: readonly Ipv4Block[]; block: Ipv4Block; nowMs: number },
): Promise<void> {
  const cidr = formatCidr(block)
  if (present.some((own) => blocksOverlap(own, block)))
    throw restrictedVpcRange(cidr, `conflicts with another CIDR of ${vpc.id}.`)
  if (!mayStandBeside(present, block))
    throw restrictedVpcRange(
      cidr,
      'is restricted. Use a CIDR from the same private address range as the current VPC CIDR, or use a publicly-routable CIDR. For additional restrictions, see https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Subnets.html',
    )
  const routes = await db
    .selectFrom('route')
    .innerJoin('route_table', 'route_table.id', 'route.route_table_id')
    .select(['route.destination', 'route.route_table_id'])
    .where('route_table.vpc_id', '=', vpc.id)
    .execute()
  const routed = routes.find((route) => {
    const destination = parseCidr(route.destination)
    return destination !== null && blockWithin(block, destination)
  })
  if (routed)
    throw restrictedVpcRange(
      cidr,
      `is the same as or larger than the destination ${routed.destination} of a route in ${routed.route_table_id}.`,
    )
  for (const row of await openPeeringsOf(db, vpc.id, nowMs)) {
    const peer = row.requester_vpc_id === vpc.id ? row.accepter_vpc_id : row.requester_vpc_id
    if ((await vpcBlocks(db, peer)).some((own) => blocksOverlap(own, block)))
      throw restrictedVpcRange(cidr, `conflicts with a CIDR of ${peer}, which ${vpc.id} is peered with.`)
  }
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DisassociateVpcCidrBlock.html */
export const disassociateVpcCidrBlock = defineEc2Action('DisassociateVpcCidrBlock', {
  honours: ['AssociationId'],
  run(ctx, input) {
    const { AssociationId: id } = input
    if (!isWellFormedId('vpcCidrAssociation', id)) throw invalidVpcCidrAssociationIdNotFound(id)
    return ctx.transaction(async (tx) => {
      const row = await tx.db
        .selectFrom('vpc_cidr')
        .selectAll()
        .where('id', '=', id)
        .where('account_id', '=', ctx.caller.accountId)
        .executeTakeFirst()
      if (!row) throw invalidVpcCidrAssociationIdNotFound(id)
      if (row.is_primary === 1)
        throw operationNotPermitted(
          `The vpc CIDR block with association ID ${id} may not be disassociated. It is the primary IPv4 CIDR block of the VPC`,
        )
      const block = parseCidr(row.cidr)!
      const subnets = await tx.db
        .selectFrom('subnet')
        .select(['id', 'cidr'])
        .where('vpc_id', '=', row.vpc_id)
        .execute()
      if (subnets.some((subnet) => blocksOverlap(parseCidr(subnet.cidr)!, block)))
        throw dependencyViolation(
          `The vpc CIDR block with association ID ${id} has dependencies and cannot be disassociated.`,
        )
      await tx.db.deleteFrom('vpc_cidr').where('id', '=', id).execute()
      tx.touch(row.vpc_id, id)
      await wakeVpcAndGuests(tx, ctx.wakes, row.vpc_id)
      return { VpcId: row.vpc_id, CidrBlockAssociation: cidrAssociationView(row, 'disassociated') }
    })
  },
})
