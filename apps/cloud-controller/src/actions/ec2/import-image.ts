import { newId } from '@mallee/base'
import { invalidParameterValue, missingParameter, type Ec2Input } from '@mallee/ec2-api'
import { putTags } from '../../store/tag-store.ts'
import type { ImageTable } from '../../store/tables.ts'
import { accountImageBucket } from '../account-image-bucket.ts'
import { defineEc2Action } from '../define-action.ts'
import { tagRows } from '../tag-specifications.ts'
import { diskFormat, diskPlace } from './disk-container.ts'
import { readImportTask, importTaskView } from './import-tasks.ts'
import { insertImage } from './register-image.ts'

/**
 * Makes an image of a disk in a bucket: raw, qcow2, VMDK, VHD, VHDX, or an OVA with one disk. Walrus converts it; until it
 * has, there is the task and no image. The image's name is the task's id, as on AWS.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ImportImage.html
 */
export const importImage = defineEc2Action('ImportImage', {
  honours: [
    'Architecture',
    'Description',
    'DiskContainers.Description',
    'DiskContainers.Format',
    'DiskContainers.Url',
    'DiskContainers.UserBucket',
    'TagSpecifications',
  ],
  only: {
    BootMode: ['legacy-bios'],
    Encrypted: [false],
    LicenseType: ['BYOL'],
    Platform: ['Linux'],
    // There is one such role on AWS, which lets its service read the bucket; here walrus reads its own.
    RoleName: ['vmimport'],
  },
  creates: ['import-image-task'],
  async run(ctx, input) {
    const disk = diskOf(input)
    const architecture = input.Architecture ?? 'x86_64'
    if (architecture !== 'x86_64' && architecture !== 'arm64' && architecture !== 'i386')
      throw invalidParameterValue(
        `Value (${architecture.slice(0, 40)}) for parameter architecture is invalid. Valid values are i386, x86_64 and arm64.`,
      )
    const taskId = await ctx.transaction(async (tx) => {
      const [id, imageId] = [newId('importTask', ctx.random), newId('image', ctx.random)]
      await insertImage(ctx, tx, {
        ...{ id: imageId, kind: 'machine', name: id, architecture, root_device_name: '/dev/sda1' },
        description: input.Description ?? disk.description,
        ...{ bucket: accountImageBucket(ctx), object_key: imageId, has_disk: 1 },
        ...{ origin: 'import', origin_bucket: disk.bucket, origin_key: disk.key, origin_format: disk.format },
        ...{ kernel_id: null, ramdisk_id: null, source_image_id: null },
      })
      await tx.db
        .insertInto('import_task')
        .values({
          ...{ id, account_id: ctx.caller.accountId, image_id: imageId, created_at: ctx.nowMs },
          ...{ description: input.Description ?? null, cancelled_at: null, cancel_reason: null },
        })
        .execute()
      await putTags(tx, tagRows(ctx, input.TagSpecifications, 'import-image-task', [id]))
      tx.touch(id)
      return id
    })
    return ctx.read(async (db) => {
      const { task, tags } = await readImportTask(db, ctx.caller.accountId, taskId)
      return importTaskView(task, tags)
    })
  },
})

/** The one disk that is imported. Throws what is missing or wrong with it. */
function diskOf({ DiskContainers: containers = [] }: Ec2Input<'ImportImage'>): {
  bucket: string
  key: string
  format: ImageTable['origin_format']
  description: string | null
} {
  const [container] = containers
  if (!container) throw missingParameter('DiskContainers')
  if (containers.length > 1)
    throw invalidParameterValue('An image is made of one disk here: DiskContainers may name one.')
  const format = diskFormat(container.Format, 'DiskContainers.Format')
  return { ...diskPlace(container, 'DiskContainers'), format, description: container.Description ?? null }
}
