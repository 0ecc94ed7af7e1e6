import { newId } from '@mallee/base'
import { operationNamed } from '@mallee/aws-protocol'
import { ec2Model } from '@mallee/ec2-api'
import { ec2ActionByName } from '../../src/actions/ec2-actions.ts'
import { memberPaths } from '../../src/coverage/member-paths.ts'
import { honourOf } from '../../src/http/honoured-members.ts'
import { CloudUnderTest, type Credentials } from '../cloud-under-test.ts'
import { CoverageWorld } from '../coverage/coverage-world.ts'
import { parameterFor } from '../coverage/synthesise.ts'
import {
  guessedNetworkThing,
  isNetworkKind,
  networkKinds,
  networkThing,
  taggableNetworkKinds,
  type NetworkKind,
} from './foreign-networks.ts'

export type Kind =
  | 'instance'
  | 'image'
  | 'kernel'
  | 'ramdisk'
  | 'keyPair'
  | 'keyName'
  | 'securityGroup'
  | 'securityGroupName'
  | 'securityGroupRule'
  | 'placementGroup'
  | 'placementGroupName'
  | 'launchTemplate'
  | 'launchTemplateName'
  | 'subnet'
  | 'vpc'
  | 'networkInterface'
  | 'volume'
  | 'snapshot'
  | NetworkKind

/** What a member names, by how it ends; the first that fits. */
const kinds: readonly (readonly [RegExp, Kind])[] = [
  ...networkKinds,
  [/^DescribePlacementGroups GroupIds|Placement\S* .*GroupId$/, 'placementGroup'],
  [/Placement\.GroupId$/, 'placementGroup'],
  [
    /^DescribePlacementGroups GroupNames|PlacementGroup GroupName$|Placement\S* GroupName$/,
    'placementGroupName',
  ],
  [/Placement\.GroupName$/, 'placementGroupName'],
  [/Instance(?:Id|Ids)$/, 'instance'],
  [/ImageIds?$/, 'image'],
  [/KernelId$/, 'kernel'],
  [/Ram[dD]iskId$/, 'ramdisk'],
  [/KeyNames?$/, 'keyName'],
  [/KeyPairIds?$/, 'keyPair'],
  [/SecurityGroupRuleIds?$/, 'securityGroupRule'],
  [/(?:GroupId|GroupIds|\bGroups)$/, 'securityGroup'],
  [/(?:GroupNames?|SecurityGroups)$/, 'securityGroupName'],
  [/LaunchTemplateIds?$/, 'launchTemplate'],
  [/LaunchTemplateNames?$/, 'launchTemplateName'],
  [/SubnetIds?$/, 'subnet'],
  [/VpcIds?$/, 'vpc'],
  [/NetworkInterfaceIds?$/, 'networkInterface'],
  [/VolumeIds?$/, 'volume'],
  [/SnapshotIds?$/, 'snapshot'],
]

export interface NamingMember {
  readonly action: string
  /** As on the wire. */
  readonly parameter: string
  readonly kind: Kind
}

/** Members that name what is to be and not what is, or everybody. */
const givesName =
  /^(?:(?:CreateKeyPair|ImportKeyPair|CreateSecurityGroup|CreatePlacementGroup|CreateLaunchTemplate) (?:Group|Key|LaunchTemplate)Name|ModifySnapshotAttribute GroupNames)$/

/** Every honoured member of every action by which a caller can name a thing that has an owner. */
export function namingMembers(): NamingMember[] {
  return [...ec2ActionByName].flatMap(([name, action]) =>
    memberPaths(ec2Model(), operationNamed(ec2Model(), name)?.in)
      .filter(({ hasMembers, path }) => !hasMembers && !/^Filters?(?:\.|$)/.test(path))
      .filter(({ path }) => honourOf(action, path) === 'honoured')
      .flatMap(({ path }) => {
        const [parameter] = parameterFor(name, path)
        if (givesName.test(`${name} ${path}`) || path === 'FpgaImageIds') return []
        if (path === 'Resources' && name.endsWith('Tags'))
          return taggable.map((kind) => ({ action: name, parameter, kind }))
        const kind = kinds.find(([pattern]) => pattern.test(`${name} ${path}`))?.[1]
        return kind === undefined ? [] : [{ action: name, parameter, kind }]
      }),
  )
}

