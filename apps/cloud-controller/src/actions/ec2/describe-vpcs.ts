import { readVpcCidrs } from '../../store/vpc-cidr-store.ts'
import { dhcpOptionsIdOf, vpcView, type VpcRows } from '../../views/vpc-view.ts'
import { defineEc2Action } from '../define-action.ts'
import { describeThings } from '../describe-things.ts'
import { filterNames, type FilterFields } from '../filters.ts'
import { ownedOf } from '../owned-networks.ts'

const vpcFields: FilterFields<VpcRows> = {
  cidr: ({ vpc }) => [vpc.cidr],
  'cidr-block-association.association-id': ({ cidrs }) => cidrs.map((row) => row.id),
  'cidr-block-association.cidr-block': ({ cidrs }) => cidrs.map((row) => row.cidr),
  'cidr-block-association.state': () => ['associated'],
  'dhcp-options-id': ({ vpc }) => [dhcpOptionsIdOf(vpc)],
  'ipv6-cidr-block-association.association-id': () => [],
  'ipv6-cidr-block-association.ipv6-cidr-block': () => [],
  'ipv6-cidr-block-association.ipv6-pool': () => [],
  'ipv6-cidr-block-association.state': () => [],
  'is-default': ({ vpc }) => [vpc.is_default === 1],
  isDefault: ({ vpc }) => [vpc.is_default === 1],
  'owner-id': ({ vpc }) => [vpc.account_id],
  state: () => ['available'],
  'vpc-id': ({ vpc }) => [vpc.id],
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcs.html */
export const describeVpcs = defineEc2Action('DescribeVpcs', {
  honours: ['VpcIds', 'Filters', 'MaxResults', 'NextToken'],
  filters: filterNames(vpcFields, { tagged: true }),
  ids: ['VpcIds'],
  async run(ctx, input) {
    return ctx.read(async (db) => {
      const vpcs = await ownedOf(ctx, db, 'vpc', input.VpcIds)
      const cidrs = await readVpcCidrs(
        db,
        vpcs.map((vpc) => vpc.id),
      )
      const { views, nextToken } = await describeThings(ctx, db, input, {
        things: vpcs.map((vpc): VpcRows => ({ vpc, cidrs: cidrs.get(vpc.id) ?? [] })),
        idOf: ({ vpc }) => vpc.id,
        fields: vpcFields,
        exclusiveIds: (input.VpcIds?.length ?? 0) > 0,
        view: vpcView,
      })
      return { Vpcs: views, NextToken: nextToken }
    })
  },
})
