import { formatIpv4 } from '@mallee/base'
import {
  invalidNetworkInterfaceIdMalformed,
  invalidNetworkInterfaceIdNotFound,
  type Ec2,
} from '@mallee/ec2-api'
import { readInterfaces, type InterfaceAddress, type InterfaceView } from '../../store/network-store.ts'
import { privateDnsName, publicDnsName } from '../../views/instance-view.ts'
import { defineEc2Action } from '../define-action.ts'
import { describeThings } from '../describe-things.ts'
import { filterNames, type FilterFields } from '../filters.ts'
import { requireIds } from '../required-ids.ts'

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeNetworkInterfaces.html */
export const describeNetworkInterfaces = defineEc2Action('DescribeNetworkInterfaces', {
  honours: ['NetworkInterfaceIds', 'Filters', 'MaxResults', 'NextToken'],
  filters: filterNames(interfaceFields(''), { tagged: true }),
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
        fields: interfaceFields(region),
        exclusiveIds: ids.length > 0,
        view: (entry, tags) => interfaceView(entry, region, tags),
      })
      return { NetworkInterfaces: views, NextToken: nextToken }
    })
  },
})

/** Also of an instance's interfaces, with `network-interface.` before each name (`instanceFields`). */
export function interfaceFields(region: string): FilterFields<InterfaceView> {
  const publicIp = (entry: InterfaceView) => [entry.public_ip === null ? null : formatIpv4(entry.public_ip)]
  const publicIps = (entry: InterfaceView) =>
    entry.addresses.map((own) => (own.public_ip === null ? null : formatIpv4(own.public_ip)))
  const owner = (entry: InterfaceView) => [associationOf(entry, region).Association?.IpOwnerId]
  const attached =
    (value: (entry: InterfaceView) => string | number | boolean | null) => (entry: InterfaceView) => [
      entry.instance_id === null ? null : value(entry),
    ]
  return {
    'addresses.association.owner-id': owner,
    'addresses.association.public-ip': publicIps,
    'addresses.primary': (entry) => entry.addresses.map((own) => own.is_primary === 1),
    'addresses.private-ip-address': (entry) => entry.addresses.map((own) => formatIpv4(own.private_ip)),
    'association.allocation-id': (entry) => [entry.address_allocation_id],
    'association.association-id': (entry) => [entry.address_association_id],
    'association.ip-owner-id': owner,
    'association.public-dns-name': (entry) => [associationOf(entry, region).Association?.PublicDnsName],
    'association.public-ip': publicIp,
    'attachment.attach-time': attached((entry) => attachTime(entry).toISOString()),
    'attachment.attachment-id': attached((entry) => entry.attachment_id),
    'attachment.delete-on-termination': attached((entry) => entry.delete_on_termination === 1),
    'attachment.device-index': attached((entry) => entry.device_index),
    'attachment.instance-id': attached((entry) => entry.instance_id),
    'attachment.instance-owner-id': attached((entry) => entry.account_id),
    'attachment.status': attached((entry) => entry.attachment_state),
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

export function interfaceView(entry: InterfaceView, region: string, tags: { Key: string; Value: string }[]) {
  return {
    NetworkInterfaceId: entry.id,
    AvailabilityZone: entry.availability_zone,
    Description: entry.description,
    Groups: entry.groups.map((group) => ({ GroupId: group.id, GroupName: group.name })),
    // As EC2 answers; its model writes `natGateway`, which no client has ever been told.
    InterfaceType: entry.type as Ec2.NetworkInterfaceType,
    Ipv6Addresses: [],
    MacAddress: entry.mac,
    OwnerId: entry.account_id,
    PrivateDnsName: privateDnsName(region, entry.private_ip),
    PrivateIpAddress: formatIpv4(entry.private_ip),
    PrivateIpAddresses: entry.addresses.map((own) => ({
      Primary: own.is_primary === 1,
      PrivateDnsName: privateDnsName(region, own.private_ip),
      PrivateIpAddress: formatIpv4(own.private_ip),
      ...associationOf(entry, region, own),
    })),
    RequesterManaged: entry.requester_managed === 1,
    SourceDestCheck: entry.source_dest_check === 1,
    Status: statusOf(entry),
    SubnetId: entry.subnet_id,
    TagSet: tags,
    VpcId: entry.vpc_id,
    ...associationOf(entry, region),
    ...(entry.instance_id === null
      ? {}
      : {
          Attachment: {
            AttachmentId: entry.attachment_id ?? '',
            AttachTime: attachTime(entry),
            DeleteOnTermination: entry.delete_on_termination === 1,
            DeviceIndex: entry.device_index ?? 0,
            InstanceId: entry.instance_id,
            InstanceOwnerId: entry.account_id,
            NetworkCardIndex: 0,
            Status: entry.attachment_state ?? ('attached' as const),
          },
        }),
  }
}

/** Of one of its addresses; the primary one where none is named. */
function associationOf(
  entry: InterfaceView,
  region: string,
  own: InterfaceAddress | undefined = entry.addresses[0],
): { Association?: Ec2.NetworkInterfaceAssociation } {
  if (!own || own.public_ip === null) return {}
  return {
    Association: {
      IpOwnerId: own.allocation_id === null ? 'amazon' : entry.account_id,
      PublicIp: formatIpv4(own.public_ip),
      PublicDnsName: publicDnsName(region, entry, own.public_ip),
      ...(own.association_id === null ? {} : { AssociationId: own.association_id }),
      ...(own.allocation_id === null ? {} : { AllocationId: own.allocation_id }),
    },
  }
}
