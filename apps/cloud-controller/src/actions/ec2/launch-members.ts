/**
 * What an instance can be told at its launch. RunInstances and launch templates honour one list, so that a template can
 * say nothing that a launch from it would not act on: anything else is refused when the template is written.
 */
import type { Ec2, Ec2Input } from '@mallee/ec2-api'
import { invalidParameterValue, missingParameter } from '@mallee/ec2-api'
import { requireLaunchTemplate, requireTemplateVersion } from '../../store/launch-template-store.ts'
import type { Reader } from '../../store/record.ts'
import type { ActionContext } from '../define-action.ts'
import { checkTag } from '../tag-specifications.ts'
import { launchMappingMembers } from './block-device-mappings.ts'
import { checkUserData } from './resolve-launch.ts'

export const launchMembers = [
  'ImageId',
  'KernelId',
  'InstanceType',
  'KeyName',
  'SecurityGroupIds',
  'SecurityGroups',
  'Placement.AvailabilityZone',
  'Placement.GroupName',
  'Placement.GroupId',
  'Placement.PartitionNumber',
  'UserData',
  'TagSpecifications',
  'MetadataOptions.HttpTokens',
  'MetadataOptions.HttpPutResponseHopLimit',
  'MetadataOptions.HttpEndpoint',
  'MetadataOptions.InstanceMetadataTags',
  'NetworkInterfaces.AssociatePublicIpAddress',
  'NetworkInterfaces.DeleteOnTermination',
  'NetworkInterfaces.Description',
  'NetworkInterfaces.DeviceIndex',
  'NetworkInterfaces.Groups',
  'NetworkInterfaces.NetworkInterfaceId',
  'NetworkInterfaces.PrivateIpAddress',
  'NetworkInterfaces.PrivateIpAddresses.Primary',
  'NetworkInterfaces.PrivateIpAddresses.PrivateIpAddress',
  'NetworkInterfaces.SecondaryPrivateIpAddressCount',
  'NetworkInterfaces.SubnetId',
  'InstanceInitiatedShutdownBehavior',
  'Monitoring.Enabled',
  'DisableApiTermination',
  'DisableApiStop',
  'IamInstanceProfile.Arn',
  'IamInstanceProfile.Name',
  ...launchMappingMembers,
] as const

export const launchOnly = {
  EbsOptimized: [false],
  'Placement.Tenancy': ['default'],
  'MetadataOptions.HttpProtocolIpv6': ['disabled'],
  'NetworkInterfaces.InterfaceType': ['interface'],
  'NetworkInterfaces.NetworkCardIndex': [0],
  'HibernationOptions.Configured': [false],
  'EnclaveOptions.Enabled': [false],
  'MaintenanceOptions.AutoRecovery': ['default'],
} as const

/** What a launch creates, and so gives tags to. */
export const launchCreates = ['instance', 'network-interface', 'volume'] as const

export const templateMembers = [
  ...launchMembers.map((member) => `LaunchTemplateData.${member}` as const),
  'LaunchTemplateData.RamDiskId' as const,
]

export const templateOnly: {
  readonly [P in `LaunchTemplateData.${keyof typeof launchOnly}`]?: readonly (string | number | boolean)[]
} = Object.fromEntries(
  Object.entries(launchOnly).map(([member, values]) => [`LaunchTemplateData.${member}`, values]),
)

/** As JSON: user data of 16 KiB and as much as anybody says beside it. */
const longestData = 65_536

/** A template may be incomplete and its values are checked at launch; its tags and its having any at all are not. */
export function checkTemplateData(data: Ec2.RequestLaunchTemplateData): void {
  if (saysNothing(data)) throw missingParameter('LaunchTemplateData')
  checkUserData(data.UserData)
  if (JSON.stringify(data).length > longestData)
    throw invalidParameterValue(`The data of a launch template has at most ${longestData} characters.`)
  for (const { ResourceType: type, Tags: tags } of data.TagSpecifications ?? []) {
    if (!(launchCreates as readonly (string | undefined)[]).includes(type))
      throw invalidParameterValue(`'${type ?? ''}' is not a valid taggable resource type for this operation.`)
    for (const tag of tags ?? []) checkTag(tag.Key ?? '', tag.Value ?? '')
  }
}

function saysNothing(value: unknown): boolean {
  if (value === undefined) return true
  return typeof value === 'object' && value !== null && Object.values(value).every(saysNothing)
}

type Members = { readonly [member: string]: unknown }

/**
 * What is said over what was said before: member by member, also within a structure. A list replaces a list, as its
 * numbers are places and no names; tags are known by resource type and key.
 */
export function mergeMembers<T extends object>(under: T, over: T): T {
  return merge(under as Members, over as Members) as T
}

function merge(under: Members, over: Members): Members {
  const merged: Record<string, unknown> = { ...under }
  for (const [member, value] of Object.entries(over)) {
    if (saysNothing(value)) continue
    const before = merged[member]
    if (member === 'TagSpecifications')
      merged[member] = mergeTags((before ?? []) as Ec2.TagSpecification[], value as Ec2.TagSpecification[])
    else merged[member] = isStructure(value) && isStructure(before) ? merge(before, value) : value
  }
  return merged
}

function isStructure(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function mergeTags(
  under: readonly Ec2.TagSpecification[],
  over: readonly Ec2.TagSpecification[],
): Ec2.TagSpecification[] {
  const byType = Map.groupBy([...under, ...over], (entry) => entry.ResourceType)
  return [...byType].map(([type, entries]) => ({
    ResourceType: type,
    Tags: [
      ...new Map(entries.flatMap((entry) => entry.Tags ?? []).map((tag) => [tag.Key ?? '', tag])).values(),
    ],
  }))
}

type RunInput = Ec2Input<'RunInstances'>

export interface TemplateUsed {
  readonly id: string
  readonly version: number
}

/** A launch as its template, if it names one, and then the request itself have it. */
export async function withLaunchTemplate(
  ctx: { readonly caller: Pick<ActionContext['caller'], 'accountId'> },
  db: Reader,
  input: RunInput,
): Promise<{ input: RunInput; template: TemplateUsed | null }> {
  const named = input.LaunchTemplate
  if (saysNothing(named)) return { input, template: null }
  const template = await requireLaunchTemplate(db, ctx.caller.accountId, named!)
  const version = await requireTemplateVersion(db, template, named!.Version ?? '$Default')
  const { RamDiskId: ramdiskId, ...data } = JSON.parse(version.data) as Ec2.RequestLaunchTemplateData
  const under = { ...data, ...(ramdiskId === undefined ? {} : { RamdiskId: ramdiskId }) } as RunInput
  const asked = input.Placement
  if (under.Placement && (asked?.GroupName !== undefined || asked?.GroupId !== undefined)) {
    const { GroupName: _name, GroupId: _id, ...placement } = under.Placement // one group, by whichever name
    under.Placement = placement
  }
  return { input: mergeMembers(under, input), template: { id: template.id, version: version.version } }
}
