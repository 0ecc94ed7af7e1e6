import { GiB, MiB } from '@mallee/base'
import { invalidParameterValue, missingParameter } from '@mallee/ec2-api'
import { requireLaunchableImage } from '../../store/image-store.ts'
import type { Reader } from '../../store/record.ts'
import type { ImageTable } from '../../store/tables.ts'

/** What a partition's disk has before its first partition, in bytes. */
const partitionTableBytes = MiB

/** The images that a launch boots: what the request names, else what the machine image names. */
export async function resolveImages(
  db: Reader,
  accountId: string,
  input: {
    readonly ImageId?: string | undefined
    readonly KernelId?: string | undefined
    readonly RamdiskId?: string | undefined
  },
): Promise<{ image: ImageTable; kernelId: string | null; ramdiskId: string | null }> {
  if (input.ImageId === undefined) throw missingParameter('ImageId')
  const image = await requireLaunchableImage(db, accountId, input.ImageId, 'machine')
  const bootFile = async (id: string | null, kind: 'kernel' | 'ramdisk') =>
    id === null ? null : (await requireLaunchableImage(db, accountId, id, kind)).id
  const kernelId = await bootFile(input.KernelId ?? image.kernel_id, 'kernel')
  const ramdiskId = await bootFile(input.RamdiskId ?? image.ramdisk_id, 'ramdisk')
  if (image.layout === 'partition') {
    // Its disk has no boot loader: the hypervisor starts the kernel, and tells it where the root is.
    if (kernelId === null) throw missingParameter('kernelId')
    if (ramdiskId === null) throw missingParameter('ramdiskId')
  }
  return { image, kernelId, ramdiskId }
}

/** Throws InvalidParameterValue where the type's disk cannot hold the image. */
export function checkFits(image: ImageTable, typeName: string, diskGiB: number): void {
  const needed = (image.virtual_size_bytes ?? 0) + (image.layout === 'partition' ? partitionTableBytes : 0)
  if (needed > diskGiB * GiB)
    throw invalidParameterValue(
      `The image ${image.id} is larger than the ${diskGiB} GiB disk of ${typeName}.`,
    )
}