const taggable: readonly Kind[] = [
  'instance',
  'image',
  'keyPair',
  'securityGroup',
  'securityGroupRule',
  'placementGroup',
  'launchTemplate',
  'subnet',
  'vpc',
  'networkInterface',
  'volume',
  'snapshot',
  ...taggableNetworkKinds,
]

/** An account that uses the cloud, with names that nobody else uses. */
export class Tenant extends CoverageWorld {
  private readonly prefix: string
  private count = 0

  private constructor(cloud: CloudUnderTest, imageId: string, prefix: string) {
    super(cloud, imageId)
    this.prefix = prefix
  }

  static async open(cloud: CloudUnderTest, who: Credentials, prefix: string): Promise<Tenant> {
    const call: CloudUnderTest['call'] = (action, parameters, options) =>
      cloud.call(action, parameters, { as: who, ...options })
    const own = Object.create(cloud, { call: { value: call }, admin: { value: who } }) as CloudUnderTest
    return new Tenant(own, await cloud.plantImage(who.accountId, newId('image')), prefix)
  }

  get accountId(): string {
    return this.cloud.admin.accountId
  }

  override name(): string {
    this.count += 1
    return `${this.prefix}-${this.count}`
  }

  /** Something of that kind that is this tenant's alone. */
  async thing(kind: Kind): Promise<string> {
    switch (kind) {
      case 'instance':
        return this.instance()
      case 'image':
        return this.cloud.plantImage(this.accountId, newId('image'))
      case 'kernel':
      case 'ramdisk':
        return this.piece(kind)
      case 'keyName':
        return this.keyPair()
      case 'launchTemplate':
        return this.launchTemplate()
      case 'placementGroupName':
        return this.placementGroup()
      case 'volume':
        return this.volume()
      case 'snapshot':
        return this.snapshot()
      case 'securityGroup':
        return this.group()
      default:
        return isNetworkKind(kind) ? networkThing(this, kind) : this.described(kind)
    }
  }

  private async piece(kind: 'kernel' | 'ramdisk'): Promise<string> {
    const id = await this.cloud.plantImage(this.accountId, newId(kind))
    await this.cloud.cloud.record.transaction('action', async (tx) => {
      await tx.db.updateTable('image').set({ kind }).where('id', '=', id).execute()
    })
    return id
  }

  /** Of kinds that come with others, or whose other name is asked for. */
  private async described(kind: Exclude<Kind, NetworkKind>): Promise<string> {
    switch (kind) {
      case 'keyPair': {
        const name = await this.keyPair()
        return (await this.call('DescribeKeyPairs', { 'KeyName.1': name })).keySet.item[0].keyPairId
      }
      case 'securityGroupName': {
        const id = await this.group()
        const found = await this.call('DescribeSecurityGroups', { 'GroupId.1': id })
        return found.securityGroupInfo.item[0].groupName
      }
      case 'securityGroupRule': {
        const group = await this.groupWithRule('Ingress')
        const filter = { 'Filter.1.Name': 'group-id', 'Filter.1.Value.1': group }
        const rules = await this.call('DescribeSecurityGroupRules', filter)
        return rules.securityGroupRuleSet.item[0].securityGroupRuleId
      }
      case 'placementGroup': {
        const name = await this.placementGroup()
        const found = await this.call('DescribePlacementGroups', { 'GroupName.1': name })
        return found.placementGroupSet.item[0].groupId
      }
      case 'launchTemplateName': {
        const id = await this.launchTemplate()
        const found = await this.call('DescribeLaunchTemplates', { 'LaunchTemplateId.1': id })
        return found.launchTemplates.item[0].launchTemplateName
      }
      case 'subnet':
        return (await this.call('DescribeSubnets', {})).subnetSet.item[0].subnetId
      case 'vpc':
        return (await this.call('DescribeVpcs', {})).vpcSet.item[0].vpcId
      default: {
        await this.instance()
        return (await this.call('DescribeNetworkInterfaces', {})).networkInterfaceSet.item[0]
          .networkInterfaceId
      }
    }
  }
}

/** Well formed, and of nobody. */
export function guessed(kind: Kind): string {
  switch (kind) {
    case 'keyName':
    case 'securityGroupName':
    case 'placementGroupName':
    case 'launchTemplateName':
      return `guessed-${newId('instance').slice(2)}`
    default:
      return isNetworkKind(kind) ? guessedNetworkThing(kind) : newId(kind)
  }
}
