import { isWellFormedId, newId } from '@mallee/base'
import {
  invalidAmiIdMalformed,
  invalidAmiIdNotFound,
  invalidAmiNameDuplicate,
  invalidAmiNameMalformed,
  invalidParameterCombination,
  invalidParameterValue,
  resourceLimitExceeded,
  unsupportedParameter,
  type Ec2Input,
} from '@mallee/ec2-api'
import { quotaOf } from '../../store/quota-store.ts'
import type { Reader } from '../../store/record.ts'
import { deleteTagsOf, putTags } from '../../store/tag-store.ts'
import type { ImageTable } from '../../store/tables.ts'
import { transitionImage } from '../../store/transition.ts'
import { defineEc2Action, type ActionContext } from '../define-action.ts'
import { describeThings } from '../describe-things.ts'
import { filterNames, type FilterFields } from '../filters.ts'
import { timeKey } from '../pages.ts'
import { tagRows } from '../tag-specifications.ts'

/**
 * Registers an object of walrus, a raw or qcow2 disk, as an image: pending until walrus has read it whole.
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
    'VirtualizationType',
    'EnaSupport',
    'SriovNetSupport',
    'TagSpecifications',
  ],
  creates: ['image'],
  run(ctx, input) {
    const location = parseLocation(input)
    return ctx.transaction(async (tx) => {
      const mine = await tx.db
        .selectFrom('image')
        .select(['id', 'name', 'state'])
        .where('account_id', '=', ctx.caller.accountId)
        .execute()
      const namesake = mine.find(
        (image) => image.name === input.Name && image.state !== 'deregistered' && image.state !== 'failed',
      )
      if (namesake) throw invalidAmiNameDuplicate(input.Name, namesake.id)
      const quota = await quotaOf(tx.db, ctx.caller.accountId, 'images')
      if (mine.filter((image) => image.state !== 'deregistered').length >= quota)
        throw resourceLimitExceeded(`You have reached your limit of ${quota} images.`)
      const row: ImageTable = {
        id: newId('image', ctx.random),
        account_id: ctx.caller.accountId,
        kind: 'machine',
        name: input.Name,
        description: input.Description ?? null,
        ...location,
        state: 'pending',
        state_reason: null,
        architecture:
          input.Architecture === 'arm64' || input.Architecture === 'i386' ? input.Architecture : 'x86_64',
        root_device_name: input.RootDeviceName ?? '/dev/sda1',
        kernel_id: await bootImage(ctx, tx.db, input.KernelId, 'kernel'),
        ramdisk_id: await bootImage(ctx, tx.db, input.RamdiskId, 'ramdisk'),
        is_public: 0,
        format: null,
        size_bytes: null,
        virtual_size_bytes: null,
        sha256: null,
        created_at: ctx.nowMs,
        request_id: ctx.requestId,
        trace_parent: ctx.traceparent,
        deprecated_at: null,
        disabled: 0,
        source_image_id: null,
        layout: null,
      }
      await tx.db.insertInto('image').values(row).execute()
      await putTags(tx, tagRows(ctx, input.TagSpecifications, 'image', [row.id]))
      tx.touch(row.id)
      tx.afterCommit(() => ctx.wakes.image(row.id))
      return { ImageId: row.id }
    })
  },
})

function parseLocation(input: Ec2Input<'RegisterImage'>): { bucket: string; object_key: string } {
  if (!/^[A-Za-z0-9()[\] ./'@_-]{3,128}$/.test(input.Name)) throw invalidAmiNameMalformed()
  if (input.VirtualizationType !== undefined && input.VirtualizationType !== 'hvm')
    throw unsupportedParameter('VirtualizationType')
  if (input.Architecture !== undefined && !['x86_64', 'arm64', 'i386'].includes(input.Architecture))
    throw unsupportedParameter('Architecture')
  if (
    input.RootDeviceName !== undefined &&
    !/^\/dev\/(?:sd|vd|xvd|hd)[a-z][0-9]*$/.test(input.RootDeviceName)
  ) {
    throw invalidParameterValue(`Value (${input.RootDeviceName}) for parameter rootDeviceName is invalid.`)
  }
  const location = input.ImageLocation
  if (location === undefined)
    throw invalidParameterCombination('ImageLocation must be given: images come from objects of walrus.')
  const slash = location.replace(/^\//, '').indexOf('/')
  const path = location.replace(/^\//, '')
  if (slash <= 0 || slash === path.length - 1 || path.length > 1200)
    throw invalidParameterValue(
      `Value (${location.slice(0, 100)}) for parameter imageLocation is invalid. It must be BUCKET/KEY.`,
    )
  return { bucket: path.slice(0, slash), object_key: path.slice(slash + 1) }
}

async function bootImage(
  ctx: ActionContext,
  db: Reader,
  given: string | undefined,
  kind: 'kernel' | 'ramdisk',
): Promise<string | null> {
  if (given === undefined) return null
  const id = canonicalImageId(given)
  if (!isWellFormedId(kind, id)) throw invalidAmiIdMalformed(given)
  const image = await db.selectFrom('image').selectAll().where('id', '=', id).executeTakeFirst()
  if (!image || image.kind !== kind || !visible(ctx, image) || image.state === 'deregistered')
    throw invalidAmiIdNotFound([given])
  return id
}

/** Eucalyptus' prefixes are understood on input (DECISIONS 8). */
function canonicalImageId(id: string): string {
  return id.replace(/^e([mkr])i-/, 'a$1i-')
}

