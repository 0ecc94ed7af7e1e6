/** The resources that a request of EC2 names, by whatever it names them: an id, a name, an address, an association. */
import { isWellFormedId, parseIpv4, type IdKind } from '@mallee/base'
import type { Reader } from '../store/record.ts'
import { namingTexts, resourceOfId, type NamedResource } from './named-resources.ts'

/** Each once. */
export async function namedResources(
  db: Reader,
  accountId: string,
  action: string,
  input: Readonly<Record<string, unknown>>,
): Promise<NamedResource[]> {
  const found = new Map<string, NamedResource>()
  const subnetId = subnetOf(input)
  for (const { path, text } of namingTexts(action, input)) {
    // A name may look like the id of something else: where names stand it is a name.
    const byName = await byOtherName(db, accountId, { action, path, text, subnetId })
    const byId = byName.length === 0 ? resourceOfId(text) : null
    const resources = byId ? [byId] : byName
    for (const resource of [...resources, ...(await implied(db, action, resources))])
      found.set(`${resource.type}/${resource.id}`, await withArnName(db, resource))
  }
  return [...found.values()]
}

/** What an action is also about, though the request does not say it. */
async function implied(
  db: Reader,
  action: string,
  resources: readonly NamedResource[],
): Promise<NamedResource[]> {
  const [resource] = resources
  if (action === 'AcceptVpcPeeringConnection' && resource?.type === 'vpc-peering-connection') {
    const rows = db.selectFrom('vpc_peering').select('accepter_vpc_id').where('id', '=', resource.id)
    return (await rows.execute()).map((row) => ({ type: 'vpc', id: row.accepter_vpc_id }))
  }
  if (action === 'DetachVolume' && resource?.type === 'volume') {
    const rows = db
      .selectFrom('volume_attachment')
      .select('instance_id')
      .where('volume_id', '=', resource.id)
      .where('state', '!=', 'detached')
    return (await rows.execute()).map((row) => ({ type: 'instance', id: row.instance_id }))
  }
  return []
}

/** The ARNs of key pairs and placement groups have names, not ids. */
async function withArnName(db: Reader, resource: NamedResource): Promise<NamedResource> {
  const table = namedTables[resource.type]
  if (!table || resource.name !== undefined) return resource
  const row = await db.selectFrom(table).select('name').where('id', '=', resource.id).executeTakeFirst()
  return row ? { ...resource, name: row.name } : resource
}

const namedTables: Readonly<Record<string, 'key_pair' | 'placement_group' | undefined>> = {
  'key-pair': 'key_pair',
  'placement-group': 'placement_group',
}

interface Naming {
  readonly action: string
  readonly path: string
  readonly text: string
  /** The one that the request launches into: names of groups are of its VPC. */
  readonly subnetId: string | undefined
}

function subnetOf(input: Readonly<Record<string, unknown>>): string | undefined {
  const { LaunchSpecification: imported } = input as { LaunchSpecification?: { SubnetId?: string } }
  return (input['SubnetId'] as string | undefined) ?? imported?.SubnetId
}

async function byOtherName(db: Reader, accountId: string, naming: Naming): Promise<NamedResource[]> {
  const { path, text } = naming
  for (const [kind, read] of Object.entries(associations))
    if (isWellFormedId(kind as IdKind, text)) return read(db, text)
  const member = path.slice(path.lastIndexOf('.') + 1)
  if (member === 'PublicIp') return byAddress(db, accountId, text)
  const type = typeNamed(naming, member)
  if (type === null) return []
  const [table, id] = [tables[type], await idOfName(db, accountId, type, naming)]
  // Of what is not there yet, or is not there at all, the name is all that there is.
  if (id === undefined) return table === 'security_group' ? [] : [{ type, id: text, name: text }]
  return [{ type, id, ...(namedTables[type] ? { name: text } : {}) }]
}

