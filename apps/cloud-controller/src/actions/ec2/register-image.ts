import { GiB, newId } from '@mallee/base'
import {
  invalidAmiNameDuplicate,
  invalidAmiNameMalformed,
  invalidManifest,
  invalidParameterCombination,
  invalidParameterValue,
  missingParameter,
  onlyAdminsRegister,
  resourceLimitExceeded,
  unsupportedParameter,
  type Ec2Input,
} from '@mallee/ec2-api'
import { manifestSuffix } from '@mallee/image-bundle'
import { makeImagePrivate, requireOwnImage, requireVisibleImage } from '../../store/image-store.ts'
import { requireQuota } from '../../store/quota-store.ts'
import { deleteTagsOf, putTags } from '../../store/tag-store.ts'
import type { ImageBlockDeviceTable, ImageTable } from '../../store/tables.ts'
import { transitionImage } from '../../store/transition.ts'
import { defineEc2Action, type ActionContext, type ActionTransaction } from '../define-action.ts'
import { accountImageBucket } from '../account-image-bucket.ts'
import { tagRows } from '../tag-specifications.ts'
import { askManifest, type Manifest } from './ask-manifest.ts'
import { mappingMembers, resolveImageMappings, type Mappings } from './block-device-mappings.ts'
import { deviceNamed } from './volume-devices.ts'

/**
 * Registers an object of walrus as an image: a raw or qcow2 disk, or one raw file system, which a launch turns into a
 * disk and which needs a kernel and a ramdisk; or the manifest of a bundle, of which walrus makes such an object.
 * Pending until walrus has read, or made, it whole.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RegisterImage.html
 */
export const registerImage = defineEc2Action('RegisterImage', {
  honours: [
    'Name',
    'ImageLocation',
    'Description',
    'Architecture',
    'KernelId',
    'RamdiskId',
    'RootDeviceName',
    'SriovNetSupport',
    'TagSpecifications',
    ...mappingMembers,
  ],
  only: {
    VirtualizationType: ['hvm'],
    EnaSupport: [false],
  },
  creates: ['image'],
  async run(ctx, input) {
    // Terraform says an empty location beside mappings.
    if (!input.ImageLocation && (input.BlockDeviceMappings ?? []).length > 0)
      return registerSnapshotImage(ctx, input)
    if ((input.BlockDeviceMappings ?? []).length > 0)
      throw invalidParameterCombination(
        'An image of an object maps no volumes: give ImageLocation, or the mappings.',
      )
    const { name, ...location } = parseLocation(input)
    const bundle = location.object_key.endsWith(manifestSuffix) ? await askBundle(ctx, location) : null
    const kind = bundle?.kind ?? 'machine'
    const architecture = architectureOf(input.Architecture ?? bundle?.architecture)
    return ctx.transaction(async (tx) => {
      const { accountId } = ctx.caller
      const bootImage = (id: string | null | undefined, wanted: 'kernel' | 'ramdisk') =>
        id == null || kind !== 'machine'
          ? null
          : requireVisibleImage(tx.db, accountId, id, wanted).then((image) => image.id)
      const id = newId(kind === 'machine' ? 'image' : kind, ctx.random)
      await insertImage(ctx, tx, {
        ...(bundle ? madeOf(ctx, id, location) : location),
        id,
        kind,
        name,
        description: input.Description ?? null,
        architecture,
        root_device_name: input.RootDeviceName ?? rootDeviceOf(bundle) ?? '/dev/sda1',
        sriov_net_support: driversOf(input),
        kernel_id: await bootImage(input.KernelId ?? bundle?.kernelId, 'kernel'),
        ramdisk_id: await bootImage(input.RamdiskId ?? bundle?.ramdiskId, 'ramdisk'),
        source_image_id: null,
      })
      await putTags(tx, tagRows(ctx, input.TagSpecifications, 'image', [id]))
      return { ImageId: id }
    })
  },
})

/** An image whose instances boot from volumes made of a snapshot: there is nothing to wait for. */
function registerSnapshotImage(ctx: ActionContext, input: Ec2Input<'RegisterImage'>) {
  if (input.Name === undefined) throw missingParameter('Name')
  checkImageName(input.Name)
  const root = deviceNamed(input.RootDeviceName ?? '/dev/sda1')
  const name = input.Name
  return ctx.transaction(async (tx) => {
    const mappings = await resolveImageMappings(ctx, tx.db, root, input.BlockDeviceMappings ?? [])
    const bootImage = (given: string | undefined, wanted: 'kernel' | 'ramdisk') =>
      given === undefined
        ? null
        : requireVisibleImage(tx.db, ctx.caller.accountId, given, wanted).then((image) => image.id)
    const id = await insertImage(ctx, tx, {
      ...snapshotImage,
      id: newId('image', ctx.random),
      name,
      description: input.Description ?? null,
      architecture: architectureOf(input.Architecture),
      root_device_name: root,
      sriov_net_support: driversOf(input),
      kernel_id: await bootImage(input.KernelId, 'kernel'),
      ramdisk_id: await bootImage(input.RamdiskId, 'ramdisk'),
    })
    await insertImageDevices(tx, id, mappings)
    const image = await tx.db.selectFrom('image').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
    await transitionImage(tx, image, 'inspected', { nowMs: ctx.nowMs, requestId: ctx.requestId })
    await putTags(tx, tagRows(ctx, input.TagSpecifications, 'image', [id]))
    return { ImageId: id }
  })
}

