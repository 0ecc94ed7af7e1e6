import { createReadStream } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { MalleeError } from '@mallee/base'
import {
  manifestSuffix,
  maxManifestBytes,
  partKey,
  readManifest,
  unbundle,
  unwrapKey,
  type BundleKey,
  type BundleManifest,
  type BundlePart,
} from '@mallee/image-bundle'
import { requireDiskFormat } from './convert-disk.ts'
import type { ImageTools } from './image-tools.ts'
import { writeDisk } from './write-disk.ts'

const qcowMagic = Buffer.from('QFI\u00fb', 'latin1')

interface Source {
  readonly manifest: Buffer
  readonly readPart: (part: BundlePart) => Promise<AsyncIterable<Buffer> | null>
}

/**
 * Unpacks a bundle: a folder, a manifest with its parts beside it, or `BUCKET/KEY` of a manifest. Its key is opened with
 * the private key that is given, else by the cloud. `raw` is the image as it was bundled; to other formats a raw disk is
 * converted.
 */
export async function unbundleSource(
  tools: ImageTools,
  from: string,
  target: { readonly file: string; readonly format: string },
  privateKeyFile: string | null,
): Promise<void> {
  requireDiskFormat(target.format)
  const source = (await localSource(from)) ?? (await objectSource(tools, from))
  const manifest = readManifest(source.manifest)
  const key = await openKey(tools, manifest, privateKeyFile)
  const bytes = unbundle({ manifest, key, readPart: source.readPart })
  await writeDisk({ bytes: target.format === 'raw' ? bytes : rawOnly(bytes), format: 'raw' }, target)
}

async function openKey(
  { admin }: ImageTools,
  manifest: BundleManifest,
  privateKeyFile: string | null,
): Promise<BundleKey> {
  if (privateKeyFile !== null) {
    const pem = await readFile(privateKeyFile, 'utf8')
    return unwrapKey({ key: manifest.userKey, iv: manifest.userIv }, pem)
  }
  const wrapped = { key: manifest.cloudKey, iv: manifest.cloudIv }
  const { key, iv } = await admin<{ key: string; iv: string }>('POST', '/admin/v1/bundling/unwrap', wrapped)
  return { key: Buffer.from(key, 'hex'), iv: Buffer.from(iv, 'hex') }
}

/** Null where there is no such file or folder. */
async function localSource(from: string): Promise<Source | null> {
  const found = await stat(from).catch(() => null)
  if (!found) return null
  const file = found.isDirectory() ? path.join(from, await onlyManifest(from)) : from
  if ((await stat(file)).size > maxManifestBytes) throw noManifest(file)
  return {
    manifest: await readFile(file),
    async readPart(part) {
      const beside = path.join(path.dirname(file), part.filename)
      return (await stat(beside).catch(() => null))?.isFile() ? createReadStream(beside) : null
    },
  }
}

async function onlyManifest(folder: string): Promise<string> {
  const found = (await readdir(folder)).filter((name) => name.endsWith(manifestSuffix))
  if (found.length === 1) return found[0]!
  const what = found.length === 0 ? 'no manifest' : `${found.length} manifests: name the one that is meant`
  throw new MalleeError({ code: 'NoManifest', publicMessage: `${folder} holds ${what}.` })
}

async function objectSource({ client }: ImageTools, from: string): Promise<Source> {
  const slash = from.indexOf('/')
  const [bucket, key] = [from.slice(0, slash), from.slice(slash + 1)]
  if (slash <= 0 || !key.endsWith(manifestSuffix)) throw noManifest(from)
  const object = await client.getObject(bucket, key)
  if (!object) throw noManifest(from)
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of object as AsyncIterable<Buffer>) {
    size += piece.length
    if (size > maxManifestBytes) throw noManifest(from)
    pieces.push(piece)
  }
  return {
    manifest: Buffer.concat(pieces),
    readPart: (part) => client.getObject(bucket, partKey(key, part)),
  }
}

const noManifest = (from: string) =>
  new MalleeError({
    code: 'NoManifest',
    publicMessage: `${from} is no folder, no manifest, and no BUCKET/KEY of one.`,
  })

/**
 * A bundle does not say what its image is, and a qcow2 from anywhere could lead QEMU to any file of this machine: what
 * is converted is raw. Walrus looks at such a disk when it is registered; then `image download` converts it.
 */
async function* rawOnly(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  let isFirst = true
  for await (const chunk of bytes) {
    if (isFirst && chunk.subarray(0, 4).equals(qcowMagic))
      throw new MalleeError({
        code: 'NotRaw',
        publicMessage:
          'The bundle holds a qcow2 disk: unpack it as it is, or register it and download the image.',
      })
    isFirst = false
    yield chunk
  }
}
