import { disabledImagesLeftOut, invalidAmiIdNotFound, invalidUserIdMalformed } from '@mallee/ec2-api'
import { imageIdOf, readImagePermissions, visibleImages } from '../../store/image-store.ts'
import type { Reader } from '../../store/record.ts'
import type { ImageBlockDeviceTable, ImageTable } from '../../store/tables.ts'
import { imageDeviceView } from '../../views/image-device-view.ts'
import { defineEc2Action, type ActionContext } from '../define-action.ts'
import { describeThings, type Tag } from '../describe-things.ts'
import { filterNames, type Filter, type FilterFields } from '../filters.ts'
import { timeKey } from '../pages.ts'
import { ownedBy } from './owners.ts'

const accountIdForm = /^\d{12}$/

/** Disabled is no state of the lifecycle: the bytes are known, and their owner keeps them back. */
const stateOf = (image: ImageTable): ImageTable['state'] | 'disabled' =>
  image.disabled === 1 && image.state === 'available' ? 'disabled' : image.state

/** The codes that instances give for the same reasons. */
const reasonCode = 'Server.InternalError'

const none = () => []

interface ImageRows {
  readonly image: ImageTable
  readonly devices: readonly ImageBlockDeviceTable[]
}

const imageFields: FilterFields<ImageTable> = {
  architecture: (image) => [image.architecture],
  'creation-date': (image) => [creationDate(image)],
  description: (image) => [image.description],
  'ena-support': none,
  hypervisor: () => ['xen'],
  'image-id': (image) => [image.id],
  'image-type': (image) => [image.kind],
  'is-public': (image) => [image.is_public === 1],
  'kernel-id': (image) => [image.kernel_id],
  'manifest-location': (image) => [locationOf(image)],
  name: (image) => [image.name],
  'owner-alias': none,
  'owner-id': (image) => [image.account_id],
  platform: none,
  'product-code': none,
  'product-code.type': none,
  'ramdisk-id': (image) => [image.ramdisk_id],
  'root-device-name': (image) => [image.root_device_name],
  'root-device-type': (image) => [image.root_device_type],
  'source-image-id': (image) => [image.source_image_id],
  'source-instance-id': (image) => [image.source_instance_id],
  'sriov-net-support': (image) => [image.sriov_net_support],
  state: (image) => [stateOf(image)],
  'state-reason-code': (image) => [reasonOf(image)?.Code],
  'state-reason-message': (image) => [reasonOf(image)?.Message],
  'virtualization-type': () => ['hvm'],
}

const deviceFields: FilterFields<ImageRows> = {
  'block-device-mapping.delete-on-termination': ({ devices }) =>
    devices.flatMap((row) => (row.virtual_name === null ? [row.delete_on_termination === 1] : [])),
  'block-device-mapping.device-name': ({ devices }) => devices.map((row) => row.device),
  'block-device-mapping.encrypted': ({ devices }) =>
    devices.flatMap((row) => (row.virtual_name === null ? [row.encrypted === 1] : [])),
  'block-device-mapping.snapshot-id': ({ devices }) => devices.map((row) => row.snapshot_id),
  'block-device-mapping.volume-size': ({ devices }) => devices.map((row) => row.size_gib),
  'block-device-mapping.volume-type': ({ devices }) => devices.map((row) => row.type),
}

