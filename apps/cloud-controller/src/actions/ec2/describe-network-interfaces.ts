import { formatIpv4 } from '@mallee/base'
import {
  invalidNetworkInterfaceIdMalformed,
  invalidNetworkInterfaceIdNotFound,
  type Ec2,
} from '@mallee/ec2-api'
import { readInterfaces, type InterfaceView } from '../../store/network-store.ts'
import { privateDnsName, publicDnsName } from '../../views/instance-view.ts'
import { defineEc2Action } from '../define-action.ts'
import { describeThings } from '../describe-things.ts'
import { filterNames, type FilterFields } from '../filters.ts'
import { requireIds } from '../required-ids.ts'

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeNetworkInterfaces.html */
export const describeNetworkInterfaces = defineEc2Action('DescribeNetworkInterfaces', {
  honours: ['NetworkInterfaceIds', 'Filters', 'MaxResults', 'NextToken'],
  filters: filterNames(fields(''), { tagged: true }),
  ids: ['NetworkInterfaceIds'],
  async run(ctx, input) {
    const { region } = ctx.settings
    return ctx.read(async (db) => {
      const all = await readInterfaces(db, ctx.scope === null ? {} : { accountId: ctx.scope })
      const ids = input.NetworkInterfaceIds ?? []
      const { views, nextToken } = await describeThings(ctx, db, input, {
        things:
          ids.length === 0
            ? all
            : requireIds(ids, all, {
                kind: 'networkInterface',
                idOf: (entry) => entry.id,
                malformed: invalidNetworkInterfaceIdMalformed,
                missing: invalidNetworkInterfaceIdNotFound,
              }),
        idOf: (entry) => entry.id,
        fields: fields(region),
        exclusiveIds: ids.length > 0,
        view: (entry, tags) => interfaceView(entry, region, tags),
      })
      return { NetworkInterfaces: views, NextToken: nextToken }
    })
  },
})

function fields(region: string): FilterFields<InterfaceView> {
  const publicIp = (entry: InterfaceView) => [entry.public_ip === null ? null : formatIpv4(entry.public_ip)]
  const owner = (entry: InterfaceView) => [associationOf(entry, region).Association?.IpOwnerId]
  const attached =
    (value: (entry: InterfaceView) => string | number | boolean | null) => (entry: InterfaceView) => [
      entry.instance_id === null ? null : value(entry),
    ]
  return {
    'addresses.association.owner-id': owner,
    'addresses.association.public-ip': publicIp,
    'addresses.primary': () => [true],
    'addresses.private-ip-address': (entry) => [formatIpv4(entry.private_ip)],
    'association.allocation-id': (entry) => [entry.address_allocation_id],
    'association.association-id': (entry) => [entry.address_association_id],
    'association.ip-owner-id': owner,
    'association.public-dns-name': (entry) => [associationOf(entry, region).Association?.PublicDnsName],
    'association.public-ip': publicIp,
    'attachment.attach-time': attached((entry) => attachTime(entry).toISOString()),
    'attachment.attachment-id': attached((entry) => entry.attachment_id),
    'attachment.delete-on-termination': attached(() => true),
    'attachment.device-index': attached((entry) => entry.device_index),
    'attachment.instance-id': attached((entry) => entry.instance_id),
    'attachment.instance-owner-id': attached((entry) => entry.account_id),
    'attachment.status': attached(() => 'attached'),
    'availability-zone': (entry) => [entry.availability_zone],
    description: (entry) => [entry.description],
    'group-id': (entry) => entry.groups.map((group) => group.id),
    'group-name': (entry) => entry.groups.map((group) => group.name),
    'interface-type': (entry) => [entry.type],
    'ipv6-addresses.ipv6-address': () => [],
    'mac-address': (entry) => [entry.mac],
    'network-interface-id': (entry) => [entry.id],
    'owner-id': (entry) => [entry.account_id],
    'private-dns-name': (entry) => [privateDnsName(region, entry.private_ip)],
    'private-ip-address': (entry) => [formatIpv4(entry.private_ip)],
    'requester-id': () => [],
    'requester-managed': (entry) => [entry.requester_managed === 1],
    'source-dest-check': (entry) => [entry.source_dest_check === 1],
    status: (entry) => [statusOf(entry)],
    'subnet-id': (entry) => [entry.subnet_id],
    'vpc-id': (entry) => [entry.vpc_id],
  }
}

/** What a service keeps is in use as long as it is there. */
function statusOf(entry: InterfaceView): 'available' | 'in-use' {
  return entry.instance_id === null && entry.requester_managed === 0 ? 'available' : 'in-use'
}

function attachTime(entry: InterfaceView): Date {
  return new Date(entry.attached_at ?? entry.created_at)
}

function interfaceView(entry: InterfaceView, region: string, tags: { Key: string; Value: string }[]) {
  const dns = privateDnsName(region, entry.private_ip)
  const association = associationOf(entry, region)
  return {
    NetworkInterfaceId: entry.id,
    AvailabilityZone: entry.availability_zone,
    Description: entry.description,
    Groups: entry.groups.map((group) => ({ GroupId: group.id, GroupName: group.name })),
    // As EC2 spells it on the wire; its model has `natGateway`.
    InterfaceType: entry.type as 'interface',
    Ipv6Addresses: [],
    MacAddress: entry.mac,
    OwnerId: entry.account_id,
    PrivateDnsName: dns,
    PrivateIpAddress: formatIpv4(entry.private_ip),
    PrivateIpAddresses: [
      { Primary: true, PrivateDnsName: dns, PrivateIpAddress: formatIpv4(entry.private_ip), ...association },
    ],
    RequesterManaged: entry.requester_managed === 1,
    SourceDestCheck: entry.source_dest_check === 1,
    Status: statusOf(entry),
    SubnetId: entry.subnet_id,
    TagSet: tags,
    VpcId: entry.vpc_id,
    ...association,
    ...(entry.instance_id === null
      ? {}
      : {
          Attachment: {
            AttachmentId: entry.attachment_id ?? '',
            AttachTime: attachTime(entry),
            DeleteOnTermination: true,
            DeviceIndex: entry.device_index ?? 0,
            InstanceId: entry.instance_id,
            InstanceOwnerId: entry.account_id,
            Status: 'attached' as const,
          },
        }),
  }
}

function associationOf(
  entry: InterfaceView,
  region: string,
): { Association?: Ec2.NetworkInterfaceAssociation } {
  if (entry.public_ip === null) return {}
  return {
    Association: {
      IpOwnerId: entry.address_allocation_id === null ? 'amazon' : entry.account_id,
      PublicIp: formatIpv4(entry.public_ip),
      PublicDnsName: publicDnsName(region, entry.public_ip),
      ...(entry.address_association_id === null ? {} : { AssociationId: entry.address_association_id }),
      ...(entry.address_allocation_id === null ? {} : { AllocationId: entry.address_allocation_id }),
    },
  }
}
