import { blockSize, parseCidr } from '@mallee/base'
import {
  invalidSubnetIdMalformed,
  invalidSubnetIdNotFound,
  invalidVpcIdMalformed,
  invalidVpcIdNotFound,
} from '@mallee/ec2-api'
import type { Reader } from '../../store/record.ts'
import type { SubnetTable, VpcTable } from '../../store/tables.ts'
import { defineEc2Action, type ActionContext } from '../define-action.ts'
import { describeThings, type Tag } from '../describe-things.ts'
import { filterNames, type FilterFields } from '../filters.ts'
import { requireIds } from '../required-ids.ts'
import { zoneId } from './zones-and-regions.ts'

const vpcFields: FilterFields<VpcTable> = {
  cidr: (vpc) => [vpc.cidr],
  'cidr-block-association.association-id': (vpc) => [cidrAssociationId(vpc)],
  'cidr-block-association.cidr-block': (vpc) => [vpc.cidr],
  'cidr-block-association.state': () => ['associated'],
  'dhcp-options-id': () => ['default'],
  'ipv6-cidr-block-association.association-id': () => [],
  'ipv6-cidr-block-association.ipv6-cidr-block': () => [],
  'ipv6-cidr-block-association.ipv6-pool': () => [],
  'ipv6-cidr-block-association.state': () => [],
  'is-default': (vpc) => [vpc.is_default === 1],
  isDefault: (vpc) => [vpc.is_default === 1],
  'owner-id': (vpc) => [vpc.account_id],
  state: () => ['available'],
  'vpc-id': (vpc) => [vpc.id],
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcs.html */
export const describeVpcs = defineEc2Action('DescribeVpcs', {
  honours: ['VpcIds', 'Filters', 'MaxResults', 'NextToken'],
  filters: filterNames(vpcFields, { tagged: true }),
  ids: ['VpcIds'],
  async run(ctx, input) {
    return ctx.read(async (db) => {
      const all = await db
        .selectFrom('vpc')
        .selectAll()
        .$if(ctx.scope !== null, (query) => query.where('account_id', '=', ctx.scope!))
        .execute()
      const ids = input.VpcIds ?? []
      const { views, nextToken } = await describeThings(ctx, db, input, {
        things:
          ids.length === 0
            ? all
            : requireIds(ids, all, {
                kind: 'vpc',
                idOf: (vpc) => vpc.id,
                malformed: invalidVpcIdMalformed,
                missing: invalidVpcIdNotFound,
              }),
        idOf: (vpc) => vpc.id,
        fields: vpcFields,
        exclusiveIds: ids.length > 0,
        view: vpcView,
      })
      return { Vpcs: views, NextToken: nextToken }
    })
  },
})

function cidrAssociationId(vpc: VpcTable): string {
  return vpc.id.replace('vpc-', 'vpc-cidr-assoc-')
}

function vpcView(vpc: VpcTable, tags: Tag[]) {
  return {
    VpcId: vpc.id,
    OwnerId: vpc.account_id,
    CidrBlock: vpc.cidr,
    State: 'available' as const,
    IsDefault: vpc.is_default === 1,
    InstanceTenancy: 'default' as const,
    DhcpOptionsId: 'default',
    CidrBlockAssociationSet: [
      {
        AssociationId: cidrAssociationId(vpc),
        CidrBlock: vpc.cidr,
        CidrBlockState: { State: 'associated' as const },
      },
    ],
    Tags: tags,
  }
}

/** Of a subnet's addresses five are reserved (AWS VPC User Guide, "Subnet CIDR reservations"). */
const reservedAddresses = 5

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSubnets.html */
export const describeSubnets = defineEc2Action('DescribeSubnets', {
  honours: ['SubnetIds', 'Filters', 'MaxResults', 'NextToken'],
  filters: filterNames(subnetFields({ region: '', zones: [], freeOf: () => 0 }), { tagged: true }),
  ids: ['SubnetIds'],
  async run(ctx, input) {
    return ctx.read(async (db) => {
      const all = await db
        .selectFrom('subnet')
        .selectAll()
        .$if(ctx.scope !== null, (query) => query.where('account_id', '=', ctx.scope!))
        .execute()
      const ids = input.SubnetIds ?? []
      const freeOf = await freeAddressCounts(ctx, db)
      const { region, availabilityZones: zones } = ctx.settings
      const { views, nextToken } = await describeThings(ctx, db, input, {
        things:
          ids.length === 0
            ? all
            : requireIds(ids, all, {
                kind: 'subnet',
                idOf: (subnet) => subnet.id,
                malformed: invalidSubnetIdMalformed,
                missing: invalidSubnetIdNotFound,
              }),
        idOf: (subnet) => subnet.id,
        keyOf: (subnet) => `${subnet.availability_zone} ${subnet.id}`,
        fields: subnetFields({ region, zones, freeOf }),
        exclusiveIds: ids.length > 0,
        view: (subnet, tags) => subnetView({ region, zones, freeOf }, subnet, tags),
      })
      return { Subnets: views, NextToken: nextToken }
    })
  },
})

async function freeAddressCounts(ctx: ActionContext, db: Reader): Promise<(subnet: SubnetTable) => number> {
  const used = await db
    .selectFrom('network_interface')
    .select((eb) => ['subnet_id', eb.fn.countAll<number>().as('count')])
    .$if(ctx.scope !== null, (query) => query.where('account_id', '=', ctx.scope!))
    .groupBy('subnet_id')
    .execute()
  const usedIn = new Map(used.map((row) => [row.subnet_id, Number(row.count)]))
  return (subnet) => blockSize(parseCidr(subnet.cidr)!) - reservedAddresses - (usedIn.get(subnet.id) ?? 0)
}

interface SubnetFacts {
  readonly region: string
  readonly zones: readonly string[]
  freeOf(subnet: SubnetTable): number
}

function subnetView({ region, zones, freeOf }: SubnetFacts, subnet: SubnetTable, tags: Tag[]) {
  return {
    SubnetId: subnet.id,
    VpcId: subnet.vpc_id,
    OwnerId: subnet.account_id,
    SubnetArn: subnetArn(region, subnet),
    State: 'available' as const,
    CidrBlock: subnet.cidr,
    AvailableIpAddressCount: freeOf(subnet),
    AvailabilityZone: subnet.availability_zone,
    AvailabilityZoneId: zoneId(region, zones.indexOf(subnet.availability_zone)),
    DefaultForAz: subnet.is_default === 1,
    MapPublicIpOnLaunch: subnet.map_public_ip === 1,
    AssignIpv6AddressOnCreation: false,
    Ipv6CidrBlockAssociationSet: [],
    Tags: tags,
  }
}

function subnetArn(region: string, subnet: SubnetTable): string {
  return `arn:aws:ec2:${region}:${subnet.account_id}:subnet/${subnet.id}`
}

function subnetFields({ region, zones, freeOf }: SubnetFacts): FilterFields<SubnetTable> {
  return {
    'availability-zone': (subnet) => [subnet.availability_zone],
    availabilityZone: (subnet) => [subnet.availability_zone],
    'availability-zone-id': (subnet) => [zoneId(region, zones.indexOf(subnet.availability_zone))],
    'available-ip-address-count': (subnet) => [freeOf(subnet)],
    'cidr-block': (subnet) => [subnet.cidr],
    cidr: (subnet) => [subnet.cidr],
    'default-for-az': (subnet) => [subnet.is_default === 1],
    defaultForAz: (subnet) => [subnet.is_default === 1],
    'customer-owned-ipv4-pool': () => [],
    'enable-dns64': () => [false],
    'enable-lni-at-device-index': () => [],
    'ipv6-cidr-block-association.association-id': () => [],
    'ipv6-cidr-block-association.ipv6-cidr-block': () => [],
    'ipv6-cidr-block-association.state': () => [],
    'ipv6-native': () => [false],
    'map-customer-owned-ip-on-launch': () => [false],
    'outpost-arn': () => [],
    'private-dns-name-options-on-launch.enable-resource-name-dns-a-record': () => [false],
    'private-dns-name-options-on-launch.enable-resource-name-dns-aaaa-record': () => [false],
    'private-dns-name-options-on-launch.hostname-type': () => ['ip-name'],
    'map-public-ip-on-launch': (subnet) => [subnet.map_public_ip === 1],
    'owner-id': (subnet) => [subnet.account_id],
    state: () => ['available'],
    'subnet-arn': (subnet) => [subnetArn(region, subnet)],
    'subnet-id': (subnet) => [subnet.id],
    'vpc-id': (subnet) => [subnet.vpc_id],
  }
}