/** It is said of the image, and asks nothing of the cloud; `simple` is the only value that EC2 has. */
function driversOf({ SriovNetSupport: said }: Pick<Ec2Input<'RegisterImage'>, 'SriovNetSupport'>) {
  if (said === undefined || said === '') return null
  if (said !== 'simple')
    throw invalidParameterValue(`Value (${said.slice(0, 60)}) for parameter sriovNetSupport is invalid.`)
  return said
}

/** What is so of every image that boots from a volume: walrus has no object of it. */
export const snapshotImage = {
  kind: 'machine',
  bucket: '',
  object_key: '',
  source_image_id: null,
  root_device_type: 'ebs',
} as const

/** The devices of an image, the root's first. */
export async function insertImageDevices(
  tx: ActionTransaction,
  imageId: string,
  { volumes, ephemerals }: Mappings,
): Promise<void> {
  const rows: ImageBlockDeviceTable[] = [
    ...volumes.map(({ device, deleteOnTermination, spec }) => ({
      device,
      virtual_name: null,
      snapshot_id: spec.snapshot?.id ?? null,
      size_gib: spec.sizeGiB,
      ...{ type: spec.type, iops: spec.iops, throughput: spec.throughput },
      delete_on_termination: deleteOnTermination ? (1 as const) : (0 as const),
      encrypted: spec.isEncrypted ? (1 as const) : (0 as const),
    })),
    ...ephemerals.map(({ device, virtualName }) => ({
      device,
      virtual_name: virtualName,
      ...{ snapshot_id: null, size_gib: null, type: null, iops: null, throughput: null },
      ...{ delete_on_termination: 1 as const, encrypted: 0 as const },
    })),
  ].map((row, ordinal) => ({ image_id: imageId, ordinal, ...row }))
  if (rows.length > 0) await tx.db.insertInto('image_block_device').values(rows).execute()
}

interface Location {
  readonly bucket: string
  readonly object_key: string
}

/** Where a bundle's disk will lie, and where its manifest does. */
const madeOf = (ctx: ActionContext, id: string, { bucket, object_key }: Location) => ({
  bucket: accountImageBucket(ctx),
  object_key: id,
  origin: 'bundle' as const,
  origin_bucket: bucket,
  origin_key: object_key,
  has_disk: 1 as const,
})

/** What the bundle's manifest says, if the caller may register such a thing. */
async function askBundle(ctx: ActionContext, location: Location): Promise<Manifest> {
  const manifest = await askManifest(ctx, location)
  const { kind, sizeBytes } = manifest
  if (kind !== 'machine' && !ctx.caller.isCloudAdmin) throw onlyAdminsRegister(kind)
  const { maxImageGiB } = ctx.settings
  if ((sizeBytes ?? 0) > maxImageGiB * GiB)
    throw invalidManifest(`The image has ${sizeBytes} bytes, and no more than ${maxImageGiB} GiB are taken.`)
  return manifest
}

function architectureOf(given: string | null | undefined): ImageTable['architecture'] {
  const names: Readonly<Record<string, ImageTable['architecture']>> = {
    x86_64: 'x86_64',
    amd64: 'x86_64',
    arm64: 'arm64',
    aarch64: 'arm64',
    i386: 'i386',
  }
  const name = given ?? 'x86_64'
  if (!Object.hasOwn(names, name)) throw unsupportedParameter('Architecture')
  return names[name]!
}

