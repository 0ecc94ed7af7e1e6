/**
 * What a request of EC2 needs to be allowed: its action on every resource that it names and on what it creates, with
 * the condition keys of each. https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html
 */
import type { Ec2Input } from '@mallee/ec2-api'
import { parseIpv4 } from '@mallee/base'
import type { AnyAction } from '../actions/define-action.ts'
import { withLaunchTemplate } from '../actions/ec2/launch-members.ts'
import type { Caller } from '../identity/caller.ts'
import { iamArn } from '../identity/arns.ts'
import { requireProfile } from '../store/profile-association-store.ts'
import type { Reader } from '../store/record.ts'
import type { Ask } from './authorize.ts'
import { isAssociation, namingTexts, resourceOfId, type NamedResource } from './named-resources.ts'
import { resourceConditions, type Conditions } from './resource-conditions.ts'

type Input = Readonly<Record<string, unknown>>

export interface Ec2Request {
  readonly name: string
  readonly action: AnyAction
  readonly input: Input
  readonly caller: Caller
  readonly region: string
  /** Of the request itself. */
  readonly conditions: Readonly<Conditions>
}

/** Lists are asked for as a whole: EC2 has no resources for them, but for the attributes of one thing. */
const isList = (name: string) => /^Describe(?!.*Attribute$)|^Get(?:Ebs|Managed\w+s$)|^\w*IdFormat$/.test(name)

export async function ec2Asks(db: Reader, request: Ec2Request): Promise<Ask[]> {
  const { name, region, conditions } = request
  const shared = { ...conditions, 'ec2:Region': region }
  const action = `ec2:${name}`
  if (isList(name)) return [{ action, resource: '*', context: shared }]
  const input = name === 'RunInstances' ? await launchInput(db, request) : request.input
  const named = await namedResources(db, request.caller, input)
  const known = await resourceConditions(db, named, region)
  const given = requestTags(name, input)
  const arn = arnOf(region, request.caller.accountId)
  const about: Ask[] = named.map(({ type, id }) => {
    const tags = name === 'CreateTags' || name === 'DeleteTags' ? given.get('*') : undefined
    return { action, resource: arn(type, id), context: { ...shared, ...known.get(id), ...tags } }
  })
  const made: Ask[] = createdTypes(name, request.action, input).map((type) => ({
    action,
    resource: arn(type, createdName(type, input)),
    context: { ...shared, ...newConditions(type, input), ...given.get(type) },
  }))
  const tagged: Ask[] = [...given]
    .filter(([type]) => type !== '*')
    .map(([type, tags]) => ({
      action: 'ec2:CreateTags',
      resource: arn(type, createdName(type, input)),
      context: { ...shared, ...tags, 'ec2:CreateAction': name },
    }))
  const asks = [...about, ...made, ...(await passedRole(db, request, input)), ...bucketAsks(request, input)]
  return asks.length === 0 ? [{ action, resource: '*', context: shared }, ...tagged] : [...asks, ...tagged]
}

/** With what its launch template says, so that a template is no way around a policy. */
async function launchInput(db: Reader, { caller, input }: Ec2Request): Promise<Input> {
  try {
    return (await withLaunchTemplate({ caller }, db, input as Ec2Input<'RunInstances'>)).input as Input
  } catch {
    return input // The action refuses a template that is not there, in its own words.
  }
}

/** What is read from, or written to, the account's buckets for the caller: it must be allowed to do so itself. */
function bucketAsks({ conditions: context }: Ec2Request, input: Input): Ask[] {
  const asks: Ask[] = []
  const add = (action: string, place: string) =>
    asks.push({ action, resource: `arn:aws:s3:::${place.replace(/^\/+/, '')}`, context })
  const image = text(input['ImageLocation'])
  if (image !== undefined) add('s3:GetObject', image)
  const containers = [input['DiskContainers'], input['DiskContainer']].flat() as (DiskPlace | undefined)[]
  for (const place of containers) {
    const { S3Bucket: bucket, S3Key: key } = place?.UserBucket ?? {}
    if (bucket !== undefined) add('s3:GetObject', `${bucket}/${key ?? '*'}`)
    const [, urlBucket, urlKey] = /^s3:\/\/([^/]+)\/(.+)$/.exec(place?.Url ?? '') ?? []
    if (urlBucket !== undefined) add('s3:GetObject', `${urlBucket}/${urlKey}`)
  }
  const bundled = input['Storage'] as { S3?: { Bucket?: string; Prefix?: string } } | undefined
  if (bundled?.S3?.Bucket !== undefined)
    add('s3:PutObject', `${bundled.S3.Bucket}/${bundled.S3.Prefix ?? ''}*`)
  return asks
}

