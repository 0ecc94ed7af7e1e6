import { MalleeError } from '@mallee/base'
import { BundleRefused, maxPartsManifestBytes, readPartsManifest, type DiskPart } from '@mallee/image-bundle'
import { findBucket } from '../../index/bucket-rows.ts'
import { findObject } from '../../index/object-rows.ts'
import type { ObjectSource, OpenObject } from '../../objects/open-object.ts'
import { openOwned } from '../copy-image-object.ts'

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
 * follow. Older tools ask for the import before they upload. Throws BundleRefused, and, while the manifest or a part is
 * still to come, MalleeError `DiskAwaited`.
 */
export async function partsDisk(
  deps: ObjectSource,
  accountId: string,
  place: DiskPlace,
): Promise<DiskSource> {
  const { sizeBytes, parts } = readPartsManifest(await manifestBytes(deps, accountId, place))
  const { bucket } = place
  for (const { key, sizeBytes: partBytes } of parts) {
    const there = await deps.index.read((db) => findObject(db, bucket, key))
    if (!there) throw awaited(`The part ${key} is not there yet.`)
    requireSize(key, there.size, partBytes)
  }
  return { sizeBytes, bytes: () => bytesOfParts(deps, accountId, bucket, parts), release: () => {} }
}

async function manifestBytes(deps: ObjectSource, accountId: string, place: DiskPlace): Promise<Buffer> {
  const { bucket, key } = place
  const owner = await deps.index.read((db) => findBucket(db, bucket))
  if (
    !owner ||
    (owner.account_id === accountId && !(await deps.index.read((db) => findObject(db, bucket, key))))
  )
    throw awaited('The manifest is not there yet.')
  const manifest = await openOwned(deps, accountId, place)
  if (typeof manifest === 'string') throw new BundleRefused(manifest)
  try {
    if (manifest.row.size > maxPartsManifestBytes)
      throw new BundleRefused(`The manifest has more than ${maxPartsManifestBytes} bytes.`)
    const pieces: Buffer[] = []
    for await (const piece of manifest.bytes(0, manifest.row.size)) pieces.push(Buffer.from(piece))
    return Buffer.concat(pieces)
  } finally {
    manifest.release()
  }
}

const awaited = (publicMessage: string) =>
  new MalleeError({ code: 'DiskAwaited', publicMessage, retryable: true })

function requireSize(key: string, found: number, wanted: number): void {
  if (found !== wanted) throw new BundleRefused(`The part ${key} has ${found} bytes and not ${wanted}.`)
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
      requireSize(key, object.row.size, sizeBytes)
      yield* object.bytes(0, sizeBytes)
    } finally {
      object.release()
    }
  }
}