function visible(ctx: ActionContext, image: ImageTable): boolean {
  return image.account_id === ctx.caller.accountId || image.is_public === 1
}

function wellFormed(id: string): boolean {
  return isWellFormedId('image', id) || isWellFormedId('kernel', id) || isWellFormedId('ramdisk', id)
}

function owned(ctx: ActionContext, image: ImageTable, owners: readonly string[] | undefined): boolean {
  if (!owners || owners.length === 0) return true
  return owners.some((owner) =>
    owner === 'self' ? image.account_id === ctx.caller.accountId : owner === image.account_id,
  )
}

function executable(ctx: ActionContext, image: ImageTable, users: readonly string[] | undefined): boolean {
  if (!users || users.length === 0) return true
  return users.some((user) =>
    user === 'all' ? image.is_public === 1 : user === 'self' && image.account_id === ctx.caller.accountId,
  )
}

const fields: FilterFields<ImageTable> = {
  architecture: (image) => [image.architecture],
  description: (image) => [image.description],
  hypervisor: () => ['xen'],
  'image-id': (image) => [image.id],
  'image-type': (image) => [image.kind],
  'is-public': (image) => [image.is_public === 1],
  'kernel-id': (image) => [image.kernel_id],
  'manifest-location': (image) => [`${image.bucket}/${image.object_key}`],
  name: (image) => [image.name],
  'owner-id': (image) => [image.account_id],
  'ramdisk-id': (image) => [image.ramdisk_id],
  'root-device-name': (image) => [image.root_device_name],
  'root-device-type': () => ['instance-store'],
  state: (image) => [image.state],
  'state-reason-message': (image) => [image.state_reason],
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
    return ctx.read(async (db) => {
      const all = (
        await db.selectFrom('image').selectAll().orderBy('created_at').orderBy('id').execute()
      ).filter((image) => visible(ctx, image) && image.state !== 'deregistered')
      const ids = (input.ImageIds ?? []).map(canonicalImageId)
      for (const [index, id] of ids.entries())
        if (!wellFormed(id)) throw invalidAmiIdMalformed(input.ImageIds![index]!)
      const missing = ids.filter((id) => !all.some((image) => image.id === id))
      if (missing.length > 0) throw invalidAmiIdNotFound(missing)
      const chosen = all.filter(
        (image) =>
          (ids.length === 0 || ids.includes(image.id)) &&
          owned(ctx, image, input.Owners) &&
          executable(ctx, image, input.ExecutableUsers),
      )
      const { views, nextToken } = await describeThings(ctx, db, input, {
        things: chosen,
        idOf: (image) => image.id,
        keyOf: (image) => timeKey(image.created_at, image.id),
        fields,
        smallest: 1,
        exclusiveIds: ids.length > 0,
        view: imageView,
      })
      return { Images: views, NextToken: nextToken }
    })
  },
})

function imageView(image: ImageTable, tags: { Key: string; Value: string }[]) {
  return {
    ImageId: image.id,
    ImageLocation: `${image.bucket}/${image.object_key}`,
    State: image.state,
    OwnerId: image.account_id,
    CreationDate: new Date(image.created_at).toISOString(),
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
    ...(image.state_reason === null
      ? {}
      : { StateReason: { Code: 'Server.InternalError', Message: image.state_reason } }),
  }
}

/** Running instances keep the image; new launches do not get it. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeregisterImage.html */
export const deregisterImage = defineEc2Action('DeregisterImage', {
  honours: ['ImageId'],
  run(ctx, input) {
    return ctx.transaction(async (tx) => {
      const id = canonicalImageId(input.ImageId)
      if (!wellFormed(id)) throw invalidAmiIdMalformed(input.ImageId)
      const image = await tx.db.selectFrom('image').selectAll().where('id', '=', id).executeTakeFirst()
      if (!image || image.account_id !== ctx.caller.accountId || image.state === 'deregistered')
        throw invalidAmiIdNotFound([input.ImageId])
      await transitionImage(tx, image, 'deregisterAsked', { nowMs: ctx.nowMs, requestId: ctx.requestId })
      await deleteTagsOf(tx, id)
      tx.touch(id)
      tx.afterCommit(() => ctx.wakes.image(id))
      return { Return: true }
    })
  },
})