interface DiskPlace {
  readonly Url?: string
  readonly UserBucket?: { readonly S3Bucket?: string; readonly S3Key?: string }
}

/** Who gives an instance a profile hands its role on. */
async function passedRole(db: Reader, { caller, conditions }: Ec2Request, input: Input): Promise<Ask[]> {
  const named = input['IamInstanceProfile'] as { Arn?: string; Name?: string } | undefined
  if (named?.Arn === undefined && named?.Name === undefined) return []
  const profile = await requireProfile(db, caller.accountId, named).catch(() => null)
  if (!profile?.role_id) return [] // The action refuses what is not there; a profile without a role gives nothing.
  const role = await db
    .selectFrom('iam_role')
    .selectAll()
    .where('id', '=', profile.role_id)
    .executeTakeFirstOrThrow()
  const context = { ...conditions, 'iam:PassedToService': 'ec2.amazonaws.com' }
  return [{ action: 'iam:PassRole', resource: iamArn('role', role), context }]
}

const arnOf =
  (region: string, accountId: string) =>
  (type: string, id: string): string => {
    // What may be shared with everybody has no account in its ARN.
    const owner = type === 'image' || type === 'snapshot' ? '' : accountId
    return `arn:aws:ec2:${region}:${owner}:${type}/${id}`
  }

/** RunInstances makes, or uses, all of these at every launch. */
const ofLaunch = ['instance', 'network-interface', 'volume'] as const
const usedByLaunch = ['subnet', 'security-group'] as const

function createdTypes(name: string, action: AnyAction, input: Input): string[] {
  if (name !== 'RunInstances') return [...(action.creates ?? [])]
  const named = new Set(namingTexts(input).map(({ text }) => resourceOfId(text)?.type))
  return [...ofLaunch, ...usedByLaunch.filter((type) => !named.has(type))]
}

/** A key pair's ARN has its name, which is known before it is made. */
function createdName(type: string, input: Input): string {
  if (type === 'key-pair') return text(input['KeyName']) ?? '*'
  if (type === 'placement-group') return text(input['GroupName']) ?? '*'
  return '*'
}

/** Condition keys of what is to be. */
function newConditions(type: string, input: Input): Conditions {
  const placement = input['Placement'] as { AvailabilityZone?: string } | undefined
  const zone = text(input['AvailabilityZone']) ?? placement?.AvailabilityZone
  switch (type) {
    case 'instance': {
      const options = input['MetadataOptions'] as
        | { HttpTokens?: string; HttpPutResponseHopLimit?: number }
        | undefined
      return {
        'ec2:InstanceType': text(input['InstanceType']) ?? 'm1.small',
        'ec2:AvailabilityZone': zone,
        'ec2:Tenancy': 'default',
        'ec2:MetadataHttpTokens': options?.HttpTokens,
        'ec2:MetadataHttpPutResponseHopLimit': options?.HttpPutResponseHopLimit,
      }
    }
    case 'volume':
      return {
        'ec2:AvailabilityZone': zone,
        'ec2:VolumeSize': input['Size'] as number | undefined,
        'ec2:VolumeType': text(input['VolumeType']),
        'ec2:VolumeIops': input['Iops'] as number | undefined,
        'ec2:Encrypted': input['Encrypted'] === true,
      }
    default:
      return { 'ec2:AvailabilityZone': zone }
  }
}

