import { blockSize, formatIpv4, isWellFormedId, parseCidr } from '@mallee/base'
import {
  invalidAddressNotFound,
  invalidAllocationIdMalformed,
  invalidAllocationIdNotFound,
  invalidNetworkInterfaceIdMalformed,
  invalidNetworkInterfaceIdNotFound,
  invalidSubnetIdMalformed,
  invalidSubnetIdNotFound,
  invalidVpcIdMalformed,
  invalidVpcIdNotFound,
} from '@mallee/ec2-api'
import { readInterfaces, type InterfaceView } from '../../store/network-store.ts'
import { readTags } from '../../store/tag-store.ts'
import { privateDnsName, publicDnsName } from '../../views/instance-view.ts'
import { defineEc2Action } from '../define-action.ts'
import { applyFilters } from '../filters.ts'
import { page } from '../pages.ts'
import { requireIds } from '../required-ids.ts'

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcs.html */
export const describeVpcs = defineEc2Action('DescribeVpcs', {
  mutates: false,
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
  mutates: false,
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
      const freeOf = (subnet: (typeof all)[number]) =>
        blockSize(parseCidr(subnet.cidr)!) - reservedAddresses - (usedIn.get(subnet.id) ?? 0)
      const tags = await readTags(
        db,
        ctx.caller.accountId,
        chosen.map((subnet) => subnet.id),
      )
      const found = applyFilters(
        chosen,
        input.Filters,
        {
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
        },
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

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeNetworkInterfaces.html */
export const describeNetworkInterfaces = defineEc2Action('DescribeNetworkInterfaces', {
  mutates: false,
  honours: ['NetworkInterfaceIds', 'Filters', 'MaxResults', 'NextToken', 'DryRun'],
  async run(ctx, input) {
    return ctx.read(async (db) => {
      const all = await readInterfaces(db, { accountId: ctx.caller.accountId })
      const ids = input.NetworkInterfaceIds ?? []
      const chosen =
        ids.length === 0
          ? all
          : requireIds(ids, all, {
              kind: 'networkInterface',
              idOf: (entry) => entry.id,
              malformed: invalidNetworkInterfaceIdMalformed,
              missing: invalidNetworkInterfaceIdNotFound,
            })
      const tags = await readTags(
        db,
        ctx.caller.accountId,
        chosen.map((entry) => entry.id),
      )
      const found = applyFilters(
        chosen,
        input.Filters,
        {
          'addresses.private-ip-address': (entry) => [formatIpv4(entry.private_ip)],
          'association.public-ip': (entry) => [entry.public_ip === null ? null : formatIpv4(entry.public_ip)],
          'attachment.instance-id': (entry) => [entry.instance_id],
          'attachment.device-index': (entry) => [entry.device_index],
          'attachment.status': (entry) => [entry.instance_id === null ? null : 'attached'],
          'availability-zone': (entry) => [entry.availability_zone],
          description: (entry) => [entry.description],
          'group-id': (entry) => entry.groups.map((group) => group.id),
          'group-name': (entry) => entry.groups.map((group) => group.name),
          'mac-address': (entry) => [entry.mac],
          'network-interface-id': (entry) => [entry.id],
          'owner-id': (entry) => [entry.account_id],
          'private-ip-address': (entry) => [formatIpv4(entry.private_ip)],
          'private-dns-name': (entry) => [privateDnsName(ctx.settings.region, entry.private_ip)],
          'source-dest-check': (entry) => [entry.source_dest_check === 1],
          status: (entry) => [entry.instance_id === null ? 'available' : 'in-use'],
          'subnet-id': (entry) => [entry.subnet_id],
          'vpc-id': (entry) => [entry.vpc_id],
        },
        (entry) => tags.get(entry.id) ?? [],
      )
      const cut = page(found, input, {
        idOf: (entry) => entry.id,
        secret: `DescribeNetworkInterfaces ${ctx.caller.accountId}`,
        exclusiveIds: ids.length > 0,
      })
      return {
        NetworkInterfaces: cut.items.map((entry) =>
          interfaceView(entry, ctx.settings.region, tags.get(entry.id) ?? []),
        ),
        NextToken: cut.nextToken,
      }
    })
  },
})

function interfaceView(entry: InterfaceView, region: string, tags: { Key: string; Value: string }[]) {
  const dns = privateDnsName(region, entry.private_ip)
  const association = associationOf(entry, region)
  return {
    NetworkInterfaceId: entry.id,
    AvailabilityZone: entry.availability_zone,
    Description: entry.description,
    Groups: entry.groups.map((group) => ({ GroupId: group.id, GroupName: group.name })),
    InterfaceType: 'interface' as const,
    Ipv6Addresses: [],
    MacAddress: entry.mac,
    OwnerId: entry.account_id,
    PrivateDnsName: dns,
    PrivateIpAddress: formatIpv4(entry.private_ip),
    PrivateIpAddresses: [
      { Primary: true, PrivateDnsName: dns, PrivateIpAddress: formatIpv4(entry.private_ip), ...association },
    ],
    RequesterManaged: false,
    SourceDestCheck: entry.source_dest_check === 1,
    Status: entry.instance_id === null ? ('available' as const) : ('in-use' as const),
    SubnetId: entry.subnet_id,
    TagSet: tags,
    VpcId: entry.vpc_id,
    ...association,
    ...(entry.instance_id === null
      ? {}
      : {
          Attachment: {
            AttachmentId: entry.attachment_id ?? '',
            AttachTime: new Date(entry.attached_at ?? entry.created_at),
            DeleteOnTermination: true,
            DeviceIndex: entry.device_index ?? 0,
            InstanceId: entry.instance_id,
            InstanceOwnerId: entry.account_id,
            Status: 'attached' as const,
          },
        }),
  }
}

function associationOf(entry: InterfaceView, region: string) {
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

/** Elastic IPs of the account; addresses that the cloud lends to instances are not among them, as on AWS. */
export const describeAddresses = defineEc2Action('DescribeAddresses', {
  mutates: false,
  honours: ['PublicIps', 'AllocationIds', 'Filters', 'DryRun'],
  async run(ctx, input) {
    return ctx.read(async (db) => {
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
        .select(['network_interface.instance_id', 'network_interface.private_ip'])
        .where('address.account_id', '=', ctx.caller.accountId)
        .where('address.allocation_id', 'is not', null)
        .orderBy('address.public_ip')
        .execute()
      for (const id of input.AllocationIds ?? []) {
        if (!isWellFormedId('allocation', id)) throw invalidAllocationIdMalformed(id)
        if (!rows.some((row) => row.allocation_id === id)) throw invalidAllocationIdNotFound([id])
      }
      for (const ip of input.PublicIps ?? [])
        if (!rows.some((row) => formatIpv4(row.public_ip) === ip)) throw invalidAddressNotFound(ip)
      const chosen = rows.filter(
        (row) =>
          ((input.AllocationIds?.length ?? 0) === 0 || input.AllocationIds!.includes(row.allocation_id!)) &&
          ((input.PublicIps?.length ?? 0) === 0 || input.PublicIps!.includes(formatIpv4(row.public_ip))),
      )
      const tags = await readTags(
        db,
        ctx.caller.accountId,
        chosen.map((row) => row.allocation_id!),
      )
      const found = applyFilters(
        chosen,
        input.Filters,
        {
          'allocation-id': (row) => [row.allocation_id],
          'association-id': (row) => [row.association_id],
          domain: () => ['vpc'],
          'instance-id': (row) => [row.instance_id],
          'network-interface-id': (row) => [row.interface_id],
          'private-ip-address': (row) => [row.private_ip === null ? null : formatIpv4(row.private_ip)],
          'public-ip': (row) => [formatIpv4(row.public_ip)],
        },
        (row) => tags.get(row.allocation_id!) ?? [],
      )
      return {
        Addresses: found.map((row) => ({
          PublicIp: formatIpv4(row.public_ip),
          AllocationId: row.allocation_id!,
          Domain: 'vpc' as const,
          Tags: tags.get(row.allocation_id!) ?? [],
          ...(row.association_id === null ? {} : { AssociationId: row.association_id }),
          ...(row.interface_id === null
            ? {}
            : { NetworkInterfaceId: row.interface_id, NetworkInterfaceOwnerId: row.account_id }),
          ...(row.instance_id === null ? {} : { InstanceId: row.instance_id }),
          ...(row.private_ip === null ? {} : { PrivateIpAddress: formatIpv4(row.private_ip) }),
        })),
      }
    })
  },
})
