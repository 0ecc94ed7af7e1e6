/**
 * What a request of EC2 needs to be allowed: its action on every resource that it names and on what it creates, with
 * the condition keys of each. https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html
 */
import type { Ec2Input } from '@mallee/ec2-api'
import type { AnyAction } from '../actions/define-action.ts'
import { withLaunchTemplate } from '../actions/ec2/launch-members.ts'
import type { Caller } from '../identity/caller.ts'
import { iamArn } from '../identity/arns.ts'
import { requireProfile } from '../store/profile-association-store.ts'
import type { Reader } from '../store/record.ts'
import type { Ask } from './authorize.ts'
import { namedResources } from './find-resources.ts'
import { launchVolumes, volumeConditions } from './launch-volumes.ts'
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
const isList = (name: string) => /^Describe(?!.*Attribute$)|^GetEbs|^\w*IdFormat$/.test(name)

export async function ec2Asks(db: Reader, request: Ec2Request): Promise<Ask[]> {
  const { name, region, conditions } = request
  const shared = { ...conditions, 'ec2:Region': region }
  const action = `ec2:${name}`
  if (isList(name)) return [{ action, resource: '*', context: shared }]
  const input = name === 'RunInstances' ? await launchInput(db, request) : request.input
  const named = await namedResources(db, request.caller.accountId, name, input)
  const known = await resourceConditions(db, named, region)
  const given = requestTags(name, input)
  const arn = arnOf(region, request.caller.accountId)
  const about: Ask[] = named.map(({ type, id, name: arnName }) => {
    const tags = name === 'CreateTags' || name === 'DeleteTags' ? given.get('*') : undefined
    return { action, resource: arn(type, arnName ?? id), context: { ...shared, ...known.get(id), ...tags } }
  })
  const types = createdTypes(name, request.action, new Set(named.map(({ type }) => type)))
  const made: Ask[] = []
  for (const type of types)
    for (const conditionsOfNew of await newConditions(db, { name, type, input, arn })) {
      const context = { ...shared, ...conditionsOfNew, ...given.get(type) }
      made.push({ action, resource: arn(type, createdName(type, input)), context })
    }
  const tagged: Ask[] = [...given]
    .filter(([type]) => type !== '*')
    .map(([type, tags]) => ({
      action: 'ec2:CreateTags',
      resource: arn(type, createdName(type, input)),
      context: { ...shared, ...tags, 'ec2:CreateAction': name },
    }))
  const own = [...about, ...made]
  if (own.length === 0) own.push({ action, resource: '*', context: shared })
  return [...own, ...(await passedRole(db, request, input)), ...bucketAsks(request, input), ...tagged]
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

/** Who changes a group needs no leave for its rules: those have tags, and are asked for where they get some. */
const notAsked = 'security-group-rule'

function createdTypes(name: string, action: AnyAction, named: ReadonlySet<string>): string[] {
  if (name !== 'RunInstances') return (action.creates ?? []).filter((type) => type !== notAsked)
  return [...ofLaunch, ...usedByLaunch.filter((type) => !named.has(type))]
}

/** A key pair's ARN has its name, which is known before it is made. */
function createdName(type: string, input: Input): string {
  if (type === 'key-pair') return text(input['KeyName']) ?? '*'
  if (type === 'placement-group') return text(input['GroupName']) ?? '*'
  return '*'
}

interface Coming {
  readonly name: string
  readonly type: string
  readonly input: Input
  readonly arn: (type: string, id: string) => string
}

/** Condition keys of what is to be; of a launch's volumes those of each. */
async function newConditions(db: Reader, { name, type, input, arn }: Coming): Promise<Conditions[]> {
  const placement = input['Placement'] as { AvailabilityZone?: string } | undefined
  const zone = text(input['AvailabilityZone']) ?? placement?.AvailabilityZone
  switch (type) {
    case 'instance':
      return [{ ...instanceConditions(input), 'ec2:AvailabilityZone': zone }]
    case 'volume': {
      const volumes = name === 'RunInstances' ? await launchVolumes(db, input) : [volumeConditions(input)]
      return volumes.map((volume) => ({ ...volume, 'ec2:AvailabilityZone': zone }))
    }
    case 'vpc-peering-connection':
      return [peeringConditions(input, arn)]
    default:
      return [{ 'ec2:AvailabilityZone': zone }]
  }
}

function instanceConditions(input: Input): Conditions {
  const options = input['MetadataOptions'] as
    | { HttpTokens?: string; HttpPutResponseHopLimit?: number }
    | undefined
  return {
    'ec2:InstanceType': text(input['InstanceType']) ?? 'm1.small',
    'ec2:Tenancy': 'default',
    'ec2:MetadataHttpTokens': options?.HttpTokens,
    'ec2:MetadataHttpPutResponseHopLimit': options?.HttpPutResponseHopLimit,
  }
}

function peeringConditions(input: Input, arn: Coming['arn']): Conditions {
  const own = arn('vpc', text(input['VpcId']) ?? '')
  const accepter = arn('vpc', text(input['PeerVpcId']) ?? '')
  const owner = text(input['PeerOwnerId'])
  return {
    'ec2:RequesterVpc': own,
    'ec2:AccepterVpc':
      owner === undefined ? accepter : accepter.replace(/:[0-9]{12}:vpc/, () => `:${owner}:vpc`),
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

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)
