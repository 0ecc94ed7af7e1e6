import { subnetArn, freeAddressCounts, subnetView, type SubnetFacts } from '../../views/subnet-view.ts'
import type { SubnetTable } from '../../store/tables.ts'
import { defineEc2Action } from '../define-action.ts'
import { describeThings } from '../describe-things.ts'
import { filterNames, type FilterFields } from '../filters.ts'
import { ownedOf } from '../owned-networks.ts'
import { zoneId } from '../../views/zone-id.ts'

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSubnets.html */
export const describeSubnets = defineEc2Action('DescribeSubnets', {
  honours: ['SubnetIds', 'Filters', 'MaxResults', 'NextToken'],
  filters: filterNames(subnetFields({ region: '', zones: [], freeOf: () => 0 }), { tagged: true }),
  ids: ['SubnetIds'],
  async run(ctx, input) {
    return ctx.read(async (db) => {
      const subnets = await ownedOf(ctx, db, 'subnet', input.SubnetIds)
      const { region, availabilityZones: zones } = ctx.settings
      const facts: SubnetFacts = { region, zones, freeOf: await freeAddressCounts(db, subnets) }
      const { views, nextToken } = await describeThings(ctx, db, input, {
        things: subnets,
        idOf: (subnet) => subnet.id,
        keyOf: (subnet) => `${subnet.availability_zone} ${subnet.id}`,
        fields: subnetFields(facts),
        exclusiveIds: (input.SubnetIds?.length ?? 0) > 0,
        view: (subnet, tags) => subnetView(facts, subnet, tags),
      })
      return { Subnets: views, NextToken: nextToken }
    })
  },
})

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
