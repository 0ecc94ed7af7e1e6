import type { Random } from '@mallee/base'
import { createBlob } from '../encryption/encrypted-blobs.ts'
import { insertBlob, type StoredBlob } from '../index/blob-rows.ts'
import { findBucket } from '../index/bucket-rows.ts'
import { versioningOf } from '../index/bucket-settings.ts'
import { storeVersion, withoutAttributes } from '../index/store-version.ts'
import { md5Hex } from '../objects/md5-hex.ts'
import { newObjectId, newVersionId } from '../objects/object-id.ts'
import type { ObjectSource } from '../objects/open-object.ts'

/** What the cloud itself puts into a tenant's bucket. */
export interface LogObject {
  readonly bucket: string
  /** Whose the bucket must be. */
  readonly accountId: string
  readonly key: string
  readonly contentType: string
  readonly bytes: Buffer
}

/** Whether it was put: a bucket may be gone by then, or another's. */
export async function putLogObject(
  { index, blobs, masterKeys }: ObjectSource,
  object: LogObject,
  { random, nowMs }: { readonly random: Random; readonly nowMs: number },
): Promise<boolean> {
  const { bytes } = object
  const writer = await createBlob(blobs, masterKeys, null)
  let blob: StoredBlob | null = null
  try {
    await writer.write(bytes)
    blob = await writer.finish()
  } finally {
    if (!blob) await writer.discard()
  }
  if (!blob) return false
  const kept = blob
  try {
    const dropped = await index.transaction('action', async (tx) => {
      const bucket = await findBucket(tx.db, object.bucket)
      if (bucket?.account_id !== object.accountId) return null
      await insertBlob(tx, kept)
      const versioning = versioningOf(bucket)
      const written = await storeVersion(
        tx,
        {
          bucket: bucket.name,
          key: object.key,
          id: newObjectId(random),
          size: bytes.length,
          etag: md5Hex(bytes),
          modified_at: nowMs,
          headers: JSON.stringify({ ContentType: object.contentType }),
          metadata: '{}',
          checksum_name: null,
          checksum_value: null,
          checksum_type: null,
          upload_id: null,
          ...withoutAttributes,
          version_id: versioning === 'Enabled' ? newVersionId(random) : 'null',
        },
        [{ position: 0, blob_id: kept.id, size: kept.sizeBytes }],
        versioning,
      )
      return written.dropped
    })
    blobs.forget(dropped ?? [kept.id])
    return dropped !== null
  } catch (error) {
    blobs.forget([kept.id])
    throw error
  }
}
