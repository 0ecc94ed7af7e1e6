import { newId } from '@mallee/base'
import {
  invalidAmiNameDuplicate,
  invalidAmiNameMalformed,
  invalidParameterCombination,
  invalidParameterValue,
  missingParameter,
  resourceLimitExceeded,
  unsupportedParameter,
  type Ec2Input,
} from '@mallee/ec2-api'
import { makeImagePrivate, requireOwnImage, requireVisibleImage } from '../../store/image-store.ts'
import { quotaOf } from '../../store/quota-store.ts'
import { deleteTagsOf, putTags } from '../../store/tag-store.ts'
import type { ImageTable } from '../../store/tables.ts'
import { transitionImage } from '../../store/transition.ts'
import { defineEc2Action, type ActionContext, type ActionTransaction } from '../define-action.ts'
import { tagRows } from '../tag-specifications.ts'

/**
 * Registers an object of walrus as an image: a raw or qcow2 disk, or one raw file system, which a launch turns into a
 * disk and which needs a kernel and a ramdisk. Pending until walrus has read it whole.
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
    'TagSpecifications',
  ],
  only: { VirtualizationType: ['hvm'], EnaSupport: [false] },
  creates: ['image'],
  run(ctx, input) {
    const { name, ...location } = parseLocation(input)
    return ctx.transaction(async (tx) => {
      const { accountId } = ctx.caller
      const bootImage = (id: string | undefined, kind: 'kernel' | 'ramdisk') =>
        id === undefined ? null : requireVisibleImage(tx.db, accountId, id, kind).then((image) => image.id)
      const id = await insertImage(ctx, tx, {
        kind: 'machine',
        name,
        description: input.Description ?? null,
        ...location,
        architecture:
          input.Architecture === 'arm64' || input.Architecture === 'i386' ? input.Architecture : 'x86_64',
        root_device_name: input.RootDeviceName ?? '/dev/sda1',
        kernel_id: await bootImage(input.KernelId, 'kernel'),
        ramdisk_id: await bootImage(input.RamdiskId, 'ramdisk'),
        source_image_id: null,
      })
      await putTags(tx, tagRows(ctx, input.TagSpecifications, 'image', [id]))
      return { ImageId: id }
    })
  },
})

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
> & {
  readonly name: string
  readonly id?: string
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
    .select(['id', 'name', 'state'])
    .where('account_id', '=', accountId)
    .where('state', '!=', 'deregistered')
    .execute()
  const namesake = mine.find(({ name, state }) => name === image.name && state !== 'failed')
  if (namesake) throw invalidAmiNameDuplicate(image.name, namesake.id)
  const quota = await quotaOf(tx.db, accountId, 'images')
  if (mine.length >= quota) throw resourceLimitExceeded(`You have reached your limit of ${quota} images.`)
  const id = image.id ?? newId(image.kind === 'machine' ? 'image' : image.kind, ctx.random)
  await tx.db
    .insertInto('image')
    .values({
      ...image,
      id,
      account_id: accountId,
      state: 'pending',
      state_reason: null,
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
