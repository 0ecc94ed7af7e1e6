import { mkdir } from 'node:fs/promises'
import { adminCall } from './admin-client.ts'
import { adminCredentials, type AwsClient, type XmlAnswer } from './cloud-client.ts'
import { step } from './commands/command.ts'
import { importImage, waitForImage } from './commands/image.ts'
import { adminSocket } from './host/daemons.ts'
import type { Layout } from './layout.ts'
import { buildStarterImage } from './starter-image/build.ts'

const imageName = 'mallee-starter'
const bucket = 'mallee-images'

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
  await client.createBucket(bucket)
  const kernelId = await registerBootImage(layout, client, 'kernel', built.kernel)
  const ramdiskId = await registerBootImage(layout, client, 'ramdisk', built.ramdisk)
  step('registering the starter image')
  return importImage(client, { file: built.disk, name: imageName, kernelId, ramdiskId })
}

async function registerBootImage(
  layout: Layout,
  client: AwsClient,
  kind: 'kernel' | 'ramdisk',
  file: string,
): Promise<string> {
  const key = `${imageName}-${kind}-${Date.now().toString(36)}`
  await client.putFile(bucket, key, file)
  const { accountId } = await adminCredentials(layout)
  const { imageId } = await adminCall<{ imageId: string }>(adminSocket(layout), 'POST', '/admin/v1/images', {
    kind,
    accountId,
    bucket,
    key,
    name: `${imageName}-${kind}`,
  })
  await waitForImage(client, imageId)
  return imageId
}
