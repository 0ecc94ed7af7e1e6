import { formatIpv4, isWellFormedId } from '@mallee/base'
import {
  invalidAddressNotFound,
  invalidAllocationIdMalformed,
  invalidAllocationIdNotFound,
  type Ec2Input,
} from '@mallee/ec2-api'
import type { Reader } from '../../store/record.ts'
import { defineEc2Action } from '../define-action.ts'
import { describeThings } from '../describe-things.ts'
import { filterNames, type FilterFields } from '../filters.ts'

interface AddressRow {
  readonly public_ip: number
  readonly allocation_id: string | null
  readonly association_id: string | null
  readonly interface_id: string | null
  readonly account_id: string
  readonly instance_id: string | null
  readonly private_ip: number | null
}

const fields = (region: string): FilterFields<AddressRow> => ({
  'network-border-group': () => [region],
  'allocation-id': (row) => [row.allocation_id],
  'association-id': (row) => [row.association_id],
  domain: () => ['vpc'],
  'instance-id': (row) => [row.instance_id],
  'network-interface-id': (row) => [row.interface_id],
  'network-interface-owner-id': (row) => [row.interface_id === null ? null : row.account_id],
  'private-ip-address': (row) => [row.private_ip === null ? null : formatIpv4(row.private_ip)],
  'public-ip': (row) => [formatIpv4(row.public_ip)],
})

/**
 * Elastic IPs of the account; addresses that the cloud lends to instances are not among them, as on AWS.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeAddresses.html
 */
export const describeAddresses = defineEc2Action('DescribeAddresses', {
  honours: ['PublicIps', 'AllocationIds', 'Filters'],
  filters: filterNames(fields(''), { tagged: true }),
  ids: ['PublicIps', 'AllocationIds'],
  async run(ctx, input) {
    return ctx.read(async (db) => {
      const { views } = await describeThings(ctx, db, input, {
        things: await chooseRows(db, ctx.scope, input),
        idOf: (row) => row.allocation_id!,
        keyOf: (row) => String(row.public_ip).padStart(10, '0'),
        fields: fields(ctx.settings.region),
        view: (row, tags) => addressView(row, ctx.settings.region, tags),
      })
      return { Addresses: views }
    })
  },
})

async function chooseRows(
  db: Reader,
  scope: string | null,
  input: Ec2Input<'DescribeAddresses'>,
): Promise<AddressRow[]> {
  const rows = await db
    .selectFrom('address')
    .leftJoin('network_interface', 'network_interface.id', 'address.interface_id')
    .select([
      'address.public_ip',
      'address.allocation_id',
      'address.association_id',
      'address.interface_id',
      'address.account_id',
    ])
    .select(['network_interface.instance_id', 'address.private_ip'])
    .$if(scope !== null, (query) => query.where('address.account_id', '=', scope!))
    .where('address.allocation_id', 'is not', null)
    .orderBy('address.public_ip')
    .execute()
  for (const id of input.AllocationIds ?? []) {
    if (!isWellFormedId('allocation', id)) throw invalidAllocationIdMalformed(id)
    if (!rows.some((row) => row.allocation_id === id)) throw invalidAllocationIdNotFound([id])
  }
  for (const ip of input.PublicIps ?? []) {
    if (!rows.some((row) => formatIpv4(row.public_ip) === ip)) throw invalidAddressNotFound(ip)
  }
  return rows.filter(
    (row) =>
      ((input.AllocationIds?.length ?? 0) === 0 || input.AllocationIds!.includes(row.allocation_id!)) &&
      ((input.PublicIps?.length ?? 0) === 0 || input.PublicIps!.includes(formatIpv4(row.public_ip))),
  )
}

function addressView(row: AddressRow, region: string, tags: { Key: string; Value: string }[]) {
  return {
    PublicIp: formatIpv4(row.public_ip),
    AllocationId: row.allocation_id!,
    Domain: 'vpc' as const,
    PublicIpv4Pool: 'amazon',
    NetworkBorderGroup: region,
    Tags: tags,
    ...(row.association_id === null ? {} : { AssociationId: row.association_id }),
    ...(row.interface_id === null
      ? {}
      : { NetworkInterfaceId: row.interface_id, NetworkInterfaceOwnerId: row.account_id }),
    ...(row.instance_id === null ? {} : { InstanceId: row.instance_id }),
    ...(row.private_ip === null ? {} : { PrivateIpAddress: formatIpv4(row.private_ip) }),
  }
}
