import { newId } from '@mallee/base'
import {
  amiInState,
  amiStorageNotPermitted,
  invalidParameterValue,
  unsupportedParameter,
} from '@mallee/ec2-api'
import { imageIdOf, requireVisibleImage } from '../../store/image-store.ts'
import { putTags, readTags } from '../../store/tag-store.ts'
import { accountImageBucket } from '../account-image-bucket.ts'
import { defineEc2Action, type ActionContext, type ActionTransaction } from '../define-action.ts'
import { tagRows } from '../tag-specifications.ts'
import { imageDevices } from './block-device-mappings.ts'
import { checkImageName, insertImage, snapshotImage } from './register-image.ts'
import type { EncryptionWish } from './encryption.ts'
import { requireVisibleSnapshot } from './require-volumes.ts'
import { copyOfSnapshot } from './snapshots.ts'

/**
 * Another image of the same bytes, in an object of its own that walrus makes: the first one may then be deregistered
 * and its object deleted. Launch permissions are not copied, as on AWS.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CopyImage.html
 */
export const copyImage = defineEc2Action('CopyImage', {
  honours: [
    ...(['Name', 'Description', 'SourceImageId', 'SourceRegion', 'CopyImageTags'] as const),
    ...(['Encrypted', 'KmsKeyId', 'TagSpecifications'] as const),
  ],
  creates: ['image'],
  run(ctx, input) {
    if (input.SourceRegion !== ctx.settings.region) {
      throw invalidParameterValue(
        `Value (${input.SourceRegion.slice(0, 100)}) for parameter sourceRegion is invalid. This cloud has the one region ${ctx.settings.region}.`,
      )
    }
    checkImageName(input.Name)
    const sourceId = imageIdOf(input.SourceImageId, 'machine')
    return ctx.transaction(async (tx) => {
      const { accountId } = ctx.caller
      const source = await requireVisibleImage(tx.db, accountId, sourceId, 'machine')
      if (source.account_id !== accountId) throw amiStorageNotPermitted()
      if (source.state !== 'available') throw amiInState(sourceId, source.state)
      if (source.disabled === 1) throw amiInState(sourceId, 'disabled')
      const { kind, architecture, root_device_name, kernel_id, ramdisk_id } = source
      const id = newId('image', ctx.random)
      const isEbs = source.root_device_type === 'ebs'
      await insertImage(ctx, tx, {
        id,
        kind,
        name: input.Name,
        description: input.Description ?? null,
        ...(isEbs
          ? { ...snapshotImage, create_phase: 'upload' as const }
          : { bucket: accountImageBucket(ctx), object_key: id }),
        architecture,
        root_device_name,
        kernel_id,
        ramdisk_id,
        source_image_id: source.id,
      })
      const wish = { encrypted: input.Encrypted, kmsKeyId: input.KmsKeyId }
      if (isEbs) await copyDevices(ctx, tx, { from: source.id, to: id, wish })
      else if (wish.encrypted === true || wish.kmsKeyId !== undefined)
        throw unsupportedParameter(wish.encrypted === true ? 'Encrypted' : 'KmsKeyId')
      const copied = input.CopyImageTags
        ? ((await readTags(tx.db, accountId, [source.id])).get(source.id) ?? [])
        : []
      const given = tagRows(ctx, input.TagSpecifications, 'image', [id])
      const carried = tagRows(ctx, [{ ResourceType: 'image', Tags: copied }], 'image', [id])
      await putTags(tx, [...carried.filter((tag) => !given.some(({ key }) => key === tag.key)), ...given])
      return { ImageId: id }
    })
  },
})

/** Each snapshot is copied, so that the first image and all of its may go. */
async function copyDevices(
  ctx: ActionContext,
  tx: ActionTransaction,
  { from, to, wish }: { from: string; to: string; wish: EncryptionWish },
): Promise<void> {
  for (const device of await imageDevices(tx.db, from)) {
    const source =
      device.snapshot_id === null ? undefined : await requireVisibleSnapshot(ctx, tx.db, device.snapshot_id)
    const description = `Copied for ${to} from ${from}`
    const copy = source && (await copyOfSnapshot(ctx, tx, source, { ...wish, description }))
    await tx.db
      .insertInto('image_block_device')
      .values({
        ...device,
        image_id: to,
        ...(copy ? { snapshot_id: copy.id, encrypted: copy.kms_key_id === null ? 0 : 1 } : {}),
      })
      .execute()
  }
}
