/** The filters that the describing commands offer, by action. Left out: names that the client spells as nobody else does. */
const tags = 'tag-key tag-value tag:colour'
const under = (prefix: string, names: string) =>
  names
    .split(' ')
    .map((name) => `${prefix}${name}`)
    .join(' ')
const interfaceOfInstance = under(
  'network-interface.',
  `addresses.association.ip-owner-id addresses.association.public-ip addresses.primary addresses.private-ip-address
   attachment.device-index attachment.attach-time attachment.attachment-id attachment.delete-on-termination
   attachment.instance-owner-id attachment.status availability-zone description group-id group-name mac-address
   owner-id private-dns-name requester-id requester-managed status subnet-id vpc-id`.replaceAll(/\s+/g, ' '),
)
const names: Readonly<Record<string, string>> = {
  DescribeInstances: `architecture association.allocation-id association.association-id association.ip-owner-id
    association.public-ip availability-zone block-device-mapping.attach-time
    block-device-mapping.delete-on-termination block-device-mapping.device-name block-device-mapping.status
    block-device-mapping.volume-id client-token dns-name group-id group-name hypervisor iam-instance-profile.arn
    image-id instance.group-id instance.group-name instance-id instance-lifecycle instance-state-code
    instance-state-name instance-type ip-address kernel-id key-name launch-index launch-time monitoring-state
    owner-id placement-group-name platform private-dns-name private-ip-address product-code product-code.type
    ramdisk-id reason requester-id reservation-id root-device-name root-device-type spot-instance-request-id
    state-reason-code state-reason-message subnet-id virtualization-type vpc-id ${tags} ${interfaceOfInstance}`,
  DescribeInstanceStatus: `availability-zone event.code event.description event.not-after event.not-before
    instance-state-code instance-state-name instance-status.status instance-status.reachability system-status.status
    system-status.reachability`,
  DescribeImages: `architecture block-device-mapping.delete-on-termination block-device-mapping.device-name
    block-device-mapping.snapshot-id block-device-mapping.volume-size block-device-mapping.volume-type description
    hypervisor image-id image-type is-public kernel-id manifest-location name owner-alias owner-id platform
    product-code product-code.type ramdisk-id root-device-name root-device-type state state-reason-code
    state-reason-message virtualization-type ${tags}`,
  DescribeSecurityGroups: `description group-id group-name ip-permission.cidr ip-permission.from-port
    ip-permission.group-name ip-permission.protocol ip-permission.to-port ip-permission.user-id owner-id
    tag-key tag-value vpc-id`,
  DescribeNetworkInterfaces: `addresses.primary addresses.association.public-ip addresses.association.owner-id
    association.association-id association.allocation-id association.ip-owner-id association.public-ip
    association.public-dns-name attachment.attachment-id attachment.instance-id attachment.instance-owner-id
    attachment.device-index attachment.status attachment.delete-on-termination availability-zone description
    group-id group-name mac-address network-interface-id owner-id private-ip-address private-dns-name requester-id
    requester-managed source-dest-check status subnet-id vpc-id ${tags}`,
  DescribeAddresses: `allocation-id association-id domain instance-id network-interface-id
    network-interface-owner-id private-ip-address public-ip`,
  DescribeAvailabilityZones: 'message region-name state zone-name',
  DescribeRegions: 'endpoint region-name',
  DescribeBundleTasks: `bundle-id error-code error-message instance-id progress s3-bucket s3-prefix start-time state
    update-time`,
  DescribeTags: 'key resource-id resource-type value',
  DescribeKeyPairs: 'fingerprint key-name',
  DescribeVolumes: `attachment.attach-time attachment.delete-on-termination attachment.device
    attachment.instance-id attachment.status availability-zone create-time size snapshot-id status volume-id
    volume-type ${tags}`,
  DescribeSnapshots: `description owner-alias owner-id progress snapshot-id start-time status volume-id volume-size
    ${tags}`,
  DescribeVpcs: `cidr state dhcp-options-id ${tags}`,
  DescribeInternetGateways: `attachment.state attachment.vpc-id internet-gateway-id ${tags}`,
  DescribeRouteTables: `association.route-table-association-id association.route-table-id association.subnet-id
    association.main route-table-id route.destination-cidr-block route.gateway-id route.vpc-peering-connection-id
    route.origin route.state vpc-id ${tags}`,
  DescribeNetworkAcls: `association.association-id association.network-acl-id association.subnet-id default
    entry.cidr entry.egress entry.icmp.code entry.icmp.type entry.port-range.from entry.port-range.to entry.protocol
    entry.rule-action entry.rule-number network-acl-id vpc-id ${tags}`,
  DescribeDhcpOptions: `dhcp-options-id key value ${tags}`,
  DescribeVpcPeeringConnections: `accepter-vpc-info.cidr-block accepter-vpc-info.owner-id accepter-vpc-info.vpc-id
    expiration-time requester-vpc-info.cidr-block requester-vpc-info.owner-id requester-vpc-info.vpc-id status-code
    status-message vpc-peering-connection-id ${tags}`,
  DescribeNatGateways: 'nat-gateway-id state subnet-id vpc-id',
  DescribeSubnets: `availability-zone available-ip-address-count cidr-block default-for-az state subnet-id vpc-id
    ${tags}`,
}

export const clientFilters: readonly (readonly [action: string, filters: readonly string[]])[] =
  Object.entries(names).map(([action, text]) => [action, text.trim().split(/\s+/)])
