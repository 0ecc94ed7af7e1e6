/** Which resources a request of EC2 names, wherever in it they stand. */
import { isWellFormedId, type IdKind } from '@mallee/base'
import { canonicalImageId } from '../store/image-store.ts'

/** Resource types of EC2's ARNs by the prefix of ids, ours and Eucalyptus'. */
const typeOfPrefix: Readonly<Record<string, string>> = {
  i: 'instance',
  ami: 'image',
  aki: 'image',
  ari: 'image',
  emi: 'image',
  eki: 'image',
  eri: 'image',
  vol: 'volume',
  snap: 'snapshot',
  vpc: 'vpc',
  subnet: 'subnet',
  eni: 'network-interface',
  sg: 'security-group',
  sgr: 'security-group-rule',
  key: 'key-pair',
  lt: 'launch-template',
  pg: 'placement-group',
  eipalloc: 'elastic-ip',
  dopt: 'dhcp-options',
  igw: 'internet-gateway',
  rtb: 'route-table',
  acl: 'network-acl',
  nat: 'natgateway',
  pcx: 'vpc-peering-connection',
  pl: 'prefix-list',
  fl: 'vpc-flow-log',
  'import-ami': 'import-image-task',
  'import-snap': 'import-snapshot-task',
}

export interface NamedResource {
  /** As in ARNs: `security-group`. */
  readonly type: string
  readonly id: string
}

/** The resource that an id is of, as the record calls it, or null. Ids have 8 or 17 hexadecimal digits. */
export function resourceOfId(id: string): NamedResource | null {
  const prefix = id.slice(0, Math.max(0, id.lastIndexOf('-')))
  const type = Object.hasOwn(typeOfPrefix, prefix) ? typeOfPrefix[prefix] : undefined
  return type !== undefined && /^[0-9a-f]{8}(?:[0-9a-f]{9})?$/.test(id.slice(prefix.length + 1))
    ? { type, id: canonicalImageId(id) }
    : null
}

/** Ids of associations and attachments, which stand for what is associated. */
const associations: readonly IdKind[] = [
  'association',
  'routeTableAssociation',
  'networkAclAssociation',
  'networkInterfaceAttachment',
  'profileAssociation',
  'vpcCidrAssociation',
]

export const isAssociation = (id: string): boolean => associations.some((kind) => isWellFormedId(kind, id))

/** Members whose text is the caller's own and names nothing. */
const free = new Set(['Filters', 'ClientToken', 'Description', 'UserData', 'TagSpecifications', 'Tags'])

/**
 * Every text in an input that may name something, with the member that it stands in; the placement group of a launch
 * stands in `PlacementGroup`, since elsewhere `GroupName` is that of a security group.
 */
export function namingTexts(input: Readonly<Record<string, unknown>>): { member: string; text: string }[] {
  const found: { member: string; text: string }[] = []
  const walk = (member: string, value: unknown): void => {
    if (typeof value === 'string') found.push({ member, text: value })
    else if (Array.isArray(value)) for (const item of value) walk(member, item)
    else if (
      value !== null &&
      typeof value === 'object' &&
      !(value instanceof Date) &&
      !Buffer.isBuffer(value)
    )
      for (const [name, inner] of Object.entries(value))
        if (!free.has(name))
          walk(member === 'Placement' && name === 'GroupName' ? 'PlacementGroup' : name, inner)
  }
  walk('', input)
  return found
}
