import { invalidBlockDeviceMapping, invalidParameterValue } from '@mallee/ec2-api'
import type { Reader } from '../../store/record.ts'
import type { ImageBlockDeviceTable, ImageTable } from '../../store/tables.ts'
import type { ActionContext } from '../define-action.ts'
import { resolveVolume, type VolumeSpec } from './new-volume.ts'
import { deviceNamed, mostVolumes, placeOf } from './volume-devices.ts'

/** A mapping as requests have it. */
export interface MappingInput {
  readonly DeviceName?: string | undefined
  readonly VirtualName?: string | undefined
  readonly NoDevice?: string | undefined
  readonly Ebs?:
    | {
        readonly SnapshotId?: string | undefined
        readonly VolumeSize?: number | undefined
        readonly VolumeType?: string | undefined
        readonly Iops?: number | undefined
        readonly Throughput?: number | undefined
        readonly DeleteOnTermination?: boolean | undefined
        readonly Encrypted?: boolean | undefined
        readonly KmsKeyId?: string | undefined
      }
    | undefined
}

/** The members of a mapping that are acted on, under a prefix; the same for launches and images. */
export const mappingMembers = [
  'BlockDeviceMappings.DeviceName',
  'BlockDeviceMappings.VirtualName',
  'BlockDeviceMappings.NoDevice',
  'BlockDeviceMappings.Ebs.SnapshotId',
  'BlockDeviceMappings.Ebs.VolumeSize',
  'BlockDeviceMappings.Ebs.VolumeType',
  'BlockDeviceMappings.Ebs.Iops',
  'BlockDeviceMappings.Ebs.Throughput',
  'BlockDeviceMappings.Ebs.DeleteOnTermination',
  'BlockDeviceMappings.Ebs.Encrypted',
] as const

/** Those of launches, which alone may name a key. */
export const launchMappingMembers = [...mappingMembers, 'BlockDeviceMappings.Ebs.KmsKeyId'] as const

/** One device of an instance that is to be, or of an image's instances. */
export interface MappedVolume {
  readonly device: string
  readonly isRoot: boolean
  readonly deleteOnTermination: boolean
  readonly spec: VolumeSpec
}

export interface Mappings {
  readonly volumes: readonly MappedVolume[]
  /** Of the instance store, beside the root. */
  readonly ephemerals: readonly { readonly device: string; readonly virtualName: string }[]
}

type Merged = Omit<MappingInput, 'DeviceName'> & { readonly device: string; readonly ordinal: number }

/**
 * What a launch maps: the image's own devices, each overridden or left out by the request's mapping of the same name.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/block-device-mapping-concepts.html
 */
export async function resolveMappings(
  ctx: ActionContext,
  db: Reader,
  image: Pick<ImageTable, 'id' | 'account_id' | 'root_device_name' | 'root_device_type'>,
  asked: readonly MappingInput[],
): Promise<Mappings> {
  const rows = await imageDevices(db, image.id)
  const merged = mergeMappings(rows.map(asInput), asked)
  const root = image.root_device_name
  if (image.root_device_type === 'ebs') {
    const own = rows.find(({ device }) => device === root)
    const said = asked.find(
      (mapping) => mapping.DeviceName !== undefined && deviceNamed(mapping.DeviceName) === root,
    )
    if (said && (said.NoDevice !== undefined || said.VirtualName !== undefined))
      throw invalidBlockDeviceMapping(`The root device ${root} cannot be left out.`)
    if (said?.Ebs?.SnapshotId !== undefined && said.Ebs.SnapshotId !== own?.snapshot_id)
      throw invalidBlockDeviceMapping('snapshotId can only be modified on EBS devices')
  } else if (merged.some((mapping) => placeOf(mapping.device) === placeOf(root))) {
    throw invalidBlockDeviceMapping(`The root device ${root} of ${image.id} is its instance store.`)
  }
  const owners = new Map(rows.map((row) => [row.snapshot_id, image.account_id]))
  return specified(ctx, db, merged, { root: image.root_device_type === 'ebs' ? root : null, owners })
}

/** What an image is to map, of a registration: every snapshot must be the caller's to use. */
export function resolveImageMappings(
  ctx: ActionContext,
  db: Reader,
  root: string,
  asked: readonly MappingInput[],
): Promise<Mappings> {
  for (const { DeviceName: device, Ebs: ebs } of asked)
    if (ebs?.Encrypted !== undefined && ebs.SnapshotId !== undefined)
      throw invalidBlockDeviceMapping(
        `the encrypted flag cannot be specified since device ${device} has a snapshot specified.`,
      )
  return specified(ctx, db, mergeMappings([], asked), { root, owners: new Map() })
}

/** Of an image's: only its owner has their key. */
export async function hasEncryptedSnapshot(db: Reader, imageId: string): Promise<boolean> {
  const found = await db
    .selectFrom('image_block_device')
    .innerJoin('snapshot', 'snapshot.id', 'image_block_device.snapshot_id')
    .select('snapshot.id')
    .where('image_block_device.image_id', '=', imageId)
    .where('snapshot.kms_key_id', 'is not', null)
    .executeTakeFirst()
  return found !== undefined
}