/** A manifest names the root's device with or without its folder. */
function rootDeviceOf(manifest: Manifest | null): string | null {
  const device = manifest?.rootDevice?.replace(/^\/dev\//, '')
  return device !== undefined && rootDeviceForm.test(`/dev/${device}`) ? `/dev/${device}` : null
}

const rootDeviceForm = /^\/dev\/(?:sd|vd|xvd|hd)[a-z][0-9]*$/

type NewImage = Pick<
  ImageTable,
  | 'kind'
  | 'description'
  | 'bucket'
  | 'object_key'
  | 'architecture'
  | 'root_device_name'
  | 'kernel_id'
  | 'ramdisk_id'
  | 'source_image_id'
> &
  Partial<Pick<ImageTable, 'origin' | 'origin_bucket' | 'origin_key' | 'origin_format' | 'has_disk'>> &
  Partial<Pick<ImageTable, 'root_device_type' | 'source_instance_id' | 'create_phase'>> &
  Partial<Pick<ImageTable, 'sriov_net_support'>> & {
    readonly name: string
    readonly id: string
  }

/** Characters, as of every description that EC2 keeps. */
const longestDescription = 255

/** A pending image of the caller's; walrus is told. Throws InvalidAMIName.Duplicate and ResourceLimitExceeded. */
export async function insertImage(
  ctx: ActionContext,
  tx: ActionTransaction,
  image: NewImage,
): Promise<string> {
  if ((image.description?.length ?? 0) > longestDescription)
    throw invalidParameterValue(`The description of an image has at most ${longestDescription} characters.`)
  const { accountId } = ctx.caller
  const mine = await tx.db
    .selectFrom('image')
    .select(['id', 'name', 'state', 'origin'])
    .where('account_id', '=', accountId)
    .where('state', '!=', 'deregistered')
    .execute()
  const namesake = mine.find(({ name, state }) => name === image.name && state !== 'failed')
  if (namesake) throw invalidAmiNameDuplicate(image.name, namesake.id)
  // An import that failed is no image, and nobody can deregister it.
  const counted = mine.filter(({ origin, state }) => origin !== 'import' || state !== 'failed')
  await requireQuota(tx.db, ctx.caller, 'images', counted.length, (quota) =>
    resourceLimitExceeded(`You have reached your limit of ${quota} images.`),
  )
  const { id } = image
  await tx.db
    .insertInto('image')
    .values({
      origin: null,
      origin_bucket: null,
      origin_key: null,
      origin_format: null,
      ...image,
      account_id: accountId,
      state: 'pending',
      state_reason: null,
      // Kernels and ramdisks are every account's to use, as those that the administrator imports.
      is_public: image.kind === 'machine' ? 0 : 1,
      format: null,
      size_bytes: null,
      virtual_size_bytes: null,
      sha256: null,
      created_at: ctx.nowMs,
      request_id: ctx.requestId,
      trace_parent: ctx.traceparent,
      deprecated_at: null,
      disabled: 0,
      layout: null,
    })
    .execute()
  tx.touch(id)
  tx.afterCommit(() => ctx.wakes.image(id))
  return id
}

/** Throws InvalidAMIName.Malformed. */
export function checkImageName(name: string): void {
  if (!/^[A-Za-z0-9()[\] ./'@_-]{3,128}$/.test(name)) throw invalidAmiNameMalformed()
}

function parseLocation(input: Ec2Input<'RegisterImage'>): {
  name: string
  bucket: string
  object_key: string
} {
  const name = input.Name ?? nameOf(input.ImageLocation)
  checkImageName(name)
  architectureOf(input.Architecture)
  if (input.RootDeviceName !== undefined && !rootDeviceForm.test(input.RootDeviceName)) {
    throw invalidParameterValue(`Value (${input.RootDeviceName}) for parameter rootDeviceName is invalid.`)
  }
  const location = input.ImageLocation
  if (location === undefined)
    throw invalidParameterCombination(
      'Either ImageLocation or a block device mapping with the snapshot of the root device must be given.',
    )
  const path = location.replace(/^\//, '')
  const slash = path.indexOf('/')
  if (slash <= 0 || slash === path.length - 1 || path.length > 1200)
    throw invalidParameterValue(
      `Value (${location.slice(0, 100)}) for parameter imageLocation is invalid. It must be BUCKET/KEY.`,
    )
  return { name, bucket: path.slice(0, slash), object_key: path.slice(slash + 1) }
}

/** As its object, without what tells its kind: clients of Eucalyptus' first years gave no name, and it needed none. */
function nameOf(location: string | undefined): string {
  const name = location?.slice(location.lastIndexOf('/') + 1).replace(/\.manifest\.xml$/, '')
  if (!name) throw missingParameter('Name')
  return name
}

/** Running instances keep the image; new launches do not get it. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeregisterImage.html */
export const deregisterImage = defineEc2Action('DeregisterImage', {
  honours: ['ImageId'],
  run(ctx, input) {
    return ctx.transaction(async (tx) => {
      const image = await requireOwnImage(tx.db, ctx.caller.accountId, input.ImageId)
      await transitionImage(tx, image, 'deregisterAsked', { nowMs: ctx.nowMs, requestId: ctx.requestId })
      await makeImagePrivate(tx, image.id)
      await deleteTagsOf(tx, image.id)
      tx.touch(image.id)
      tx.afterCommit(() => ctx.wakes.image(image.id))
      return { Return: true }
    })
  },
})
