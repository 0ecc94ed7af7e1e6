import { open, stat } from 'node:fs/promises'
import path from 'node:path'
import { MalleeError } from '@mallee/base'
import { adminCall } from '../admin-client.ts'
import { AwsClient, adminCredentials, type XmlAnswer } from '../cloud-client.ts'
import { adminSocket } from '../host/daemons.ts'
import { requireLayout, type Layout } from '../layout.ts'
import { waitFor } from '../wait-for.ts'
import { parseCommand, print, step } from './command.ts'

const bucket = 'mallee-images'
const inspectMs = 600_000

export async function runImage(args: string[]): Promise<void> {
  const usage =
    'image import FILE [--kind machine|kernel|ramdisk] [--kernel ID --ramdisk ID] [--name NAME] [--json] | image list [--json]'
  const text = { type: 'string' } as const
  const options = { name: text, kind: text, kernel: text, ramdisk: text, json: { type: 'boolean' } } as const
  const { stateDir, values, positionals } = parseCommand(args, options, { least: 1, most: 2, usage })
  const layout = requireLayout(stateDir)
  const client = new AwsClient(layout, await adminCredentials(layout))
  const [verb, file] = positionals
  if (verb === 'list' && file === undefined) return list(client, values.json === true)
  if (verb !== 'import' || file === undefined)
    throw new MalleeError({ code: 'Usage', publicMessage: `usage: ./mallee ${usage}` })
  const { kind = 'machine', kernel: kernelId, ramdisk: ramdiskId, name = nameOf(file) } = values
  const boots = kind === 'kernel' || kind === 'ramdisk'
  if ((kind !== 'machine' && !boots) || (boots && (kernelId ?? ramdiskId) !== undefined))
    throw new MalleeError({ code: 'Usage', publicMessage: `usage: ./mallee ${usage}` })
  const imageId = boots
    ? await importBootImage(layout, client, { kind, file, name })
    : await importImage(client, {
        file,
        name,
        ...(kernelId === undefined ? {} : { kernelId }),
        ...(ramdiskId === undefined ? {} : { ramdiskId }),
      })
  print(values.json ? JSON.stringify({ imageId }) : imageId)
}

function nameOf(file: string): string {
  const base = path.basename(file).replaceAll(/[^A-Za-z0-9()[\] ./'@_-]/g, '-')
  return base.padEnd(3, '-').slice(0, 128)
}

/** Uploads a raw or qcow2 disk and registers it; walrus reads the header, so a file that is no disk is refused there. */
export async function importImage(
  client: AwsClient,
  options: { file: string; name: string; kernelId?: string; ramdiskId?: string },
): Promise<string> {
  if (!(await stat(options.file)).isFile())
    throw new MalleeError({ code: 'NoFile', publicMessage: `${options.file} is no file.` })
  await (await open(options.file, 'r')).close()
  const key = `${options.name.replaceAll(/[^A-Za-z0-9._-]/g, '-')}-${Date.now().toString(36)}`
  step(`uploading ${options.file}`)
  await client.createBucket(bucket)
  await client.putFile(bucket, key, options.file)
  const answer = await client.ec2('RegisterImage', {
    Name: options.name,
    ImageLocation: `${bucket}/${key}`,
    Architecture: 'x86_64',
    VirtualizationType: 'hvm',
    RootDeviceName: '/dev/sda1',
    ...(options.kernelId ? { KernelId: options.kernelId } : {}),
    ...(options.ramdiskId ? { RamdiskId: options.ramdiskId } : {}),
  })
  const imageId = answer.imageId as string
  try {
    await waitForImage(client, imageId)
  } catch (error) {
    await client.ec2('DeregisterImage', { ImageId: imageId }).catch(() => {})
    await client.deleteObject(bucket, key).catch(() => {})
    throw error
  }
  return imageId
}

/** Uploads a kernel or an initial ramdisk and registers it for every account: by the admin's door, as only admins may. */
export async function importBootImage(
  layout: Layout,
  client: AwsClient,
  options: { kind: 'kernel' | 'ramdisk'; file: string; name: string },
): Promise<string> {
  const { kind, file, name } = options
  const key = `${name.replaceAll(/[^A-Za-z0-9._-]/g, '-')}-${Date.now().toString(36)}`
  await client.createBucket(bucket)
  await client.putFile(bucket, key, file)
  const { accountId } = await adminCredentials(layout)
  const { imageId } = await adminCall<{ imageId: string }>(adminSocket(layout), 'POST', '/admin/v1/images', {
    ...{ kind, accountId, bucket, key, name },
  })
  try {
    await waitForImage(client, imageId)
  } catch (error) {
    await client.ec2('DeregisterImage', { ImageId: imageId }).catch(() => {})
    await client.deleteObject(bucket, key).catch(() => {})
    throw error
  }
  return imageId
}

export async function waitForImage(client: AwsClient, imageId: string): Promise<void> {
  await waitFor(
    async () => {
      const image = (await client.ec2('DescribeImages', { 'ImageId.1': imageId })).imagesSet
        ?.item?.[0] as XmlAnswer
      if (image?.imageState === 'failed') {
        throw new MalleeError({
          code: 'ImageRefused',
          publicMessage: `${imageId}: ${image.stateReason?.message ?? 'the image was refused'}`,
        })
      }
      return image?.imageState === 'available'
    },
    { timeoutMs: inspectMs, failure: `${imageId} was not inspected in time` },
  )
}

async function list(client: AwsClient, json: boolean): Promise<void> {
  const images = ((await client.ec2('DescribeImages', { 'Owner.1': 'self' })).imagesSet?.item ??
    []) as XmlAnswer[]
  if (json)
    return print(
      JSON.stringify(
        images.map((image) => ({ imageId: image.imageId, name: image.name, state: image.imageState })),
      ),
    )
  for (const image of images)
    print(`${image.imageId}  ${image.imageState.padEnd(10)} ${image.imageType.padEnd(8)} ${image.name ?? ''}`)
}
