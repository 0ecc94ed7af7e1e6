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
import { associatedWith } from './associated-resources.ts'
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
  const named = await namedResources(db, request, input)
  const known = await resourceConditions(db, named, region)
  const given = requestTags(name, input)
  const arn = arnOf(region, request.caller.accountId)
  const types = createdTypes(name, request.action, input)
  // What is called as it will be is judged below, with what the request says of it.
  const isMade = ({ type, id }: NamedResource) => types.includes(type) && createdName(type, input) === id
  const there = named.filter((resource) => !isMade(resource))
  const about: Ask[] = there.map(({ type, id }) => {
    const tags = name === 'CreateTags' || name === 'DeleteTags' ? given.get('*') : undefined
    return { action, resource: arn(type, id), context: { ...shared, ...known.get(id), ...tags } }
  })
  const made: Ask[] = types.map((type) => ({
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
  const own = [...about, ...made]
  if (own.length === 0) own.push({ action, resource: '*', context: shared })
  return [...own, ...(await passedRole(db, request, input)), ...tagged]
}

/** With what its launch template says, so that a template is no way around a policy. */
async function launchInput(db: Reader, { caller, input }: Ec2Request): Promise<Input> {
  try {
    return (await withLaunchTemplate({ caller }, db, input as Ec2Input<'RunInstances'>)).input as Input
  } catch {
    return input // The action refuses a template that is not there, in its own words.
  }
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
async function namedResources(
  db: Reader,
  { name, caller: { accountId } }: Ec2Request,
  input: Input,
): Promise<NamedResource[]> {
  const found = new Map<string, NamedResource>()
  const namesPlacement = name.includes('PlacementGroup')
  for (const { member, text: value } of namingTexts(input)) {
    const meant = member === 'GroupName' && namesPlacement ? 'PlacementGroup' : member
    for (const resource of await resourcesNamed(db, accountId, meant, value))
      found.set(`${resource.type}/${resource.id}`, await withArnName(db, resource))
  }
  return [...found.values()]
}

/** A name may look like the id of something else: where names stand it is a name. */
async function resourcesNamed(
  db: Reader,
  accountId: string,
  member: string,
  value: string,
): Promise<readonly NamedResource[]> {
  const byName = await byOtherName(db, accountId, member, value)
  if (byName.length > 0) return byName
  const byId = resourceOfId(value)
  if (byId) return [byId]
  return isAssociation(value) ? associatedWith(db, value) : []
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
): Promise<readonly NamedResource[]> {
  switch (member) {
    case 'KeyName':
      return [{ type: 'key-pair', id: value }]
    case 'PlacementGroup':
      return [{ type: 'placement-group', id: value }]
    case 'LaunchTemplateName': {
      const named = db.selectFrom('launch_template').select('id').where('account_id', '=', accountId)
      const row = await named.where('name', '=', value).executeTakeFirst()
      return [{ type: 'launch-template', id: row?.id ?? value }]
    }
    case 'PublicIp': {
      const address = parseIpv4(value)
      if (address === null) return []
      const row = await db
        .selectFrom('address')
        .select('allocation_id')
        .where('account_id', '=', accountId)
        .where('public_ip', '=', address)
        .executeTakeFirst()
      return [{ type: 'elastic-ip', id: row?.allocation_id ?? value }]
    }
    case 'GroupName':
    case 'SourceSecurityGroupName':
    case 'SecurityGroups':
      return groupsCalled(db, accountId, member, value)
    default:
      return []
  }
}

/** A name is one of the default VPC, but at a launch, which may be anywhere. */
async function groupsCalled(
  db: Reader,
  accountId: string,
  member: string,
  name: string,
): Promise<NamedResource[]> {
  const rows = await db
    .selectFrom('security_group')
    .innerJoin('vpc', 'vpc.id', 'security_group.vpc_id')
    .select(['security_group.id', 'vpc.is_default'])
    .where('security_group.account_id', '=', accountId)
    .where('security_group.name', '=', name)
    .execute()
  return rows
    .filter((row) => row.is_default === 1 || member === 'SecurityGroups')
    .map(({ id }) => ({ type: 'security-group', id }))
}

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)
