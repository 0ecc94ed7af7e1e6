import type { ImageObjectItem } from '@mallee/agent-contract'
import { BundleRefused } from '@mallee/image-bundle'
import type { ObjectSource } from '../../objects/open-object.ts'
import type { ImageStream } from '../unbundle-image.ts'
import { convertDisk, diskAsItIs, type ImportOptions } from './convert-disk.ts'
import { objectDisk } from './disk-source.ts'

/**
 * The image of a disk: as it is where that is raw or qcow2, which are looked at when they are written, as every image is;
 * all others are converted. Throws BundleRefused with what is wrong.
 */
export async function importImage(
  deps: ObjectSource,
  { accountId, madeFrom }: ImageObjectItem,
  options: ImportOptions,
): Promise<ImageStream> {
  if (!madeFrom?.format) throw new BundleRefused('The format of the disk is not known.')
  const source = await objectDisk(deps, accountId, madeFrom)
  const { format, mostBytes } = madeFrom
  if (format === 'raw' || format === 'qcow2') return diskAsItIs(source, mostBytes, options.onProgress)
  return convertDisk(deps, source, format, { ...options, mostBytes })
}
