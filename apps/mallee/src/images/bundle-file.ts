import { createReadStream } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { MalleeError } from '@mallee/base'
import {
  bundleImage,
  manifestSuffix,
  newBundleKey,
  signManifest,
  wrapKey,
  writeManifest,
  type BundleManifest,
  type ImageKind,
} from '@mallee/image-bundle'
import type { ImageTools } from './image-tools.ts'

export interface BundleChoices {
  readonly file: string
  readonly bucket: string
  /** Of all keys; may hold folders. */
  readonly prefix: string
  readonly kind: ImageKind
  readonly architecture: string
  readonly kernelId: string | null
  readonly ramdiskId: string | null
  /** PEM files of the user's own: he can then unbundle without the cloud, and the manifest is signed. */
  readonly certificateFile: string | null
  readonly privateKeyFile: string | null
  readonly onPart?: (index: number, ofAboutBytes: number) => void
}

/**
 * Bundles a file for this cloud and uploads it; answers the manifest's `BUCKET/KEY`. The manifest comes last, so that
 * there is none before all of its parts are there; whatever fails, the parts go again.
 */
export async function bundleFile(
  { client, accountId, admin }: ImageTools,
  choices: BundleChoices,
): Promise<string> {
  const { file, bucket, prefix } = choices
  const found = await stat(file)
  if (!found.isFile()) throw new MalleeError({ code: 'NoFile', publicMessage: `${file} is no file.` })
  const { size: sizeBytes, mtimeMs } = found
  if (sizeBytes === 0) throw new MalleeError({ code: 'NoFile', publicMessage: `${file} is empty.` })
  const manifestKey = `${prefix}${manifestSuffix}`
  await client.createBucket(bucket)
  const present = await client.getObject(bucket, manifestKey)
  if (present) {
    present.destroy()
    throw new MalleeError({
      code: 'Exists',
      publicMessage: `There is a bundle ${bucket}/${manifestKey} already.`,
    })
  }
  const key = newBundleKey()
  const { certificate } = await admin<{ certificate: string }>('GET', '/admin/v1/bundling')
  const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1)
  const uploaded: string[] = []
  try {
    const made = await bundleImage({
      ...{ source: createReadStream(file), sizeBytes, mtimeMs, key },
      ...{ name: path.basename(file), prefix: prefix.slice(folder.length) },
      async writePart({ filename }, bytes) {
        uploaded.push(folder + filename)
        await client.putBytes(bucket, folder + filename, bytes)
        choices.onPart?.(uploaded.length - 1, sizeBytes)
      },
    })
    const manifest = await manifestOf(choices, { accountId, certificate, key, sizeBytes, made })
    await client.putBytes(bucket, manifestKey, Buffer.from(manifest))
  } catch (error) {
    for (const each of uploaded) await client.deleteObject(bucket, each).catch(() => {})
    throw error
  }
  return `${bucket}/${manifestKey}`
}

async function manifestOf(
  choices: BundleChoices,
  facts: {
    readonly accountId: string
    readonly certificate: string
    readonly key: ReturnType<typeof newBundleKey>
    readonly sizeBytes: number
    readonly made: Awaited<ReturnType<typeof bundleImage>>
  },
): Promise<string> {
  const { kind, architecture, certificateFile, privateKeyFile } = choices
  const cloud = wrapKey(facts.key, facts.certificate)
  const user =
    certificateFile === null
      ? { key: '', iv: '' }
      : wrapKey(facts.key, await readFile(certificateFile, 'utf8'))
  const manifest: Omit<BundleManifest, 'signature'> = {
    bundler: { name: 'mallee', version: '1', release: '0' },
    architecture,
    blockDevices: [],
    productCodes: [],
    kernelId: kind === 'kernel' ? 'true' : choices.kernelId,
    ramdiskId: kind === 'ramdisk' ? 'true' : choices.ramdiskId,
    name: path.basename(choices.file),
    user: facts.accountId,
    type: kind,
    ...facts.made,
    sizeBytes: facts.sizeBytes,
    ...{ cloudKey: cloud.key, cloudIv: cloud.iv, userKey: user.key, userIv: user.iv, ancestors: [] },
  }
  const signature =
    privateKeyFile === null ? 'UNSIGNED' : signManifest(manifest, await readFile(privateKeyFile, 'utf8'))
  return writeManifest(manifest, signature)
}
