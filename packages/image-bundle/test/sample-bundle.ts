import { createCipheriv, createHash, randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { createSigningCertificate } from '@mallee/pki'
import {
  bundleImage,
  newBundleKey,
  unbundle,
  wrapKey,
  type BundleKey,
  type BundleManifest,
  type BundlePart,
} from '../src/index.ts'

export const cloud = await createSigningCertificate('image bundling', Date.now())
export const stranger = await createSigningCertificate('somebody else', Date.now())

export const sha1 = (bytes: Buffer): string => createHash('sha1').update(bytes).digest('hex')

export interface SampleBundle {
  manifest: Omit<BundleManifest, 'signature'>
  key: BundleKey
  parts: Map<string, Buffer>
}

export const manifestOf = (
  key: BundleKey,
  rest: Pick<BundleManifest, 'digest' | 'sizeBytes' | 'bundledBytes' | 'parts'>,
): Omit<BundleManifest, 'signature'> => {
  const [forCloud, forUser] = [wrapKey(key, cloud.certificate), wrapKey(key, stranger.certificate)]
  return {
    bundler: { name: 'test', version: '1', release: '0' },
    architecture: 'x86_64',
    blockDevices: [
      { virtual: 'ami', device: 'sda1' },
      { virtual: 'root', device: '/dev/sda1' },
    ],
    productCodes: ['1A2B'],
    kernelId: 'eki-12345678',
    ramdiskId: null,
    name: 'disk & <root>.img',
    user: '123456789012',
    type: 'machine',
    cloudKey: forCloud.key,
    userKey: forUser.key,
    cloudIv: forCloud.iv,
    userIv: forUser.iv,
    ancestors: ['ami-12345678'],
    ...rest,
  }
}

/** An image in a bundle, in memory. */
export async function bundled(image: Buffer, chunkBytes = 100_000): Promise<SampleBundle> {
  const key = newBundleKey()
  const parts = new Map<string, Buffer>()
  const made = await bundleImage({
    source: chunksOf(image, chunkBytes),
    sizeBytes: image.length,
    name: 'disk.img',
    prefix: 'disk',
    mtimeMs: Date.now(),
    key,
    writePart: async (part, bytes) => void parts.set(part.filename, bytes),
  })
  return { key, parts, manifest: manifestOf(key, { ...made, sizeBytes: image.length }) }
}

/** An archive of any kind, made into a bundle of parts of `partBytes`. */
export function sealed(archive: Buffer, sizeBytes: number, partBytes = 50_000): SampleBundle {
  const key = newBundleKey()
  const cipher = createCipheriv('aes-128-cbc', key.key, key.iv)
  const bytes = Buffer.concat([cipher.update(gzipSync(archive)), cipher.final()])
  const parts = new Map<string, Buffer>()
  const listed: BundlePart[] = []
  for (let at = 0; at < bytes.length; at += partBytes) {
    const part = bytes.subarray(at, at + partBytes)
    const filename = `made.part.${String(listed.length).padStart(2, '0')}`
    listed.push({ filename, digest: sha1(part) })
    parts.set(filename, part)
  }
  const facts = { digest: sha1(archive), sizeBytes, bundledBytes: bytes.length, parts: listed }
  return { key, parts, manifest: manifestOf(key, facts) }
}

export async function* chunksOf(bytes: Buffer, chunkBytes = 65_536): AsyncGenerator<Buffer, void, void> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes)
}

export async function unbundled(bundle: SampleBundle): Promise<Buffer> {
  const pieces: Buffer[] = []
  const readPart = async (part: BundlePart) => {
    const bytes = bundle.parts.get(part.filename)
    return bytes ? chunksOf(bytes) : null
  }
  for await (const piece of unbundle({ ...bundle, readPart })) pieces.push(Buffer.from(piece))
  return Buffer.concat(pieces)
}

export const noise = (sizeBytes: number): Buffer => randomBytes(sizeBytes)
