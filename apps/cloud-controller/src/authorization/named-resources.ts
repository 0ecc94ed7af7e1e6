/** Which resources a request of EC2 names, wherever in it they stand. */
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
  /** What its ARN has in place of the id: key pairs and placement groups have names there. */
  readonly name?: string
}

/** The resource that an id is of, as the record calls it, or null. Ids have 8 or 17 hexadecimal digits. */
export function resourceOfId(id: string): NamedResource | null {
  const prefix = id.slice(0, Math.max(0, id.lastIndexOf('-')))
  const type = Object.hasOwn(typeOfPrefix, prefix) ? typeOfPrefix[prefix] : undefined
  return type !== undefined && /^[0-9a-f]{8}(?:[0-9a-f]{9})?$/.test(id.slice(prefix.length + 1))
    ? { type, id: type === 'image' ? canonicalImageId(id) : id }
    : null
}

/** Members whose text is the caller's own and names nothing. */
const free = new Set(['Filters', 'ClientToken', 'Description', 'UserData', 'TagSpecifications', 'Tags'])

/**
 * What a request refers to without needing leave for it: of a route only its table is asked for, of a rule only its
 * group, of a peering only the requester's VPC, and a template's data are judged at the launch.
 * https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html
 */
const referred: readonly (readonly [action: RegExp, path: RegExp])[] = [
  [/SecurityGroup(?:RuleDescriptions)?(?:In|E)gress$/, /^(?:IpPermissions|SourceSecurityGroupName)\b/],
  [/^ModifySecurityGroupRules$/, /\.ReferencedGroupId$/],
  [/^(?:Create|Replace|Delete)Route$/, /^(?!RouteTableId$)/],
  [/^CreateVpcPeeringConnection$/, /^PeerVpcId$/],
  // What is to be has that name; of what has it already nothing is asked.
  [/^Create(?:SecurityGroup|PlacementGroup)$/, /^GroupName$/],
  [/^(?:Create|Import)KeyPair$/, /^KeyName$/],
  [/^CreateLaunchTemplate$/, /^LaunchTemplateName$/],
  [/^CreateLaunchTemplate/, /^LaunchTemplateData\b/],
]

export interface NamingText {
  /** `Placement.GroupName`; list indices are left out. */
  readonly path: string
  readonly text: string
}

/** Every text in an action's input that may name something it needs leave for, with where it stands. */
export function namingTexts(action: string, input: Readonly<Record<string, unknown>>): NamingText[] {
  const found: NamingText[] = []
  const excluded = referred.filter(([actions]) => actions.test(action)).map(([, path]) => path)
  const walk = (path: string, value: unknown): void => {
    if (typeof value === 'string') {
      if (!excluded.some((pattern) => pattern.test(path))) found.push({ path, text: value })
    } else if (Array.isArray(value)) for (const item of value) walk(path, item)
    else if (
      value !== null &&
      typeof value === 'object' &&
      !(value instanceof Date) &&
      !Buffer.isBuffer(value)
    )
      for (const [name, inner] of Object.entries(value))
        if (!free.has(name)) walk(path === '' ? name : `${path}.${name}`, inner)
  }
  walk('', input)
  return found
}