const fields: FilterFields<ImageRows> = {
  ...deviceFields,
  ...Object.fromEntries(
    Object.entries(imageFields).map(([name, read]) => [name, ({ image }: ImageRows) => read(image)]),
  ),
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeImages.html */
export const describeImages = defineEc2Action('DescribeImages', {
  honours: [
    'ImageIds',
    'Owners',
    'ExecutableUsers',
    'Filters',
    'MaxResults',
    'NextToken',
    'IncludeDeprecated',
    'IncludeDisabled',
  ],
  filters: filterNames(fields, { tagged: true }),
  ids: ['ImageIds'],
  async run(ctx, input) {
    const ids = (input.ImageIds ?? []).map((id) => imageIdOf(id))
    const hidesDisabled = input.IncludeDisabled !== true
    if (hidesDisabled && asksForDisabled(input.Filters)) throw disabledImagesLeftOut()
    return ctx.read(async (db) => {
      const query = visibleImages(db, ctx.scope)
      const found = await (ids.length === 0 ? query : query.where('id', 'in', ids)).execute()
      const missing = ids.filter((id) => !found.some((image) => image.id === id))
      if (missing.length > 0) throw invalidAmiIdNotFound(missing)
      // What is named by its id is shown, however old or disabled.
      const listed = (image: ImageTable) =>
        ids.length > 0 ||
        (!(hidesDisabled && image.disabled === 1) &&
          (input.IncludeDeprecated === true || !isDeprecatedFor(ctx, image)))
      const owned = ownedBy(ctx, input.Owners ?? [])
      const permissions =
        (input.ExecutableUsers ?? []).length === 0
          ? new Map<string, string[]>()
          : await readImagePermissions(
              db,
              found.map((image) => image.id),
            )
      const executable = executableBy(ctx, input.ExecutableUsers ?? [], permissions)
      const { views, nextToken } = await describeThings(ctx, db, input, {
        things: await withDevices(
          db,
          found.filter((image) => listed(image) && owned(image) && executable(image)),
        ),
        idOf: ({ image }) => image.id,
        keyOf: ({ image }) => timeKey(image.created_at, image.id),
        fields,
        smallest: 1,
        exclusiveIds: ids.length > 0,
        view: (rows, tags) => imageView(ctx, rows, tags),
      })
      return { Images: views, NextToken: nextToken }
    })
  },
})

async function withDevices(db: Reader, images: readonly ImageTable[]): Promise<ImageRows[]> {
  const ids = images.filter((image) => image.root_device_type === 'ebs').map((image) => image.id)
  if (ids.length === 0) return images.map((image) => ({ image, devices: [] }))
  const rows = await db
    .selectFrom('image_block_device')
    .selectAll()
    .where('image_id', 'in', ids)
    .orderBy('ordinal')
    .execute()
  const devices = Map.groupBy(rows, (row) => row.image_id)
  return images.map((image) => ({ image, devices: devices.get(image.id) ?? [] }))
}

function asksForDisabled(filters: readonly Filter[] | undefined): boolean {
  return (filters ?? []).some(
    ({ Name: name, Values: values }) => name === 'state' && (values ?? []).includes('disabled'),
  )
}

/** To all but its owner, from its time on. */
function isDeprecatedFor(ctx: ActionContext, image: ImageTable): boolean {
  return (
    image.deprecated_at !== null &&
    image.deprecated_at <= ctx.nowMs &&
    image.account_id !== ctx.caller.accountId
  )
}

/** Explicit permissions only; those of another account are the image's owner's to know. */
function executableBy(
  ctx: ActionContext,
  users: readonly string[],
  permissions: ReadonlyMap<string, string[]>,
): (image: ImageTable) => boolean {
  if (users.length === 0) return () => true
  const self = ctx.caller.accountId
  const bad = users.find((user) => user !== 'self' && user !== 'all' && !accountIdForm.test(user))
  if (bad !== undefined) throw invalidUserIdMalformed(bad)
  const permitted = (image: ImageTable, account: string) =>
    (permissions.get(image.id) ?? []).includes(account) && (account === self || image.account_id === self)
  return (image) =>
    users.some((user) =>
      user === 'all' ? image.is_public === 1 : permitted(image, user === 'self' ? self : user),
    )
}

/** Of a bundle its manifest, as it was registered: where its disk lies is walrus' affair. */
const locationOf = (image: ImageTable) =>
  image.root_device_type === 'ebs'
    ? `${image.account_id}/${image.name}`
    : image.origin_bucket === null
      ? `${image.bucket}/${image.object_key}`
      : `${image.origin_bucket}/${image.origin_key}`

/** Why it is as it is; of one that walrus is making, how far it is. */
function reasonOf(image: ImageTable): { Code: string; Message: string } | null {
  if (image.state_reason !== null) return { Code: reasonCode, Message: image.state_reason }
  if (image.state !== 'pending' || image.progress === null) return null
  return { Code: 'pending', Message: `Unpacking: ${image.progress} %.` }
}

const creationDate = (image: ImageTable) => new Date(image.created_at).toISOString()

function imageView(ctx: ActionContext, { image, devices }: ImageRows, tags: Tag[]) {
  const reason = reasonOf(image)
  return {
    ImageId: image.id,
    ImageLocation: locationOf(image),
    State: stateOf(image),
    OwnerId: image.account_id,
    CreationDate: creationDate(image),
    Public: image.is_public === 1,
    ProductCodes: [],
    Architecture: image.architecture,
    ImageType: image.kind,
    PlatformDetails: 'Linux/UNIX',
    UsageOperation: 'RunInstances',
    BlockDeviceMappings: devices.map(imageDeviceView),
    Hypervisor: 'xen' as const,
    ...(image.sriov_net_support === null ? {} : { SriovNetSupport: image.sriov_net_support }),
    RootDeviceName: image.root_device_name,
    RootDeviceType: image.root_device_type,
    VirtualizationType: 'hvm' as const,
    Tags: tags,
    ...(image.name === null ? {} : { Name: image.name }),
    ...(image.description === null ? {} : { Description: image.description }),
    ...(image.kernel_id === null ? {} : { KernelId: image.kernel_id }),
    ...(image.ramdisk_id === null ? {} : { RamdiskId: image.ramdisk_id }),
    ...(image.deprecated_at === null ? {} : { DeprecationTime: new Date(image.deprecated_at).toISOString() }),
    ...(image.source_image_id === null
      ? {}
      : { SourceImageId: image.source_image_id, SourceImageRegion: ctx.settings.region }),
    ...(image.source_instance_id === null ? {} : { SourceInstanceId: image.source_instance_id }),
    ...(reason === null ? {} : { StateReason: reason }),
  }
}
