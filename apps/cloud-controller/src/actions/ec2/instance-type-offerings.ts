import type { Ec2 } from '@mallee/ec2-api'
import { defineEc2Action, type ActionContext } from '../define-action.ts'
import { describeThings } from '../describe-things.ts'
import { filterNames, type FilterFields } from '../filters.ts'
import { zoneId } from '../../views/zone-id.ts'

interface Offering {
  readonly type: string
  readonly location: string
}

const fields: FilterFields<Offering> = {
  'instance-type': (offering) => [offering.type],
  location: (offering) => [offering.location],
}

/**
 * Every type is offered in every zone: a type is a size, which any node may have room for.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceTypeOfferings.html
 */
export const describeInstanceTypeOfferings = defineEc2Action('DescribeInstanceTypeOfferings', {
  honours: ['LocationType', 'Filters', 'MaxResults', 'NextToken'],
  filters: filterNames(fields, { tagged: false }),
  async run(ctx, input) {
    const locationType = input.LocationType ?? 'region'
    return ctx.read(async (db) => {
      const types = await db.selectFrom('instance_type').select('name').execute()
      const { views, nextToken } = await describeThings(ctx, db, input, {
        things: types.flatMap(({ name }) =>
          locationsOf(ctx, locationType).map((location) => ({ type: name, location })),
        ),
        idOf: (offering) => `${offering.type} ${offering.location}`,
        tagged: false,
        fields,
        view: (offering) => ({
          InstanceType: offering.type,
          LocationType: locationType,
          Location: offering.location,
        }),
      })
      return { InstanceTypeOfferings: views, NextToken: nextToken }
    })
  },
})

/** There are no outposts, and so none that offers anything. */
function locationsOf(ctx: ActionContext, type: Ec2.LocationType): string[] {
  const { region, availabilityZones } = ctx.settings
  if (type === 'region') return [region]
  if (type === 'availability-zone') return [...availabilityZones]
  if (type === 'availability-zone-id') return availabilityZones.map((_zone, index) => zoneId(region, index))
  return []
}
