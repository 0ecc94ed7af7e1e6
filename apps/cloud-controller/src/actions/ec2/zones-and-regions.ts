import { invalidRegionNotFound, invalidZoneNotFound } from '@mallee/ec2-api'
import { quotaOf } from '../../store/quota-store.ts'
import type { Reader } from '../../store/record.ts'
import { zoneRoom } from '../../store/zone-room.ts'
import { zoneId } from '../../views/zone-id.ts'
import { defineEc2Action } from '../define-action.ts'
import { applyFilters, filterNames, type FilterFields } from '../filters.ts'

const regionFields: FilterFields<{ RegionName: string; Endpoint: string; OptInStatus: string }> = {
  'region-name': (entry) => [entry.RegionName],
  endpoint: (entry) => [entry.Endpoint],
  'opt-in-status': (entry) => [entry.OptInStatus],
}

/** One region: this cloud. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeRegions.html */
export const describeRegions = defineEc2Action('DescribeRegions', {
  honours: ['RegionNames', 'Filters'],
  only: { AllRegions: [true, false] }, // there is one, and it is enabled
  filters: filterNames(regionFields, { tagged: false }),
  async run(ctx, input) {
    const { region, endpoint } = ctx.settings
    const unknown = (input.RegionNames ?? []).filter((name) => name !== region)
    if (unknown.length > 0) throw invalidRegionNotFound(unknown)
    const regions = [
      {
        RegionName: region,
        Endpoint: endpoint.replace(/^https?:\/\//, ''),
        OptInStatus: 'opt-in-not-required',
      },
    ]
    return {
      Regions: applyFilters(regions, input.Filters, regionFields),
    }
  },
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeAvailabilityZones.html */
export const describeAvailabilityZones = defineEc2Action('DescribeAvailabilityZones', {
  honours: ['ZoneNames', 'ZoneIds', 'Filters'],
  only: { AllAvailabilityZones: [true, false] }, // no zone waits to be opted into
  filters: filterNames(zoneFields(''), { tagged: false }),
  ids: ['ZoneNames'],
  async run(ctx, input) {
    const { region, availabilityZones } = ctx.settings
    const zones = availabilityZones.map((name, index) => ({ name, id: zoneId(region, index) }))
    const unknown = [
      ...(input.ZoneNames ?? []).filter((name) => !zones.some((zone) => zone.name === name)),
      ...(input.ZoneIds ?? []).filter((id) => !zones.some((zone) => zone.id === id)),
    ]
    if (unknown.length > 0) throw invalidZoneNotFound(unknown)
    const chosen = zones.filter(
      (zone) =>
        ((input.ZoneNames?.length ?? 0) === 0 || input.ZoneNames!.includes(zone.name)) &&
        ((input.ZoneIds?.length ?? 0) === 0 || input.ZoneIds!.includes(zone.id)),
    )
    const found = applyFilters(chosen, input.Filters, zoneFields(region))
    const linesOf = ctx.scope === null ? await ctx.read(zoneRoomLines) : () => []
    return {
      AvailabilityZones: found.flatMap((zone) => [
        zoneView(region, zone),
        ...linesOf(zone.name).map(([name, state]) => ({
          ...zoneView(region, { name, id: zone.id }),
          State: state as never,
        })),
      ]),
    }
  },
})

function zoneView(region: string, zone: { name: string; id: string }) {
  return {
    State: 'available' as const,
    OptInStatus: 'opt-in-not-required' as const,
    Messages: [],
    RegionName: region,
    ZoneName: zone.name,
    ZoneId: zone.id,
    GroupName: region,
    NetworkBorderGroup: region,
    ZoneType: 'availability-zone',
  }
}

/** `verbose`, as Eucalyptus told its admin under each zone: what of each type fits, and how large it is. */
async function zoneRoomLines(db: Reader): Promise<(zone: string) => [name: string, state: string][]> {
  const types = await db.selectFrom('instance_type').selectAll().orderBy('name').execute()
  const roomIn = await zoneRoom(db)
  const padded = (count: number) => String(count).padStart(4, '0')
  return (zone) => [
    ['|- vm types', 'free / max   cpu   ram  disk'],
    ...types.map((type): [string, string] => {
      const { available, max } = roomIn(zone, type)
      const size = `${type.vcpus}   ${type.memory_mib}   ${type.disk_gib}`
      return [`|- ${type.name}`, `${padded(available)} / ${padded(max)}   ${size}`]
    }),
  ]
}

function zoneFields(region: string): FilterFields<{ name: string; id: string }> {
  return {
    'zone-name': (zone) => [zone.name],
    'zone-id': (zone) => [zone.id],
    'region-name': () => [region],
    'group-name': () => [region],
    'network-border-group': () => [region],
    'opt-in-status': () => ['opt-in-not-required'],
    'zone-type': () => ['availability-zone'],
    message: () => [],
    'parent-zoneID': () => [],
    'parent-zoneName': () => [],
    state: () => ['available'],
  }
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeAccountAttributes.html */
export const describeAccountAttributes = defineEc2Action('DescribeAccountAttributes', {
  honours: ['AttributeNames'],
  async run(ctx, input) {
    return ctx.read(async (db) => {
      const vpc = await db
        .selectFrom('vpc')
        .select('id')
        .where('account_id', '=', ctx.caller.accountId)
        .where('is_default', '=', 1)
        .executeTakeFirst()
      const quota = async (name: Parameters<typeof quotaOf>[2]) =>
        String(await quotaOf(db, ctx.caller.accountId, name))
      const attributes: Record<string, string[]> = {
        'supported-platforms': ['VPC'],
        'default-vpc': [vpc?.id ?? 'none'],
        'max-instances': [await quota('instances')],
        'vpc-max-security-groups-per-interface': [await quota('groups-per-interface')],
        // Addresses of EC2-Classic, of which there are none, count as those of VPCs.
        'max-elastic-ips': [await quota('elastic-addresses')],
        'vpc-max-elastic-ips': [await quota('elastic-addresses')],
      }
      const wanted: readonly string[] = input.AttributeNames ?? []
      return {
        AccountAttributes: Object.entries(attributes)
          .filter(([name]) => wanted.length === 0 || wanted.includes(name))
          .map(([name, values]) => ({
            AttributeName: name,
            AttributeValues: values.map((value) => ({ AttributeValue: value })),
          })),
      }
    })
  },
})