export async function imageDevices(db: Reader, imageId: string): Promise<ImageBlockDeviceTable[]> {
  return db
    .selectFrom('image_block_device')
    .selectAll()
    .where('image_id', '=', imageId)
    .orderBy('ordinal')
    .execute()
}

/** The image's own mappings under those of a launch, unjudged but for their form. */
export async function launchMappings(
  db: Reader,
  imageId: string,
  asked: readonly MappingInput[],
): Promise<readonly Pick<MappingInput, 'Ebs'>[]> {
  return mergeMappings((await imageDevices(db, imageId)).map(asInput), asked)
}

function asInput(row: ImageBlockDeviceTable): MappingInput {
  if (row.virtual_name !== null) return { DeviceName: row.device, VirtualName: row.virtual_name }
  return {
    DeviceName: row.device,
    Ebs: {
      SnapshotId: row.snapshot_id ?? undefined,
      VolumeSize: row.size_gib ?? undefined,
      VolumeType: row.type ?? undefined,
      Iops: row.iops ?? undefined,
      Throughput: row.throughput ?? undefined,
      DeleteOnTermination: row.delete_on_termination === 1,
      // Of a snapshot it follows from that, and a launch may still ask for more.
      Encrypted: row.snapshot_id === null && row.encrypted === 1 ? true : undefined,
    },
  }
}

function mergeMappings(under: readonly MappingInput[], over: readonly MappingInput[]): Merged[] {
  const byPlace = new Map<string, Merged>()
  const seen = new Set<string>()
  for (const [index, mapping] of [...under, ...over].entries()) {
    if (mapping.DeviceName === undefined)
      throw invalidBlockDeviceMapping('The device name of a block device mapping is missing.')
    const device = deviceNamed(mapping.DeviceName)
    const place = placeOf(device)
    if (index >= under.length) {
      if (seen.has(place))
        throw invalidBlockDeviceMapping(`The device '${device}' is used in more than one mapping.`)
      seen.add(place)
    }
    const before = byPlace.get(place)
    if (mapping.NoDevice !== undefined) byPlace.delete(place)
    else byPlace.set(place, merge(before, mapping, device, before?.ordinal ?? index))
  }
  return [...byPlace.values()].toSorted((a, b) => a.ordinal - b.ordinal)
}

function merge(before: Merged | undefined, mapping: MappingInput, device: string, ordinal: number): Merged {
  if (mapping.VirtualName !== undefined && mapping.Ebs !== undefined)
    throw invalidBlockDeviceMapping(`The device '${device}' is both a volume and of the instance store.`)
  if (mapping.VirtualName !== undefined) {
    if (!/^ephemeral[0-9]{1,2}$/.test(mapping.VirtualName))
      throw invalidBlockDeviceMapping(`The virtual name '${mapping.VirtualName.slice(0, 60)}' is invalid.`)
    return { device, ordinal, VirtualName: mapping.VirtualName }
  }
  if (mapping.Ebs === undefined)
    throw invalidBlockDeviceMapping(`The device '${device}' is mapped to nothing.`)
  const said = Object.fromEntries(Object.entries(mapping.Ebs).filter(([, value]) => value !== undefined))
  const changesType = 'VolumeType' in said && said['VolumeType'] !== before?.Ebs?.VolumeType
  const { Iops: _iops, Throughput: _throughput, ...typeless } = before?.Ebs ?? {}
  return { device, ordinal, Ebs: { ...(changesType ? typeless : before?.Ebs), ...said } }
}

async function specified(
  ctx: ActionContext,
  db: Reader,
  merged: readonly Merged[],
  of: { readonly root: string | null; readonly owners: ReadonlyMap<string | null, string> },
): Promise<Mappings> {
  const volumes: MappedVolume[] = []
  for (const { device, Ebs: ebs } of merged) {
    if (ebs === undefined) continue
    const isRoot = device === of.root
    if (isRoot && ebs.SnapshotId === undefined)
      throw invalidBlockDeviceMapping(`The root device ${device} needs a snapshot.`)
    const wish = {
      sizeGiB: ebs.VolumeSize,
      snapshotId: ebs.SnapshotId,
      type: ebs.VolumeType,
      iops: ebs.Iops,
      throughput: ebs.Throughput,
      encrypted: ebs.Encrypted,
      kmsKeyId: ebs.KmsKeyId,
    }
    // Whoever may launch the image may have what it maps, as long as the image's owner may.
    const owner = of.owners.get(ebs.SnapshotId ?? null)
    const reader = owner === undefined ? ctx : { ...ctx, scope: owner }
    volumes.push({
      device,
      isRoot,
      deleteOnTermination: ebs.DeleteOnTermination ?? (isRoot || ebs.SnapshotId !== undefined),
      spec: await resolveVolume(reader, db, wish),
    })
  }
  if (of.root !== null && !volumes.some(({ isRoot }) => isRoot))
    throw invalidParameterValue(`The block device mapping has no root device ${of.root}.`)
  if (volumes.length > mostVolumes)
    throw invalidBlockDeviceMapping(`An instance has at most ${mostVolumes} volumes.`)
  const ephemerals = merged.flatMap(({ device, VirtualName: virtualName }) =>
    virtualName === undefined ? [] : [{ device, virtualName }],
  )
  return { volumes: volumes.toSorted((a, b) => Number(b.isRoot) - Number(a.isRoot)), ephemerals }
}
