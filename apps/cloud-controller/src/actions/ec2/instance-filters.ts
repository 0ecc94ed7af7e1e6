import { formatIpv4 } from '@mallee/base'
import type { MetadataOptions } from '@mallee/agent-contract'
import {
  instanceState,
  privateDnsName,
  publicDnsName,
  rootDeviceNameOf,
  transitionReason,
  type InstanceRows,
} from '../../views/instance-view.ts'
import type { FilterFields } from '../filters.ts'
import { interfaceFields } from './describe-network-interfaces.ts'

const address = (value: number | null) => (value === null ? null : formatIpv4(value))
const time = (atMs: number | null) => (atMs === null ? null : new Date(atMs).toISOString())
const options = (row: InstanceRows) => JSON.parse(row.instance.metadata_options) as MetadataOptions

/**
 * The filters of DescribeInstances. What no instance of this cloud has (a dedicated host, a spot request, an outpost)
 * is a filter that nothing matches, as on AWS for an account without such things.
 */
export function instanceFields(region: string): FilterFields<InstanceRows> {
  return {
    affinity: () => [],
    architecture: (row) => [row.image?.architecture],
    'availability-zone': (row) => [row.instance.availability_zone],
    'block-device-mapping.attach-time': (row) => row.volumes.map((entry) => time(entry.attached_at)),
    'block-device-mapping.delete-on-termination': (row) =>
      row.volumes.map((entry) => entry.delete_on_termination === 1),
    'block-device-mapping.device-name': (row) => row.volumes.map((entry) => entry.device),
    'block-device-mapping.status': (row) => row.volumes.map((entry) => entry.state),
    'block-device-mapping.volume-id': (row) => row.volumes.map((entry) => entry.volume_id),
    'capacity-reservation-id': () => [],
    'client-token': (row) => [row.instance.client_token],
    'dns-name': (row) => row.interfaces.map((entry) => publicDnsName(region, entry, entry.public_ip)),
    'group-id': (row) => groups(row).map((group) => group.id),
    'group-name': (row) => groups(row).map((group) => group.name),
    'hibernation-options.configured': () => [false],
    'host-id': () => [],
    hypervisor: () => ['xen'],
    'iam-instance-profile.arn': () => [],
    'image-id': (row) => [row.instance.image_id],
    'instance-id': (row) => [row.instance.id],
    'instance-lifecycle': () => [],
    'instance-state-code': (row) => [instanceState(row.instance.state).Code],
    'instance-state-name': (row) => [row.instance.state],
    'instance-type': (row) => [row.instance.instance_type],
    'instance.group-id': (row) => groups(row).map((group) => group.id),
    'instance.group-name': (row) => groups(row).map((group) => group.name),
    'ip-address': (row) => row.interfaces.map((entry) => address(entry.public_ip)),
    'kernel-id': (row) => [row.instance.kernel_id],
    'key-name': (row) => [row.instance.key_name],
    'launch-index': (row) => [row.instance.launch_index],
    'launch-time': (row) => [time(row.instance.launched_at)],
    'metadata-options.http-endpoint': (row) => [options(row).endpointEnabled ? 'enabled' : 'disabled'],
    'metadata-options.http-put-response-hop-limit': (row) => [options(row).hopLimit],
    'metadata-options.http-tokens': (row) => [options(row).tokensRequired ? 'required' : 'optional'],
    'monitoring-state': (row) => [row.instance.monitoring === 1 ? 'enabled' : 'disabled'],
    'outpost-arn': () => [],
    'owner-id': (row) => [row.instance.account_id],
    'placement-group-name': (row) => [row.placementGroup?.name],
    'placement-partition-number': (row) => [row.instance.partition_number],
    platform: () => [],
    'private-dns-name': (row) => row.interfaces.map((entry) => privateDnsName(region, entry.private_ip)),
    'private-ip-address': (row) => row.interfaces.map((entry) => address(entry.private_ip)),
    'product-code': () => [],
    'product-code.type': () => [],
    'ramdisk-id': (row) => [row.instance.ramdisk_id],
    reason: (row) => [transitionReason(row.instance)],
    'requester-id': () => [],
    'reservation-id': (row) => [row.instance.reservation_id],
    'root-device-name': (row) => [rootDeviceNameOf(row)],
    'root-device-type': (row) => [row.instance.root_device_type],
    'source-dest-check': (row) => row.interfaces.map((entry) => entry.source_dest_check === 1),
    'spot-instance-request-id': () => [],
    'state-reason-code': (row) => [row.instance.state_reason_code],
    'state-reason-message': (row) => [row.instance.state_reason_message],
    'subnet-id': (row) => [row.instance.subnet_id],
    tenancy: () => ['default'],
    'virtualization-type': () => ['hvm'],
    'vpc-id': (row) => [row.instance.vpc_id],
    ...fieldsOfInterfaces(region),
  }
}

function groups(row: InstanceRows) {
  return row.interfaces.flatMap((entry) => entry.groups)
}

/** What DescribeInstances knows of the filters of interfaces. */
const interfaceFilters = [
  ...['addresses.association.public-ip', 'addresses.primary', 'addresses.private-ip-address'],
  ...['association.allocation-id', 'association.association-id'],
  ...['association.ip-owner-id', 'association.public-ip'],
  ...['attachment.attach-time', 'attachment.attachment-id', 'attachment.delete-on-termination'],
  ...['attachment.device-index', 'attachment.instance-id', 'attachment.instance-owner-id'],
  ...['attachment.status', 'availability-zone', 'description', 'group-id', 'group-name'],
  ...['ipv6-addresses.ipv6-address', 'mac-address', 'network-interface-id', 'owner-id'],
  ...['private-dns-name', 'requester-id', 'requester-managed', 'source-dest-check', 'status'],
  ...['subnet-id', 'vpc-id'],
]

/** `network-interface.…`: of any of the instance's interfaces; `association.…` alone as well, as AWS had it once. */
function fieldsOfInterfaces(region: string): FilterFields<InstanceRows> {
  const known = interfaceFields(region)
  const of = (name: string) => (row: InstanceRows) => row.interfaces.flatMap((entry) => known[name]!(entry))
  return Object.fromEntries([
    ...interfaceFilters.map((name) => [`network-interface.${name}`, of(name)] as const),
    ['network-interface.addresses.association.ip-owner-id', of('addresses.association.owner-id')],
    ...interfaceFilters
      .filter((name) => name.startsWith('association.'))
      .map((name) => [name, of(name)] as const),
  ])
}
