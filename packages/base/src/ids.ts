import type { Random } from './random.ts'
import { systemRandom } from './random.ts'

/** EC2 resource ids: a prefix and 17 lower-case hexadecimal digits (DECISIONS 8). */
export const idPrefixes = {
  instance: 'i',
  reservation: 'r',
  image: 'ami',
  kernel: 'aki',
  ramdisk: 'ari',
  vpc: 'vpc',
  subnet: 'subnet',
  networkInterface: 'eni',
  networkInterfaceAttachment: 'eni-attach',
  securityGroup: 'sg',
  securityGroupRule: 'sgr',
  keyPair: 'key',
  launchTemplate: 'lt',
  placementGroup: 'pg',
  allocation: 'eipalloc',
  association: 'eipassoc',
  volume: 'vol',
  snapshot: 'snap',
  /** Of a volume to an instance: EC2 has no name for it, we need one. */
  volumeAttachment: 'vol-attach',
  dhcpOptions: 'dopt',
  internetGateway: 'igw',
  routeTable: 'rtb',
  networkAcl: 'acl',
  networkAclAssociation: 'aclassoc',
  routeTableAssociation: 'rtbassoc',
  vpcCidrAssociation: 'vpc-cidr-assoc',
  natGateway: 'nat',
  vpcPeeringConnection: 'pcx',
  prefixList: 'pl',
  flowLog: 'fl',
  profileAssociation: 'iip-assoc',
  bundleTask: 'bun',
  importTask: 'import-ami',
  importSnapshotTask: 'import-snap',
  conversionTask: 'import-vol',
  instanceConversionTask: 'import-i',
  agent: 'agent',
} as const
export type IdKind = keyof typeof idPrefixes

/** Ids that cannot be mixed up: `Id<'instance'>` is not assignable to `Id<'image'>`. */
export type Id<K extends IdKind> = string & { readonly __id?: K }

export function newId<K extends IdKind>(kind: K, random: Random = systemRandom): Id<K> {
  const hex = Buffer.from(random.bytes(9)).toString('hex').slice(0, 17)
  return `${idPrefixes[kind]}-${hex}`
}

/** Whether a text has the form of such an id: 8 or 17 hexadecimal digits after the prefix, as AWS accepts. */
export function isWellFormedId(kind: IdKind, text: string): boolean {
  const prefix = idPrefixes[kind]
  if (!text.startsWith(`${prefix}-`)) return false
  return /^(?:[0-9a-f]{8}|[0-9a-f]{17})$/.test(text.slice(prefix.length + 1))
}

/** A random version 4 UUID from the given source (RFC 9562). */
export function newUuid(random: Random = systemRandom): string {
  const bytes = Buffer.from(random.bytes(16))
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  const hex = bytes.toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

const upperBase32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** Upper-case letters and digits, as AWS's access key and user ids use: `newToken('AKIA', 16)`. */
export function newToken(prefix: string, length: number, random: Random = systemRandom): string {
  const bytes = random.bytes(length)
  return prefix + Array.from(bytes, (byte) => upperBase32[byte & 31]).join('')
}
