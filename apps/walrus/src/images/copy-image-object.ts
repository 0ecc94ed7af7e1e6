import { MalleeError, systemRandom, type Clock } from '@mallee/base'
import type { ImageObjectItem } from '@mallee/agent-contract'
import { findBucket, insertBucket } from '../index/bucket-rows.ts'
import { findObject } from '../index/object-rows.ts'
import { versioningOf } from '../index/bucket-settings.ts'
import { nullVersion, storeVersion, withoutAttributes } from '../index/store-version.ts'
import { newObjectId, newVersionId } from '../objects/object-id.ts'
import { openObject, type ObjectSource, type OpenObject } from '../objects/open-object.ts'

/**
 * An image's copy is an object of its own that names the same bytes: no byte is copied, and they stay as long as one of
 * the objects does. It is made once the bytes were read and found to be those that were asked for.
 */

interface Dependencies extends ObjectSource {
  readonly clock: Clock
}

/** The object itself, or, while there is none, the one that it is to be a copy of. A sentence where there is neither. */
export async function openImageObject(
  deps: Dependencies,
  item: ImageObjectItem,
): Promise<{ object: OpenObject; isSource: boolean } | string> {
  const own = await openOwned(deps, item.accountId, item)
  if (typeof own !== 'string') return { object: own, isSource: false }
  if (!item.copyOf || (await isTaken(deps, item))) return own
  const source = await openOwned(deps, item.accountId, item.copyOf)
  return typeof source === 'string' ? source : { object: source, isSource: true }
}

/** Whether the bucket that a copy is to lie in is another account's. */
async function isTaken({ index }: Dependencies, { bucket, accountId }: ImageObjectItem): Promise<boolean> {
  const owner = await index.read((db) => findBucket(db, bucket))
  return owner !== null && owner.account_id !== accountId
}

/** An object of this account's, whose bytes stay until it is released. A sentence where there is none. */
export async function openOwned(
  deps: ObjectSource,
  accountId: string,
  { bucket, key }: { bucket: string; key: string },
): Promise<OpenObject | string> {
  const owner = await deps.index.read((db) => findBucket(db, bucket))
  if (!owner) return `The bucket ${bucket} does not exist.`
  if (owner.account_id !== accountId) return `The object ${bucket}/${key} is not accessible.`
  return (await openObject(deps, bucket, key)) ?? `The object ${bucket}/${key} does not exist.`
}

/** Makes the copy, and its bucket. Throws where the source changed meanwhile: it is to be read again. */
export async function makeCopy(
  { index, blobs, clock }: Dependencies,
  { accountId, bucket, key, copyOf }: ImageObjectItem,
  source: OpenObject,
): Promise<void> {
  if (!copyOf) return
  const replaced = await index.transaction('action', async (tx) => {
    const { row: from, segments } = source
    const still = await findObject(tx.db, from.bucket, from.key)
    if (still?.id !== from.id) throw changed(`${from.bucket}/${from.key}`)
    const present = await findBucket(tx.db, bucket)
    if (present && present.account_id !== accountId) throw changed(bucket)
    if (!present) {
      await insertBucket(tx, {
        name: bucket,
        account_id: accountId,
        canonical_id: copyOf.canonicalId,
        account_name: copyOf.accountName,
        created_at: clock.now(),
      })
    }
    const versioning = present ? versioningOf(present) : 'Off'
    const { dropped } = await storeVersion(
      tx,
      {
        ...from,
        // The bytes and how they are kept, and nothing of whose the source is or how it is locked.
        ...withoutAttributes,
        sse: from.sse,
        bucket,
        key,
        id: newObjectId(systemRandom),
        version_id: versioning === 'Enabled' ? newVersionId(systemRandom) : nullVersion,
        modified_at: clock.now(),
        upload_id: null,
      },
      segments.map(({ position, blob_id, size }) => ({ position, blob_id, size })),
      versioning,
    )
    return dropped
  })
  blobs.forget(replaced)
}

const changed = (what: string) =>
  new MalleeError({
    code: 'SourceChanged',
    publicMessage: `${what} changed while it was copied.`,
    retryable: true,
  })
