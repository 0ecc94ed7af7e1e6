import { formatIpv4 } from '@mallee/base'
import type { MetadataOptions } from '@mallee/agent-contract'
import type { InterfaceView } from '../../store/network-store.ts'
import {
  instanceState,
  privateDnsName,
  publicDnsName,
  rootDeviceNameOf,
  transitionReason,
  type InstanceRows,
} from '../../views/instance-view.ts'
import type { FilterFields } from '../filters.ts'

type Values = readonly (string | number | boolean | null | undefined)[]

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
    'dns-name': (row) => row.interfaces.map((entry) => publicDnsName(region, entry.public_ip)),
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
    ...interfaceFields(region),
  }
}

function groups(row: InstanceRows) {
  return row.interfaces.flatMap((entry) => entry.groups)
}

/** `network-interface.…`: of any of the instance's interfaces; `association.…` alone as well, as AWS had it once. */
function interfaceFields(region: string): FilterFields<InstanceRows> {
  const owner = (entry: InterfaceView) =>
    entry.public_ip === null ? null : entry.address_allocation_id === null ? 'amazon' : entry.account_id
  const fields: Record<string, (entry: InterfaceView) => Values> = {
    'addresses.association.ip-owner-id': (entry) => [owner(entry)],
    'addresses.association.public-ip': (entry) => [address(entry.public_ip)],
    'addresses.primary': () => [true],
    'addresses.private-ip-address': (entry) => [address(entry.private_ip)],
    'association.allocation-id': (entry) => [entry.address_allocation_id],
    'association.association-id': (entry) => [entry.address_association_id],
    'association.ip-owner-id': (entry) => [owner(entry)],
    'association.public-ip': (entry) => [address(entry.public_ip)],
    'attachment.attach-time': (entry) => [time(entry.attached_at)],
    'attachment.attachment-id': (entry) => [entry.attachment_id],
    'attachment.delete-on-termination': () => [true],
    'attachment.device-index': (entry) => [entry.device_index],
    'attachment.instance-id': (entry) => [entry.instance_id],
    'attachment.instance-owner-id': (entry) => [entry.account_id],
    'attachment.status': () => ['attached'],
    'availability-zone': (entry) => [entry.availability_zone],
    description: (entry) => [entry.description],
    'group-id': (entry) => entry.groups.map((group) => group.id),
    'group-name': (entry) => entry.groups.map((group) => group.name),
    'ipv6-addresses.ipv6-address': () => [],
    'mac-address': (entry) => [entry.mac],
    'network-interface-id': (entry) => [entry.id],
    'owner-id': (entry) => [entry.account_id],
    'private-dns-name': (entry) => [privateDnsName(region, entry.private_ip)],
    'requester-id': () => [],
    'requester-managed': () => [false],
    'source-dest-check': (entry) => [entry.source_dest_check === 1],
    status: () => ['in-use'],
    'subnet-id': (entry) => [entry.subnet_id],
    'vpc-id': (entry) => [entry.vpc_id],
  }
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, read]) => {
      const names = [`network-interface.${name}`, ...(name.startsWith('association.') ? [name] : [])]
      return names.map((known) => [known, (row: InstanceRows) => row.interfaces.flatMap(read)])
    }),
  )
}