/** aws:RequestTag/… and aws:TagKeys by the type that the tags are for; `*` of CreateTags and DeleteTags. */
function requestTags(name: string, input: Input): Map<string, Conditions> {
  const found = new Map<string, Conditions>()
  const add = (type: string, tags: readonly { Key?: string; Value?: string }[]) => {
    if (tags.length === 0) return
    const keyed = tags.filter((tag): tag is { Key: string; Value?: string } => tag.Key !== undefined)
    found.set(type, {
      ...found.get(type),
      'aws:TagKeys': keyed.map((tag) => tag.Key),
      ...Object.fromEntries(keyed.map((tag) => [`aws:RequestTag/${tag.Key}`, tag.Value ?? ''])),
    })
  }
  if (name === 'CreateTags' || name === 'DeleteTags') add('*', (input['Tags'] as []) ?? [])
  const specifications = input['TagSpecifications'] as { ResourceType?: string; Tags?: [] }[] | undefined
  for (const specification of specifications ?? [])
    add(specification.ResourceType ?? 'unknown', specification.Tags ?? [])
  return found
}

/** Every resource that the request names, by id, by name or by address; each once. */
async function namedResources(db: Reader, caller: Caller, input: Input): Promise<NamedResource[]> {
  const found = new Map<string, NamedResource>()
  for (const { member, text: value } of namingTexts(input)) {
    const resource = resourceOfId(value) ?? (await byOtherName(db, caller.accountId, member, value))
    if (resource) found.set(`${resource.type}/${resource.id}`, await withArnName(db, resource))
  }
  return [...found.values()]
}

/** The ARNs of key pairs and placement groups have names, not ids. */
async function withArnName(db: Reader, resource: NamedResource): Promise<NamedResource> {
  const table =
    resource.type === 'key-pair' ? 'key_pair' : resource.type === 'placement-group' ? 'placement_group' : null
  if (!table || !resourceOfId(resource.id)) return resource
  const row = await db.selectFrom(table).select('name').where('id', '=', resource.id).executeTakeFirst()
  return row ? { type: resource.type, id: row.name } : resource
}

async function byOtherName(
  db: Reader,
  accountId: string,
  member: string,
  value: string,
): Promise<NamedResource | null> {
  if (isAssociation(value)) return ofAssociation(db, value)
  switch (member) {
    case 'KeyName':
      return { type: 'key-pair', id: value }
    case 'LaunchTemplateName': {
      const named = db.selectFrom('launch_template').select('id').where('account_id', '=', accountId)
      const row = await named.where('name', '=', value).executeTakeFirst()
      return { type: 'launch-template', id: row?.id ?? value }
    }
    case 'PublicIp': {
      const address = parseIpv4(value)
      if (address === null) return null
      const row = await db
        .selectFrom('address')
        .select('allocation_id')
        .where('account_id', '=', accountId)
        .where('public_ip', '=', address)
        .executeTakeFirst()
      return { type: 'elastic-ip', id: row?.allocation_id ?? value }
    }
    case 'GroupName':
    case 'SecurityGroups': {
      const row = await db
        .selectFrom('security_group')
        .select('id')
        .where('account_id', '=', accountId)
        .where('name', '=', value)
        .executeTakeFirst()
      if (row) return { type: 'security-group', id: row.id }
      return { type: 'placement-group', id: value }
    }
    default:
      return null
  }
}

async function ofAssociation(db: Reader, id: string): Promise<NamedResource | null> {
  const address = await db
    .selectFrom('address')
    .select('allocation_id')
    .where('association_id', '=', id)
    .executeTakeFirst()
  if (address?.allocation_id) return { type: 'elastic-ip', id: address.allocation_id }
  const routing = await db
    .selectFrom('route_table_association')
    .select('route_table_id')
    .where('id', '=', id)
    .executeTakeFirst()
  if (routing) return { type: 'route-table', id: routing.route_table_id }
  const filter = await db
    .selectFrom('network_acl_association')
    .select('acl_id')
    .where('id', '=', id)
    .executeTakeFirst()
  return filter ? { type: 'network-acl', id: filter.acl_id } : null
}

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)
