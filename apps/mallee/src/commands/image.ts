import { open, stat } from 'node:fs/promises'
import path from 'node:path'
import { MalleeError } from '@mallee/base'
import { adminCall } from '../admin-client.ts'
import { AwsClient, adminCredentials, type XmlAnswer } from '../cloud-client.ts'
import { adminSocket } from '../host/daemons.ts'
import { bundleFile } from '../images/bundle-file.ts'
import { downloadImage } from '../images/download-image.ts'
import { imageTools, type ImageTools } from '../images/image-tools.ts'
import { unbundleSource } from '../images/unbundle-source.ts'
import { requireLayout, type Layout } from '../layout.ts'
import { waitFor } from '../wait-for.ts'
import { parseCommand, print, step } from './command.ts'

const bucket = 'mallee-images'
const inspectMs = 600_000

const usage = [
  'image import FILE [--kind machine|kernel|ramdisk] [--kernel ID --ramdisk ID] [--name NAME] [--json]',
  'image list [--json]',
  'image bundle FILE --bucket B [--prefix P] [--kind machine|kernel|ramdisk] [--kernel ID --ramdisk ID] [--architecture A] [--certificate FILE --private-key FILE]',
  'image unbundle FOLDER|MANIFEST|BUCKET/KEY FILE [--format F] [--private-key FILE]',
  'image download ID FILE [--format raw|qcow2|vmdk|vdi|vhd|vhdx]',
].join(' | ')

const misused = () => new MalleeError({ code: 'Usage', publicMessage: `usage: ./mallee ${usage}` })

const text = { type: 'string' } as const
const options = {
  ...{ name: text, kind: text, kernel: text, ramdisk: text, json: { type: 'boolean' } as const },
  ...{ bucket: text, prefix: text, architecture: text, format: text },
  ...{ certificate: text, 'private-key': text },
} as const
type Given = ReturnType<typeof parseCommand<typeof options>>['values']

export async function runImage(args: string[]): Promise<void> {
  const { stateDir, values, positionals } = parseCommand(args, options, { least: 1, most: 3, usage })
  const layout = requireLayout(stateDir)
  const [verb, first, second] = positionals
  const json = values.json === true
  if (verb === 'bundle' || verb === 'unbundle' || verb === 'download')
    return runBundling(await imageTools(layout), verb, positionals.slice(1), values)
  const client = new AwsClient(layout, await adminCredentials(layout))
  if (verb === 'list' && first === undefined) return list(client, json)
  if (verb !== 'import' || first === undefined || second !== undefined) throw misused()
  const { kernel: kernelId, ramdisk: ramdiskId, name = nameOf(first) } = values
  const kind = kindOf(values)
  const imageId =
    kind === 'machine'
      ? await importImage(client, {
          file: first,
          name,
          ...(kernelId === undefined ? {} : { kernelId }),
          ...(ramdiskId === undefined ? {} : { ramdiskId }),
        })
      : await importBootImage(layout, client, { kind, file: first, name })
  print(json ? JSON.stringify({ imageId }) : imageId)
}

/** Kernels and ramdisks have none of their own. */
function kindOf({ kind = 'machine', kernel, ramdisk }: Given): 'machine' | 'kernel' | 'ramdisk' {
  if (kind !== 'machine' && kind !== 'kernel' && kind !== 'ramdisk') throw misused()
  if (kind !== 'machine' && (kernel ?? ramdisk) !== undefined) throw misused()
  return kind
}

async function runBundling(
  tools: ImageTools,
  verb: 'bundle' | 'unbundle' | 'download',
  [source, file]: string[],
  values: Given,
): Promise<void> {
  const { bucket: into, format = 'raw', 'private-key': privateKey } = values
  if (source === undefined || (verb === 'bundle') !== (file === undefined)) throw misused()
  if (file !== undefined) {
    if (verb === 'download') await downloadImage(tools, source, { file, format })
    else await unbundleSource(tools, source, { file, format }, privateKey ?? null)
    return print(file)
  }
  if (into === undefined || (values.certificate === undefined) !== (privateKey === undefined)) throw misused()
  const location = await bundleFile(tools, {
    ...{ file: source, bucket: into, kind: kindOf(values) },
    prefix: values.prefix ?? `${keyOf(nameOf(source))}-${Date.now().toString(36)}`,
    architecture: values.architecture ?? 'x86_64',
    ...{ kernelId: values.kernel ?? null, ramdiskId: values.ramdisk ?? null },
    ...{ certificateFile: values.certificate ?? null, privateKeyFile: privateKey ?? null },
    onPart: (index) => step(`part ${index} is uploaded`),
  })
  print(values.json ? JSON.stringify({ location }) : location)
}

const keyOf = (name: string): string => name.replaceAll(/[^A-Za-z0-9._-]/g, '-')

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
  const key = `${keyOf(options.name)}-${Date.now().toString(36)}`
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
  const key = `${keyOf(name)}-${Date.now().toString(36)}`
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

/** Why it failed, or how far it is. */
const reasonOf = (image: XmlAnswer): string =>
  image.stateReason?.message === undefined ? '' : ` (${image.stateReason.message})`

async function list(client: AwsClient, json: boolean): Promise<void> {
  const images = ((await client.ec2('DescribeImages', { 'Owner.1': 'self' })).imagesSet?.item ??
    []) as XmlAnswer[]
  if (json)
    return print(
      JSON.stringify(
        images.map((image) => ({
          imageId: image.imageId,
          name: image.name,
          state: image.imageState,
          ...(image.stateReason?.message === undefined ? {} : { reason: image.stateReason.message }),
        })),
      ),
    )
  for (const image of images)
    print(
      `${image.imageId}  ${image.imageState.padEnd(10)} ${image.imageType.padEnd(8)} ${image.name ?? ''}${reasonOf(image)}`,
    )
}
