import { BundleRefused } from '@mallee/image-bundle'
import type { ObjectSource, OpenObject } from '../../objects/open-object.ts'
import { openOwned } from '../copy-image-object.ts'
import { maxPartsManifestBytes, readPartsManifest, type DiskPart } from './parts-manifest.ts'

/** The bytes of a disk's file, wherever they lie; they stay until it is released. */
export interface DiskSource {
  readonly sizeBytes: number
  bytes(): AsyncIterable<Buffer>
  release(): void
}

export interface DiskPlace {
  readonly bucket: string
  /** Of the object, or of the manifest of its parts. */
  readonly key: string
}

/** A disk that is one object of the account's. Throws BundleRefused. */
export async function objectDisk(
  deps: ObjectSource,
  accountId: string,
  place: DiskPlace,
): Promise<DiskSource> {
  const object = await openOwned(deps, accountId, place)
  if (typeof object === 'string') throw new BundleRefused(object)
  return sourceOf(object)
}

export const sourceOf = (object: OpenObject): DiskSource => ({
  sizeBytes: object.row.size,
  bytes: () => object.bytes(0, object.row.size),
  release: () => object.release(),
})

/**
 * A disk in the parts that a manifest names, all in the manifest's own bucket: what its URLs say besides is nobody's to
 * follow. Parts are looked for when their turn comes. Throws BundleRefused.
 */
export async function partsDisk(
  deps: ObjectSource,
  accountId: string,
  place: DiskPlace,
): Promise<DiskSource> {
  const manifest = await openOwned(deps, accountId, place)
  if (typeof manifest === 'string') throw new BundleRefused(manifest)
  const { bucket } = place
  try {
    if (manifest.row.size > maxPartsManifestBytes)
      throw new BundleRefused(`The manifest has more than ${maxPartsManifestBytes} bytes.`)
    const pieces: Buffer[] = []
    for await (const piece of manifest.bytes(0, manifest.row.size)) pieces.push(piece)
    const { sizeBytes, parts } = readPartsManifest(Buffer.concat(pieces))
    return { sizeBytes, bytes: () => bytesOfParts(deps, accountId, bucket, parts), release: () => {} }
  } finally {
    manifest.release()
  }
}

async function* bytesOfParts(
  deps: ObjectSource,
  accountId: string,
  bucket: string,
  parts: readonly DiskPart[],
): AsyncGenerator<Buffer, void, void> {
  for (const { key, sizeBytes } of parts) {
    const object = await openOwned(deps, accountId, { bucket, key })
    if (typeof object === 'string') throw new BundleRefused(object)
    try {
      if (object.row.size !== sizeBytes)
        throw new BundleRefused(`The part ${key} has ${object.row.size} bytes and not ${sizeBytes}.`)
      yield* object.bytes(0, sizeBytes)
    } finally {
      object.release()
    }
  }
}
