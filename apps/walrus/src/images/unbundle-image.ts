import { MalleeError } from '@mallee/base'
import type { ImageObjectItem } from '@mallee/agent-contract'
import {
  BundleRefused,
  kindOf,
  maxManifestBytes,
  partKey,
  readManifest,
  unbundle,
  unwrapKey,
  type BundleManifest,
} from '@mallee/image-bundle'
import type { ObjectSource, OpenObject } from '../objects/open-object.ts'
import { openOwned } from './copy-image-object.ts'

/** An image as it comes to be: how large it will be, and its bytes. */
export interface ImageStream {
  readonly sizeBytes: number
  readonly bytes: AsyncIterable<Buffer>
}

/** The manifest at a place, if it is this account's. A sentence where it cannot be read; throws BundleRefused for what is none. */
export async function openManifest(
  deps: ObjectSource,
  accountId: string,
  place: { readonly bucket: string; readonly key: string },
): Promise<BundleManifest | string> {
  const object = await openOwned(deps, accountId, place)
  if (typeof object === 'string') return object
  if (object.row.size > maxManifestBytes) {
    object.release()
    throw new BundleRefused(`The manifest has more than ${maxManifestBytes} bytes.`)
  }
  const pieces: Buffer[] = []
  for await (const piece of releasing(object)) pieces.push(piece)
  return readManifest(Buffer.concat(pieces))
}

/**
 * The image of a bundle. The manifest is the customer's word and may have changed since the registration: everything in
 * it is looked at again. Throws BundleRefused with the reason, and, while the bundle's bytes are taken, with the part.
 */
export async function unbundleImage(
  deps: ObjectSource,
  item: ImageObjectItem,
  options: {
    /** PEM; null while the cloud has not sent it yet. */
    readonly privateKey: string | null
    readonly onProgress: (percent: number) => void
  },
): Promise<ImageStream> {
  const { accountId, kind, madeFrom } = item
  const place = { bucket: madeFrom?.bucket ?? '', key: madeFrom?.key ?? '' }
  const manifest = await openManifest(deps, accountId, place)
  if (typeof manifest === 'string') throw new BundleRefused(manifest)
  if (kindOf(manifest) !== kind) throw new BundleRefused(`The manifest is no ${kind}'s any more.`)
  if (manifest.sizeBytes > (madeFrom?.mostBytes ?? 0))
    throw new BundleRefused(`The image has ${manifest.sizeBytes} bytes, which is more than is taken.`)
  if (options.privateKey === null)
    throw new MalleeError({
      code: 'NoBundlingKey',
      publicMessage: 'The key for bundles has not come yet.',
      retryable: true,
    })
  const key = unwrapKey({ key: manifest.cloudKey, iv: manifest.cloudIv }, options.privateKey)
  const bytes = unbundle({
    manifest,
    key,
    async readPart(part) {
      const object = await openOwned(deps, accountId, { ...place, key: partKey(place.key, part) })
      return typeof object === 'string' ? null : releasing(object)
    },
    onPart: (index) => options.onProgress(Math.floor(((index + 1) * 100) / manifest.parts.length)),
  })
  return { sizeBytes: manifest.sizeBytes, bytes }
}

/** The object's bytes; released however their reading ends. */
async function* releasing(object: OpenObject): AsyncGenerator<Buffer, void, void> {
  try {
    yield* object.bytes(0, object.row.size)
  } finally {
    object.release()
  }
}
