import { mkdir } from 'node:fs/promises'
import type { AwsClient, XmlAnswer } from './cloud-client.ts'
import { step } from './commands/command.ts'
import { importBootImage, importImage } from './commands/image.ts'
import type { Layout } from './layout.ts'
import { buildStarterImage } from './starter-image/build.ts'

const imageName = 'mallee-starter'

/** Builds the starter image from Debian's packages, once, and registers its kernel, ramdisk and disk. */
export async function ensureStarterImage(layout: Layout, client: AwsClient): Promise<string> {
  const found = await client.ec2('DescribeImages', {
    'Owner.1': 'self',
    'Filter.1.Name': 'name',
    'Filter.1.Value.1': imageName,
    'Filter.2.Name': 'state',
    'Filter.2.Value.1': 'available',
  })
  const present = found.imagesSet?.item?.[0] as XmlAnswer
  if (present) return present.imageId as string
  step('building the starter image')
  const dir = layout.file('starter')
  await mkdir(dir, { recursive: true })
  const built = await buildStarterImage({ dir })
  const bootImage = (kind: 'kernel' | 'ramdisk', file: string) =>
    importBootImage(layout, client, { kind, file, name: `${imageName}-${kind}` })
  const kernelId = await bootImage('kernel', built.kernel)
  const ramdiskId = await bootImage('ramdisk', built.ramdisk)
  step('registering the starter image')
  return importImage(client, { file: built.disk, name: imageName, kernelId, ramdiskId })
}
