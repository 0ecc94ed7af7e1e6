import { s3Error, type S3 } from '@mallee/s3-api'
import { aclMembers } from '../access/grants.ts'
import { sseAnswer, sseMembers } from '../encryption/sse-request.ts'
import { queueEvent } from '../events/queue-event.ts'
import { insertBlob } from '../index/blob-rows.ts'
import { sameBucket } from '../index/bucket-rows.ts'
import { versioningOf, type Bucket } from '../index/bucket-settings.ts'
import { findObject } from '../index/object-rows.ts'
import { storeVersion, type NewVersion } from '../index/store-version.ts'
import type { ObjectTable } from '../index/tables.ts'
import { expirationHeader } from '../lifecycle/lifecycle-rules.ts'
import { checksumMembers, statedChecksum, statedMembers } from '../objects/checksums.ts'
import { headerMembers, storedHeaders } from '../objects/object-headers.ts'
import { lockMembers } from '../objects/object-lock.ts'
import { tagsOf } from '../objects/object-tags.ts'
import { checkWrite } from '../objects/preconditions.ts'
import { receiveBlob } from '../objects/receive-blob.ts'
import { newObjectId } from '../objects/object-id.ts'
import { newAttributes, versionAnswer, versionIdFor } from '../objects/new-version.ts'
import { defineBucketAction, type BucketContext, type S3Action } from './s3-context.ts'

/** S3's largest object in one piece, in bytes. */
export const maxPieceBytes = 5 * 1024 ** 3

/** Members by which a request says what a new object has beside its bytes. */
export const attributeMembers = [
  ...headerMembers,
  'Metadata',
  ...aclMembers,
  ...sseMembers,
  ...lockMembers,
  'Tagging',
  'StorageClass',
] as const

type Members = Readonly<Record<string, unknown>>
type PutInput = Omit<S3.PutObjectRequest, 'Body'>

export interface Stored {
  readonly row: ObjectTable
  readonly bucket: Bucket
}

/** Takes the bytes and makes them what the key holds. `event` is what it is called when it is told. */
export async function storeObject(
  context: BucketContext,
  input: PutInput,
  event: 'ObjectCreated:Put' | 'ObjectCreated:Post',
): Promise<Stored> {
  const { index, blobs, masterKeys, body, bucket } = context
  const checksum = statedChecksum(input as Members, body.trailerNames())
  const stored = storedHeaders(input as Members)
  // Everything that can be refused is refused before the bytes are sent; the commit asks again.
  const { attributes, encryption } = newAttributes(context, bucket, input)
  await context.gate.requireComparing(bucket, input.Key, input.IfMatch)
  if (conditional(input))
    await index.read(async (db) =>
      checkWrite(await findObject(db, input.Bucket, input.Key), input, input.Key),
    )
  if (body.lengthBytes() > maxPieceBytes) throw s3Error('EntityTooLarge')
  const received = await receiveBlob({
    blobs,
    masterKeys,
    encryption,
    source: body,
    contentMd5: input.ContentMD5,
    checksum,
  })
  const { blob } = received
  const version: Omit<NewVersion, 'version_id'> = {
    bucket: input.Bucket,
    key: input.Key,
    id: newObjectId(context.random),
    size: received.sizeBytes,
    etag: received.etag,
    modified_at: context.clock.now(),
    ...stored,
    checksum_name: received.checksum?.name ?? null,
    checksum_value: received.checksum?.value ?? null,
    checksum_type: received.checksum ? 'FULL_OBJECT' : null,
    upload_id: null,
    ...attributes,
  }
  try {
    const { row, now, dropped } = await index.transaction('action', async (tx) => {
      const now = await sameBucket(tx.db, bucket)
      if (conditional(input)) checkWrite(await findObject(tx.db, input.Bucket, input.Key), input, input.Key)
      if (blob) await insertBlob(tx, blob)
      const segments = blob ? [{ position: 0, blob_id: blob.id, size: blob.sizeBytes }] : []
      const named = { ...version, version_id: versionIdFor(context, now) }
      const written = await storeVersion(tx, named, segments, versioningOf(now))
      await queueEvent(tx, context, now, event, written.row)
      return { ...written, now }
    })
    blobs.forget(dropped)
    return { row, bucket: now }
  } catch (error) {
    if (blob) blobs.forget([blob.id])
    throw error
  }
}

const conditional = (input: PutInput): boolean =>
  input.IfMatch !== undefined || input.IfNoneMatch !== undefined

export const putObject: S3Action = defineBucketAction(
  'PutObject',
  ['Key', ...attributeMembers, 'ContentMD5', ...statedMembers, 'IfMatch', 'IfNoneMatch'],
  async (context, input) => {
    const { row, bucket } = await storeObject(context, input, 'ObjectCreated:Put')
    const subject = { key: row.key, size: row.size, tags: tagsOf(row) }
    const expiration = expirationHeader(bucket.set.lifecycle, subject, row.modified_at)
    return {
      output: {
        ETag: `"${row.etag}"`,
        ...checksumMembers(row),
        ...(row.checksum_type ? { ChecksumType: row.checksum_type } : {}),
        ...(expiration === undefined ? {} : { Expiration: expiration }),
        ...sseAnswer(row.sse, input),
        ...versionAnswer(bucket, row.version_id),
      },
    }
  },
)
