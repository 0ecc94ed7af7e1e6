import { MalleeError, systemRandom, type Clock } from '@mallee/base'
import type { ImageObjectItem } from '@mallee/agent-contract'
import type { Blob } from '../drivers/blob-driver.ts'
import type { BlobKeeper } from '../drivers/blob-keeper.ts'
import { insertBlob } from '../index/blob-rows.ts'
import { findBucket, insertBucket } from '../index/bucket-rows.ts'
import { versioningOf } from '../index/bucket-settings.ts'
import { findObject } from '../index/object-rows.ts'
import { deleteVersion, nullVersion, storeVersion, withoutAttributes } from '../index/store-version.ts'
import type { Index, ObjectTable } from '../index/tables.ts'
import { metadataOf, storedHeaders } from '../objects/object-headers.ts'
import { newObjectId, newVersionId } from '../objects/object-id.ts'
import { isLocked } from '../objects/object-lock.ts'

/**
 * The objects that walrus makes for images. Each carries its image's id in its metadata, and only those that do are
 * removed again: what an account put in that place is its own.
 */
const mark = 'mallee-image'

interface Dependencies {
  readonly index: Index
  readonly blobs: BlobKeeper
  readonly clock: Clock
}

export async function findMade(
  { index }: Pick<Dependencies, 'index'>,
  { accountId, bucket, key, imageId }: ImageObjectItem,
): Promise<ObjectTable | null> {
  return index.read(async (db) => {
    const owner = await findBucket(db, bucket)
    const row = owner?.account_id === accountId ? await findObject(db, bucket, key) : null
    return row && metadataOf(row)[mark] === imageId ? row : null
  })
}

/** Names the bytes, which are on disk, and makes the bucket where there is none. Throws `BucketTaken`. */
export async function insertMade(
  { index, blobs, clock }: Dependencies,
  { accountId, bucket, key, imageId, madeFrom }: ImageObjectItem,
  made: { readonly blob: Blob; readonly sha256: string },
): Promise<void> {
  const { blob, sha256 } = made
  const replaced = await index.transaction('action', async (tx) => {
    const present = await findBucket(tx.db, bucket)
    if (present && present.account_id !== accountId)
      throw new MalleeError({
        code: 'BucketTaken',
        publicMessage: `The bucket ${bucket} is another account's.`,
      })
    if (!present) {
      await insertBucket(tx, {
        name: bucket,
        account_id: accountId,
        canonical_id: madeFrom?.canonicalId ?? '',
        account_name: madeFrom?.accountName ?? '',
        created_at: clock.now(),
      })
    }
    const versioning = present ? versioningOf(present) : 'Off'
    await insertBlob(tx, { ...blob, cipher: null, blockTags: null })
    const row = {
      ...{ bucket, key, size: blob.sizeBytes, modified_at: clock.now() },
      id: newObjectId(systemRandom),
      // No MD5 of the whole, and by its form no client takes it for one.
      etag: `${sha256.slice(0, 32)}-1`,
      ...storedHeaders({ Metadata: { [mark]: imageId } }),
      ...withoutAttributes,
      version_id: versioning === 'Enabled' ? newVersionId(systemRandom) : nullVersion,
      ...{ checksum_name: null, checksum_value: null, checksum_type: null, upload_id: null },
    }
    const segments = [{ position: 0, blob_id: blob.id, size: blob.sizeBytes }]
    return (await storeVersion(tx, row, segments, versioning)).dropped
  })
  blobs.forget(replaced)
}

/** Removes the object if it is the one that walrus made. Whoever reads it now reads it to its end. */
export async function removeMade(
  { index, blobs, clock }: Dependencies,
  item: ImageObjectItem,
): Promise<void> {
  const dropped = await index.transaction('action', async (tx) => {
    const owner = await findBucket(tx.db, item.bucket)
    const row = owner?.account_id === item.accountId ? await findObject(tx.db, item.bucket, item.key) : null
    if (!row || metadataOf(row)[mark] !== item.imageId) return []
    // A lock is a lock, on what walrus made too: then it stays, as its owner wished.
    if (isLocked(row, clock.now())) return []
    return (await deleteVersion(tx, item.bucket, item.key, row.version_id)).dropped
  })
  blobs.forget(dropped)
}