const tables = {
  'key-pair': 'key_pair',
  'placement-group': 'placement_group',
  'launch-template': 'launch_template',
  'security-group': 'security_group',
} as const

function typeNamed({ action, path }: Naming, member: string): keyof typeof tables | null {
  if (member === 'KeyName') return 'key-pair'
  if (member === 'LaunchTemplateName') return 'launch-template'
  if (member === 'SecurityGroups' || member === 'GroupNames') return 'security-group'
  if (member !== 'GroupName') return null
  return /Placement/.test(action) || path.startsWith('Placement.') ? 'placement-group' : 'security-group'
}

async function idOfName(
  db: Reader,
  accountId: string,
  type: keyof typeof tables,
  { text: name, subnetId }: Naming,
): Promise<string | undefined> {
  if (type === 'security-group') return groupNamed(db, accountId, name, subnetId)
  const named = db.selectFrom(tables[type]).select('id').where('account_id', '=', accountId)
  return (await named.where('name', '=', name).executeTakeFirst())?.id
}

/** By name a security group is known in one VPC: the default one, or that of the subnet. */
async function groupNamed(
  db: Reader,
  accountId: string,
  name: string,
  subnetId: string | undefined,
): Promise<string | undefined> {
  const inVpc =
    subnetId === undefined
      ? db.selectFrom('vpc').select('id').where('is_default', '=', 1)
      : db.selectFrom('subnet').select('vpc_id as id').where('id', '=', subnetId)
  const group = db
    .selectFrom('security_group')
    .select('id')
    .where('account_id', '=', accountId)
    .where('name', '=', name)
    .where('vpc_id', 'in', inVpc)
  return (await group.executeTakeFirst())?.id
}

async function byAddress(db: Reader, accountId: string, text: string): Promise<NamedResource[]> {
  const address = parseIpv4(text)
  if (address === null) return []
  const row = await db
    .selectFrom('address')
    .select('allocation_id')
    .where('account_id', '=', accountId)
    .where('public_ip', '=', address)
    .executeTakeFirst()
  return [{ type: 'elastic-ip', id: row?.allocation_id ?? text }]
}

/** Ids of associations and attachments stand for what they hold together. */
const associations: Readonly<Partial<Record<IdKind, (db: Reader, id: string) => Promise<NamedResource[]>>>> =
  {
    async association(db, id) {
      const rows = db.selectFrom('address').select('allocation_id').where('association_id', '=', id)
      return (await rows.execute()).flatMap((row) =>
        row.allocation_id === null ? [] : [{ type: 'elastic-ip', id: row.allocation_id }],
      )
    },
    async routeTableAssociation(db, id) {
      const rows = db.selectFrom('route_table_association').select('route_table_id').where('id', '=', id)
      return (await rows.execute()).map((row) => ({ type: 'route-table', id: row.route_table_id }))
    },
    async networkAclAssociation(db, id) {
      const rows = db.selectFrom('network_acl_association').select('acl_id').where('id', '=', id)
      return (await rows.execute()).map((row) => ({ type: 'network-acl', id: row.acl_id }))
    },
    async networkInterfaceAttachment(db, id) {
      const rows = db
        .selectFrom('network_interface')
        .select(['id', 'instance_id'])
        .where('attachment_id', '=', id)
      return (await rows.execute()).flatMap((row) => [
        { type: 'network-interface', id: row.id },
        ...(row.instance_id === null ? [] : [{ type: 'instance', id: row.instance_id }]),
      ])
    },
    async profileAssociation(db, id) {
      const rows = db.selectFrom('iam_profile_association').select('instance_id').where('id', '=', id)
      return (await rows.execute()).map((row) => ({ type: 'instance', id: row.instance_id }))
    },
    async vpcCidrAssociation(db, id) {
      const rows = db.selectFrom('vpc_cidr').select('vpc_id').where('id', '=', id)
      return (await rows.execute()).map((row) => ({ type: 'vpc', id: row.vpc_id }))
    },
  }
