import { disabledImagesLeftOut, invalidAmiIdNotFound, invalidUserIdMalformed } from '@mallee/ec2-api'
import { imageIdOf, readImagePermissions, visibleImages } from '../../store/image-store.ts'
import type { ImageTable } from '../../store/tables.ts'
import { defineEc2Action, type ActionContext } from '../define-action.ts'
import { describeThings, type Tag } from '../describe-things.ts'
import { filterNames, type Filter, type FilterFields } from '../filters.ts'
import { timeKey } from '../pages.ts'

/** AWS's names for images of its own and of its market; nobody has such a name here. */
const ownerAliases: ReadonlySet<string> = new Set([
  'amazon',
  'aws-marketplace',
  'aws-backup-vault',
  'microsoft',
])

const accountIdForm = /^\d{12}$/

/** Disabled is no state of the lifecycle: the bytes are known, and their owner keeps them back. */
const stateOf = (image: ImageTable): ImageTable['state'] | 'disabled' =>
  image.disabled === 1 && image.state === 'available' ? 'disabled' : image.state

/** The codes that instances give for the same reasons. */
const reasonCode = 'Server.InternalError'

const none = () => []

const fields: FilterFields<ImageTable> = {
  architecture: (image) => [image.architecture],
  // Images are disks of walrus: they have no snapshots, and nothing is mapped beside the root.
  'block-device-mapping.delete-on-termination': none,
  'block-device-mapping.device-name': none,
  'block-device-mapping.encrypted': none,
  'block-device-mapping.snapshot-id': none,
  'block-device-mapping.volume-size': none,
  'block-device-mapping.volume-type': none,
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
  'root-device-type': () => ['instance-store'],
  'source-image-id': (image) => [image.source_image_id],
  'source-instance-id': none,
  'sriov-net-support': none,
  state: (image) => [stateOf(image)],
  'state-reason-code': (image) => [reasonOf(image)?.Code],
  'state-reason-message': (image) => [reasonOf(image)?.Message],
  'virtualization-type': () => ['hvm'],
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
        things: found.filter((image) => listed(image) && owned(image) && executable(image)),
        idOf: (image) => image.id,
        keyOf: (image) => timeKey(image.created_at, image.id),
        fields,
        smallest: 1,
        exclusiveIds: ids.length > 0,
        view: (image, tags) => imageView(ctx, image, tags),
      })
      return { Images: views, NextToken: nextToken }
    })
  },
})

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

function ownedBy(ctx: ActionContext, owners: readonly string[]): (image: ImageTable) => boolean {
  if (owners.length === 0) return () => true
  const accounts = new Set<string>()
  for (const owner of owners) {
    if (owner === 'self') accounts.add(ctx.caller.accountId)
    else if (accountIdForm.test(owner)) accounts.add(owner)
    else if (!ownerAliases.has(owner)) throw invalidUserIdMalformed(owner)
  }
  return (image) => accounts.has(image.account_id)
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
  image.origin_bucket === null
    ? `${image.bucket}/${image.object_key}`
    : `${image.origin_bucket}/${image.origin_key}`

/** Why it is as it is; of one that walrus is making, how far it is. */
function reasonOf(image: ImageTable): { Code: string; Message: string } | null {
  if (image.state_reason !== null) return { Code: reasonCode, Message: image.state_reason }
  if (image.state !== 'pending' || image.progress === null) return null
  return { Code: 'pending', Message: `Unpacking: ${image.progress} %.` }
}

const creationDate = (image: ImageTable) => new Date(image.created_at).toISOString()

function imageView(ctx: ActionContext, image: ImageTable, tags: Tag[]) {
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
    BlockDeviceMappings: [],
    Hypervisor: 'xen' as const,
    RootDeviceName: image.root_device_name,
    RootDeviceType: 'instance-store' as const,
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
    ...(reason === null ? {} : { StateReason: reason }),
  }
}
