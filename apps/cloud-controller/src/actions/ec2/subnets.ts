import { blockWithin, blocksOverlap, formatCidr, parseCidr } from '@mallee/base'
import {
  defaultSubnetAlreadyExists,
  defaultVpcDoesNotExist,
  hasDependencies,
  invalidParameterCombination,
  invalidParameterValue,
  invalidSubnetConflict,
  invalidSubnetRange,
  missingParameter,
  subnetLimitExceeded,
} from '@mallee/ec2-api'
import { insertDefaultSubnet } from '../../store/default-network.ts'
import { deleteSubnetRows } from '../../store/delete-vpc.ts'
import { isSubnetPromised } from '../../store/instance-import-store.ts'
import { wakeVpc } from '../../store/network-reach.ts'
import { requireQuota } from '../../store/quota-store.ts'
import type { Reader } from '../../store/record.ts'
import type { SubnetTable } from '../../store/tables.ts'
import { putTags, readTags } from '../../store/tag-store.ts'
import { vpcBlocks } from '../../store/vpc-cidr-store.ts'
import { insertSubnet } from '../../store/vpc-store.ts'
import { freeAddressCounts, subnetView } from '../../views/subnet-view.ts'
import { requireBlock } from '../address-blocks.ts'
import { defineEc2Action, type ActionContext } from '../define-action.ts'
import { requireOwned } from '../owned-networks.ts'
import { tagRows } from '../tag-specifications.ts'
import { defaultVpcOf } from './vpcs.ts'
import { zoneId } from '../../views/zone-id.ts'

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSubnet.html */
export const createSubnet = defineEc2Action('CreateSubnet', {
  honours: ['VpcId', 'CidrBlock', 'AvailabilityZone', 'AvailabilityZoneId', 'TagSpecifications'],
  only: { Ipv6Native: [false] },
  creates: ['subnet'],
  run(ctx, input) {
    if (input.CidrBlock === undefined) throw missingParameter('CidrBlock')
    const block = requireBlock(input.CidrBlock, 'cidrBlock')
    const cidr = formatCidr(block)
    const zone = zoneFor(ctx, input)
    return ctx.transaction(async (tx) => {
      const vpc = await requireOwned(ctx, tx.db, 'vpc', input.VpcId)
      const { prefixLength } = block
      if (prefixLength < 16 || prefixLength > 28) throw invalidSubnetRange(cidr)
      if (!(await vpcBlocks(tx.db, vpc.id)).some((own) => blockWithin(own, block)))
        throw invalidSubnetRange(cidr)
      const present = await subnetsOf(tx.db, vpc.id)
      if (present.some((other) => blocksOverlap(parseCidr(other.cidr)!, block)))
        throw invalidSubnetConflict(cidr)
      await requireQuota(tx.db, ctx.caller, 'subnets-per-vpc', present.length, subnetLimitExceeded)
      const subnet = await insertSubnet(tx, {
        ...{ vpc, availabilityZone: zone, cidr, isDefault: false },
        ...{ random: ctx.random, nowMs: ctx.nowMs },
      })
      await putTags(tx, tagRows(ctx, input.TagSpecifications, 'subnet', [subnet.id]))
      tx.touch(subnet.id)
      return { Subnet: await viewOf(ctx, tx.db, subnet) }
    })
  },
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateDefaultSubnet.html */
export const createDefaultSubnet = defineEc2Action('CreateDefaultSubnet', {
  honours: ['AvailabilityZone', 'AvailabilityZoneId'],
  only: { Ipv6Native: [false] },
  run(ctx, input) {
    if (input.AvailabilityZone === undefined && input.AvailabilityZoneId === undefined)
      throw missingParameter('AvailabilityZone')
    const zone = zoneFor(ctx, input)
    return ctx.transaction(async (tx) => {
      const vpc = await defaultVpcOf(ctx, tx.db)
      if (!vpc) throw defaultVpcDoesNotExist()
      const present = await subnetsOf(tx.db, vpc.id)
      const same = present.find((subnet) => subnet.is_default === 1 && subnet.availability_zone === zone)
      if (same) throw defaultSubnetAlreadyExists(zone, same.id)
      await requireQuota(tx.db, ctx.caller, 'subnets-per-vpc', present.length, subnetLimitExceeded)
      const subnet = await insertDefaultSubnet(tx, {
        ...{ vpc, zone, zones: ctx.settings.availabilityZones },
        ...{ random: ctx.random, nowMs: ctx.nowMs },
      })
      if (!subnet) throw invalidSubnetConflict(vpc.cidr)
      tx.touch(subnet.id)
      return { Subnet: await viewOf(ctx, tx.db, subnet) }
    })
  },
})

/** The zone that is asked for by name or by id; where none is, the first. */
function zoneFor(
  ctx: ActionContext,
  {
    AvailabilityZone: name,
    AvailabilityZoneId: id,
  }: { AvailabilityZone?: string | undefined; AvailabilityZoneId?: string | undefined },
): string {
  const { availabilityZones: zones, region } = ctx.settings
  if (name !== undefined && id !== undefined)
    throw invalidParameterCombination('You may specify availabilityZone or availabilityZoneId, but not both')
  if (name === undefined && id === undefined) return zones[0]!
  const found = zones.find((zone, index) => zone === name || zoneId(region, index) === id)
  if (found !== undefined) return found
  const [parameter, known] =
    name === undefined
      ? ['availabilityZoneId', zones.map((_zone, index) => zoneId(region, index))]
      : ['availabilityZone', zones]
  throw invalidParameterValue(
    `Value (${(name ?? id!).slice(0, 60)}) for parameter ${String(parameter)} is invalid. Subnets can currently only be created in the following availability zones: ${(known as readonly string[]).join(', ')}.`,
  )
}

function subnetsOf(db: Reader, vpcId: string): Promise<SubnetTable[]> {
  return db.selectFrom('subnet').selectAll().where('vpc_id', '=', vpcId).execute()
}

async function viewOf(ctx: ActionContext, db: Reader, subnet: SubnetTable) {
  const { region, availabilityZones: zones } = ctx.settings
  const tags = (await readTags(db, ctx.caller.accountId, [subnet.id])).get(subnet.id) ?? []
  return subnetView({ region, zones, freeOf: await freeAddressCounts(db, [subnet]) }, subnet, tags)
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteSubnet.html */
export const deleteSubnet = defineEc2Action('DeleteSubnet', {
  honours: ['SubnetId'],
  run(ctx, input) {
    return ctx.transaction(async (tx) => {
      const subnet = await requireOwned(ctx, tx.db, 'subnet', input.SubnetId)
      const entry = await tx.db
        .selectFrom('network_interface')
        .select('id')
        .where('subnet_id', '=', subnet.id)
        .executeTakeFirst()
      if (entry || (await isSubnetPromised(tx.db, subnet.id))) throw hasDependencies('subnet', subnet.id)
      await deleteSubnetRows(tx, subnet.id)
      tx.touch(subnet.id)
      await wakeVpc(tx, ctx.wakes, subnet.vpc_id)
      return {}
    })
  },
})
