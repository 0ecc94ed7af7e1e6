import {
  instanceLimitExceeded,
  invalidInstanceTypeValue,
  invalidKeyPairNotFound,
  invalidParameterCombination,
  invalidParameterValue,
  invalidUserDataMalformed,
  userDataTooLarge,
  vcpuLimitExceeded,
  type Ec2Input,
} from '@mallee/ec2-api'
import type { MetadataOptions } from '@mallee/agent-contract'
import type { PlacementRequest } from '../../scheduler/judge-node.ts'
import type { CapacityNow } from '../../store/capacity.ts'
import { promisedUse } from '../../store/instance-import-store.ts'
import type { InstanceProfileTable } from '../../store/identity-tables.ts'
import { requireProfile } from '../../store/profile-association-store.ts'
import { quotaRoom } from '../../store/quota-store.ts'
import type { Reader, Tx } from '../../store/record.ts'
import type { InstanceTable, InstanceTypeTable, SubnetTable, TagTable } from '../../store/tables.ts'
import type { ActionContext } from '../define-action.ts'
import { tagRows } from '../tag-specifications.ts'
import type { LaunchCard } from './launch-interfaces.ts'
import { resolveMappings, type Mappings } from './block-device-mappings.ts'
import { checkFits, resolveImages } from './resolve-launch-images.ts'
import { resolveLaunchNetwork } from './resolve-launch-network.ts'

type Input = Ec2Input<'RunInstances'>

/** A RunInstances request with every name resolved and every rule checked; nothing is claimed yet. */
export interface Launch {
  readonly request: PlacementRequest
  readonly imageId: string
  readonly kernelId: string | null
  readonly ramdiskId: string | null
  readonly instanceType: string
  readonly groupIds: readonly string[]
  /** Of which its guest gets credentials. */
  readonly profile: InstanceProfileTable | null
  readonly keyName: string | null
  readonly publicKey: string | null
  readonly userData: string | null
  readonly clientToken: string | null
  readonly metadataOptions: MetadataOptions
  readonly monitoring: boolean
  readonly apiTerminationDisabled: boolean
  readonly apiStopDisabled: boolean
  readonly volumes: Mappings['volumes']
  readonly ephemerals: Mappings['ephemerals']
  readonly rootDeviceType: InstanceTable['root_device_type']
  readonly rootDeviceName: string
  readonly shutdownBehavior: InstanceTable['shutdown_behavior']
  volumeTagsFor(volumeId: string): TagTable[]
  subnetIn(zone: string): SubnetTable
  wantsPublicIp(subnet: SubnetTable): boolean
  readonly cards: readonly LaunchCard[]
  tagsFor(instanceIds: readonly string[], interfaceIds: readonly string[]): TagTable[]
}

/** AWS's limit on user data before base64, in bytes. */
const userDataMaxBytes = 16_384

async function profileOf(ctx: ActionContext, db: Reader, { IamInstanceProfile: named }: Input) {
  if (named?.Arn === undefined && named?.Name === undefined) return null
  return requireProfile(db, ctx.caller.accountId, named)
}

export async function resolveLaunch(ctx: ActionContext, db: Reader, input: Input): Promise<Launch> {
  checkCounts(input)
  const { image, kernelId, ramdiskId } = await resolveImages(db, ctx.caller.accountId, input)
  const isEbs = image.root_device_type === 'ebs'
  const typeName = input.InstanceType ?? defaultInstanceType
  const type = await requireInstanceType(db, typeName)
  // A guest that boots from a volume takes no disk of its node.
  const diskGiB = isEbs ? 0 : Math.max(type.disk_gib, 1)
  if (!isEbs) checkFits(image, typeName, diskGiB)
  const mappings = await resolveMappings(ctx, db, image, input.BlockDeviceMappings ?? [])
  const key = input.KeyName === undefined ? null : await requireKeyPair(ctx, db, input.KeyName)
  const network = await resolveLaunchNetwork(ctx, db, input)
  return {
    request: {
      minCount: input.MinCount,
      maxCount: input.MaxCount,
      availabilityZone: network.availabilityZone,
      architecture: image.architecture,
      vcpus: type.vcpus,
      memoryMiB: type.memory_mib,
      diskGiB,
    },
    imageId: image.id,
    kernelId,
    ramdiskId,
    instanceType: typeName,
    groupIds: network.groupIds,
    profile: await profileOf(ctx, db, input),
    keyName: key?.name ?? null,
    publicKey: key?.public_key ?? null,
    userData: checkUserData(input.UserData),
    clientToken: input.ClientToken ?? null,
    metadataOptions: metadataOptionsOf(ctx, input.MetadataOptions),
    monitoring: input.Monitoring?.Enabled === true,
    apiTerminationDisabled: input.DisableApiTermination === true,
    apiStopDisabled: input.DisableApiStop === true,
    ...mappings,
    rootDeviceType: image.root_device_type,
    rootDeviceName: image.root_device_name,
    shutdownBehavior: shutdownBehaviorOf(input, isEbs),
    volumeTagsFor: (volumeId) => tagRows(ctx, input.TagSpecifications, 'volume', [volumeId]),
    subnetIn: network.subnetIn,
    wantsPublicIp: network.wantsPublicIp,
    cards: network.cards,
    tagsFor: (instanceIds, interfaceIds) => [
      ...tagRows(ctx, input.TagSpecifications, 'instance', instanceIds),
      ...tagRows(ctx, input.TagSpecifications, 'network-interface', interfaceIds),
    ],
  }
}

