import { blockSize, parseCidr } from '@mallee/base'
import {
  invalidSubnetIdMalformed,
  invalidSubnetIdNotFound,
  invalidVpcIdMalformed,
  invalidVpcIdNotFound,
} from '@mallee/ec2-api'
import { readTags } from '../../store/tag-store.ts'
import type { SubnetTable } from '../../store/tables.ts'
import { defineEc2Action } from '../define-action.ts'
import { applyFilters, type FilterFields } from '../filters.ts'
import { page } from '../pages.ts'
import { requireIds } from '../required-ids.ts'

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcs.html */
export const describeVpcs = defineEc2Action('DescribeVpcs', {
  honours: ['VpcIds', 'Filters', 'MaxResults', 'NextToken', 'DryRun'],
  async run(ctx, input) {
    return ctx.read(async (db) => {
      const all = await db
        .selectFrom('vpc')
        .selectAll()
        .where('account_id', '=', ctx.caller.accountId)
        .orderBy('id')
        .execute()
      const ids = input.VpcIds ?? []
      const chosen =
        ids.length === 0
          ? all
          : requireIds(ids, all, {
              kind: 'vpc',
              idOf: (vpc) => vpc.id,
              malformed: invalidVpcIdMalformed,
              missing: invalidVpcIdNotFound,
            })
      const tags = await readTags(
        db,
        ctx.caller.accountId,
        chosen.map((vpc) => vpc.id),
      )
      const found = applyFilters(
        chosen,
        input.Filters,
        {
          cidr: (vpc) => [vpc.cidr],
          'cidr-block-association.cidr-block': (vpc) => [vpc.cidr],
          'is-default': (vpc) => [vpc.is_default === 1],
          isDefault: (vpc) => [vpc.is_default === 1],
          'owner-id': (vpc) => [vpc.account_id],
          state: () => ['available'],
          'vpc-id': (vpc) => [vpc.id],
        },
        (vpc) => tags.get(vpc.id) ?? [],
      )
      const cut = page(found, input, {
        idOf: (vpc) => vpc.id,
        secret: `DescribeVpcs ${ctx.caller.accountId}`,
        exclusiveIds: ids.length > 0,
      })
      return {
        Vpcs: cut.items.map((vpc) => ({
          VpcId: vpc.id,
          OwnerId: vpc.account_id,
          CidrBlock: vpc.cidr,
          State: 'available' as const,
          IsDefault: vpc.is_default === 1,
          InstanceTenancy: 'default' as const,
          DhcpOptionsId: 'default',
          CidrBlockAssociationSet: [
            {
              AssociationId: vpc.id.replace('vpc-', 'vpc-cidr-assoc-'),
              CidrBlock: vpc.cidr,
              CidrBlockState: { State: 'associated' as const },
            },
          ],
          Tags: tags.get(vpc.id) ?? [],
        })),
        NextToken: cut.nextToken,
      }
    })
  },
})

/** Of a subnet's addresses five are reserved (AWS VPC User Guide, "Subnet CIDR reservations"). */
const reservedAddresses = 5

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSubnets.html */
export const describeSubnets = defineEc2Action('DescribeSubnets', {
  honours: ['SubnetIds', 'Filters', 'MaxResults', 'NextToken', 'DryRun'],
  async run(ctx, input) {
    return ctx.read(async (db) => {
      const all = await db
        .selectFrom('subnet')
        .selectAll()
        .where('account_id', '=', ctx.caller.accountId)
        .orderBy('availability_zone')
        .execute()
      const ids = input.SubnetIds ?? []
      const chosen =
        ids.length === 0
          ? all
          : requireIds(ids, all, {
              kind: 'subnet',
              idOf: (subnet) => subnet.id,
              malformed: invalidSubnetIdMalformed,
              missing: invalidSubnetIdNotFound,
            })
      const used = await db
        .selectFrom('network_interface')
        .select((eb) => ['subnet_id', eb.fn.countAll<number>().as('count')])
        .where('account_id', '=', ctx.caller.accountId)
        .groupBy('subnet_id')
        .execute()
      const usedIn = new Map(used.map((row) => [row.subnet_id, Number(row.count)]))
      const freeOf = (subnet: SubnetTable) =>
        blockSize(parseCidr(subnet.cidr)!) - reservedAddresses - (usedIn.get(subnet.id) ?? 0)
      const tags = await readTags(
        db,
        ctx.caller.accountId,
        chosen.map((subnet) => subnet.id),
      )
      const found = applyFilters(
        chosen,
        input.Filters,
        subnetFields(freeOf),
        (subnet) => tags.get(subnet.id) ?? [],
      )
      const cut = page(found, input, {
        idOf: (subnet) => subnet.id,
        secret: `DescribeSubnets ${ctx.caller.accountId}`,
        exclusiveIds: ids.length > 0,
      })
      return {
        Subnets: cut.items.map((subnet) => ({
          SubnetId: subnet.id,
          VpcId: subnet.vpc_id,
          OwnerId: subnet.account_id,
          SubnetArn: `arn:aws:ec2:${ctx.settings.region}:${subnet.account_id}:subnet/${subnet.id}`,
          State: 'available' as const,
          CidrBlock: subnet.cidr,
          AvailableIpAddressCount: freeOf(subnet),
          AvailabilityZone: subnet.availability_zone,
          DefaultForAz: subnet.is_default === 1,
          MapPublicIpOnLaunch: subnet.map_public_ip === 1,
          AssignIpv6AddressOnCreation: false,
          Ipv6CidrBlockAssociationSet: [],
          Tags: tags.get(subnet.id) ?? [],
        })),
        NextToken: cut.nextToken,
      }
    })
  },
})

function subnetFields(freeOf: (subnet: SubnetTable) => number): FilterFields<SubnetTable> {
  return {
    'availability-zone': (subnet) => [subnet.availability_zone],
    availabilityZone: (subnet) => [subnet.availability_zone],
    'available-ip-address-count': (subnet) => [freeOf(subnet)],
    'cidr-block': (subnet) => [subnet.cidr],
    cidr: (subnet) => [subnet.cidr],
    'default-for-az': (subnet) => [subnet.is_default === 1],
    defaultForAz: (subnet) => [subnet.is_default === 1],
    'map-public-ip-on-launch': (subnet) => [subnet.map_public_ip === 1],
    'owner-id': (subnet) => [subnet.account_id],
    state: () => ['available'],
    'subnet-id': (subnet) => [subnet.id],
    'vpc-id': (subnet) => [subnet.vpc_id],
  }
}
