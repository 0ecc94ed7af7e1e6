import { governanceError } from '@mallee/governance-api'
import { defaultQuotas, type QuotaName } from '../../store/quota-store.ts'

/** A quota of quota-store.ts as Service Quotas shows it. */
export interface CataloguedQuota {
  readonly name: QuotaName
  readonly serviceCode: keyof typeof quotaServices
  /** AWS's own where AWS counts the same; never changes. */
  readonly code: string
  readonly title: string
}

export const quotaServices = {
  ebs: 'Amazon Elastic Block Store (Amazon EBS)',
  ec2: 'Amazon Elastic Compute Cloud (Amazon EC2)',
  vpc: 'Amazon Virtual Private Cloud (Amazon VPC)',
} as const

type Entry = readonly [service: keyof typeof quotaServices, code: string | null, title: string]

const entries: Readonly<Record<QuotaName, Entry>> = {
  instances: ['ec2', null, 'Instances'],
  vcpus: ['ec2', 'L-1216C47A', 'Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances'],
  'key-pairs': ['ec2', null, 'Key pairs'],
  images: ['ec2', 'L-B665C33B', 'AMIs'],
  'tags-per-resource': ['ec2', null, 'Tags per resource'],
  'launch-templates': ['ec2', 'L-FB451C26', 'Launch templates'],
  'versions-per-launch-template': ['ec2', null, 'Versions per launch template'],
  'placement-groups': ['ec2', null, 'Placement groups'],
  'elastic-addresses': ['ec2', 'L-0263D0A3', 'EC2-VPC Elastic IPs'],
  volumes: ['ebs', null, 'Volumes'],
  'volume-gib': ['ebs', null, 'Storage for volumes, in GiB'],
  snapshots: ['ebs', 'L-309BACF6', 'Snapshots per Region'],
  vpcs: ['vpc', 'L-F678F1CE', 'VPCs per Region'],
  'vpc-cidrs': ['vpc', 'L-83CA0A9D', 'IPv4 CIDR blocks per VPC'],
  'subnets-per-vpc': ['vpc', 'L-407747CB', 'Subnets per VPC'],
  'internet-gateways': ['vpc', 'L-A4707A72', 'Internet gateways per Region'],
  'route-tables-per-vpc': ['vpc', 'L-589F43AA', 'Route tables per VPC'],
  'routes-per-table': ['vpc', 'L-93826ACB', 'Routes per route table'],
  'network-acls-per-vpc': ['vpc', 'L-B4A6D682', 'Network ACLs per VPC'],
  'entries-per-acl': ['vpc', 'L-2AEEBF1A', 'Rules per network ACL'],
  'nat-gateways-per-zone': ['vpc', 'L-FE5A380F', 'NAT gateways per Availability Zone'],
  'network-interfaces': ['vpc', 'L-DF5E4CA3', 'Network interfaces per Region'],
  'addresses-per-interface': ['vpc', null, 'Private IPv4 addresses per network interface'],
  'security-groups': ['vpc', 'L-E79EC296', 'VPC security groups per Region'],
  'rules-per-group': ['vpc', 'L-0EA8095F', 'Inbound or outbound rules per security group'],
  'groups-per-interface': ['vpc', 'L-2AFB9258', 'Security groups per network interface'],
  'vpc-peerings-per-vpc': ['vpc', 'L-7E9ECCDB', 'Active VPC peering connections per VPC'],
  'prefix-lists': ['vpc', null, 'Prefix lists per Region'],
  'entries-per-prefix-list': ['vpc', null, 'Entries per prefix list'],
  'flow-logs-per-resource': ['vpc', null, 'Flow logs per resource'],
}

/** In the order of their codes. */
export const quotaCatalogue: readonly CataloguedQuota[] = Object.entries(entries)
  .map(([name, [serviceCode, code, title]]) => ({
    name: name as QuotaName,
    serviceCode,
    code: code ?? `MALLEE-${name.toUpperCase()}`,
    title,
  }))
  .toSorted((a, b) => (a.code < b.code ? -1 : 1))

export function quotasOfService(serviceCode: string): CataloguedQuota[] {
  if (!Object.hasOwn(quotaServices, serviceCode)) throw noSuch()
  return quotaCatalogue.filter((quota) => quota.serviceCode === serviceCode)
}

export function requireCatalogued(serviceCode: string, code: string): CataloguedQuota {
  const found = quotasOfService(serviceCode).find((quota) => quota.code === code)
  if (!found) throw noSuch()
  return found
}

export const noSuch = () =>
  governanceError(
    'NoSuchResourceException',
    'The request failed because the specified resource does not exist.',
  )

/** As Service Quotas answers one. `accountId`: empty for a default, which is nobody's. */
export function quotaView(
  quota: CataloguedQuota,
  options: { readonly value: number; readonly region: string; readonly accountId: string },
) {
  return {
    ServiceCode: quota.serviceCode,
    ServiceName: quotaServices[quota.serviceCode],
    QuotaArn: quotaArn(quota, options),
    QuotaCode: quota.code,
    QuotaName: quota.title,
    Value: options.value,
    Unit: 'None',
    Adjustable: true,
    GlobalQuota: false,
  }
}

export function quotaArn(
  quota: CataloguedQuota,
  { region, accountId }: { readonly region: string; readonly accountId: string },
): string {
  return `arn:aws:servicequotas:${region}:${accountId}:${quota.serviceCode}/${quota.code}`
}

export const defaultOf = ({ name }: CataloguedQuota): number => defaultQuotas[name]
