import { blockSize, parseCidr } from '@mallee/base'
import type { Tag } from '@mallee/ec2-api'
import { zoneId } from './zone-id.ts'
import { readInSlices } from '../store/read-in-slices.ts'
import type { Reader } from '../store/record.ts'
import type { SubnetTable } from '../store/network-tables.ts'

/** Of a subnet's addresses five are reserved (AWS VPC User Guide, "Subnet CIDR reservations"). */
const reservedAddresses = 5

export interface SubnetFacts {
  readonly region: string
  readonly zones: readonly string[]
  freeOf(subnet: SubnetTable): number
}

/** How many addresses of each of these subnets are still to be had. */
export async function freeAddressCounts(
  db: Reader,
  subnets: readonly SubnetTable[],
): Promise<SubnetFacts['freeOf']> {
  const ids = subnets.map((subnet) => subnet.id)
  const used = await readInSlices(ids, (slice) =>
    db
      .selectFrom('network_interface_address')
      .select((eb) => ['subnet_id', eb.fn.countAll<number>().as('count')])
      .where('subnet_id', 'in', slice)
      .groupBy('subnet_id')
      .execute(),
  )
  const usedIn = new Map(used.map((row) => [row.subnet_id, Number(row.count)]))
  return (subnet) => blockSize(parseCidr(subnet.cidr)!) - reservedAddresses - (usedIn.get(subnet.id) ?? 0)
}

export function subnetView({ region, zones, freeOf }: SubnetFacts, subnet: SubnetTable, tags: Tag[]) {
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
    MapCustomerOwnedIpOnLaunch: false,
    AssignIpv6AddressOnCreation: false,
    EnableDns64: false,
    Ipv6Native: false,
    Ipv6CidrBlockAssociationSet: [],
    PrivateDnsNameOptionsOnLaunch: {
      HostnameType: 'ip-name' as const,
      EnableResourceNameDnsARecord: false,
      EnableResourceNameDnsAAAARecord: false,
    },
    Tags: tags,
  }
}

export function subnetArn(region: string, subnet: SubnetTable): string {
  return `arn:aws:ec2:${region}:${subnet.account_id}:subnet/${subnet.id}`
}