/** An instance store is gone with its domain: there is nothing that a stopped instance could start from. */
function shutdownBehaviorOf(input: Input, isEbs: boolean): InstanceTable['shutdown_behavior'] {
  const asked = input.InstanceInitiatedShutdownBehavior
  if (asked === 'stop' && !isEbs) {
    throw invalidParameterCombination(
      "The attribute instanceInitiatedShutdownBehavior 'stop' is only valid for EBS-backed instances.",
    )
  }
  return asked ?? (isEbs ? 'stop' : 'terminate')
}

function checkCounts(input: Input): void {
  if (input.MinCount < 1)
    throw invalidParameterValue(`Invalid value '${input.MinCount}' for minCount. It must be at least 1.`)
  if (input.MaxCount < input.MinCount) {
    throw invalidParameterCombination(
      `The value '${input.MinCount}' for minCount must not be greater than the value '${input.MaxCount}' for maxCount.`,
    )
  }
}

/** AWS's own where nothing is said. */
export const defaultInstanceType = 'm1.small'

export async function requireInstanceType(db: Reader, name: string): Promise<InstanceTypeTable> {
  const type = await db.selectFrom('instance_type').selectAll().where('name', '=', name).executeTakeFirst()
  if (!type) throw invalidInstanceTypeValue(name)
  return type
}

export async function requireKeyPair(
  ctx: ActionContext,
  db: Reader,
  name: string,
): Promise<{ name: string; public_key: string }> {
  const key = await db
    .selectFrom('key_pair')
    .select(['name', 'public_key'])
    .where('account_id', '=', ctx.caller.accountId)
    .where('name', '=', name)
    .executeTakeFirst()
  if (!key) throw invalidKeyPairNotFound([name])
  return key
}

export function checkUserData(text: string | undefined): string | null {
  if (text === undefined || text === '') return null
  const compact = text.replaceAll(/\s/g, '')
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(compact) || compact.replace(/=+$/, '').length % 4 === 1)
    throw invalidUserDataMalformed()
  if (Buffer.from(compact, 'base64').length > userDataMaxBytes) throw userDataTooLarge()
  return compact
}

export function checkHopLimit(hopLimit: number): void {
  if (hopLimit < 1 || hopLimit > 64)
    throw invalidParameterValue(`Invalid value '${hopLimit}' for HttpPutResponseHopLimit.`)
}

export function metadataOptionsOf(ctx: ActionContext, options: Input['MetadataOptions']): MetadataOptions {
  const hopLimit = options?.HttpPutResponseHopLimit ?? 1
  checkHopLimit(hopLimit)
  return {
    endpointEnabled: options?.HttpEndpoint !== 'disabled',
    tokensRequired: options?.HttpTokens
      ? options.HttpTokens === 'required'
      : ctx.settings.metadataTokensRequired,
    hopLimit,
    tagsEnabled: options?.InstanceMetadataTags === 'enabled',
  }
}

/**
 * How many instances of the launch the account's quota admits, at most MaxCount; fewer than MinCount are refused. Checked
 * in the claiming transaction: two launches at once cannot both take the last of it. An import under way has its share.
 */
export async function claimInstanceQuota(
  ctx: ActionContext,
  tx: Tx,
  of: {
    readonly request: Pick<PlacementRequest, 'minCount' | 'maxCount' | 'vcpus'>
    readonly capacity: CapacityNow
  },
): Promise<number> {
  const { minCount, maxCount, vcpus: each } = of.request
  const present = of.capacity.accountUse(ctx.caller.accountId)
  const promised = await promisedUse(tx.db, ctx.caller.accountId)
  const use = {
    instances: present.instances + promised.instances,
    vcpus: present.vcpus + promised.vcpus,
  }
  const instances = await quotaRoom(tx.db, ctx.caller, 'instances', use.instances)
  if (minCount > instances.room) {
    throw instanceLimitExceeded(
      `You have requested more instances (${use.instances + minCount}) than your current instance limit of ${instances.most} allows.`,
    )
  }
  const vcpus = await quotaRoom(tx.db, ctx.caller, 'vcpus', use.vcpus)
  if (minCount * each > vcpus.room) {
    throw vcpuLimitExceeded(
      `You have requested more vCPU capacity than your current vCPU limit of ${vcpus.most} allows.`,
    )
  }
  return Math.min(maxCount, instances.room, Math.floor(vcpus.room / each))
}
