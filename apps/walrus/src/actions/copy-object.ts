import { noSuchKey, s3Error, s3NotImplemented, type S3 } from '@mallee/s3-api'
import { findObject, replaceObject } from '../index/object-rows.ts'
import type { ObjectTable } from '../index/tables.ts'
import { checksumMembers, checksumNamed, startChecksum } from '../objects/checksums.ts'
import { newObjectId } from '../objects/object-id.ts'
import { headerMembers, storedHeaders } from '../objects/object-headers.ts'
import { openObject, type OpenObject } from '../objects/open-object.ts'
import { checkWrite, requireUnchanged } from '../objects/preconditions.ts'
import { maxPieceBytes } from './put-object.ts'
import { callersBucket } from './refuse-unknown.ts'
import { defineAction, type S3Action, type S3Context } from './s3-context.ts'

interface CopyInput {
  readonly CopySource: string
  readonly CopySourceIfMatch?: string | undefined
  readonly CopySourceIfNoneMatch?: string | undefined
  readonly CopySourceIfModifiedSince?: Date | undefined
  readonly CopySourceIfUnmodifiedSince?: Date | undefined
  readonly ExpectedSourceBucketOwner?: string | undefined
}

/** The source of a copy, pinned; the caller releases it. Throws NoSuchBucket, NoSuchKey, AccessDenied, PreconditionFailed. */
export async function openSource(context: S3Context, input: CopyInput): Promise<OpenObject> {
  const { bucket, key } = parseCopySource(input.CopySource)
  const { ExpectedSourceBucketOwner: owner } = input
  await context.index.read((db) =>
    callersBucket(db, context.caller.accountId, { Bucket: bucket, ExpectedBucketOwner: owner }),
  )
  const source = await openObject(context, bucket, key)
  if (!source) throw noSuchKey(key)
  try {
    requireUnchanged(source.row, {
      IfMatch: input.CopySourceIfMatch,
      IfNoneMatch: input.CopySourceIfNoneMatch,
      IfModifiedSince: input.CopySourceIfModifiedSince,
      IfUnmodifiedSince: input.CopySourceIfUnmodifiedSince,
    })
  } catch (error) {
    source.release()
    throw error
  }
  return source
}

/** `/bucket/key` or `bucket/key`, percent-encoded, perhaps with a version. Throws InvalidArgument. */
export function parseCopySource(text: string): { bucket: string; key: string } {
  const [path = '', query = ''] = text.split('?', 2)
  const bad = () =>
    s3Error('InvalidArgument', {
      message: 'Copy Source must mention the source bucket and key: sourcebucket/sourcekey',
      details: { ArgumentName: 'x-amz-copy-source' },
    })
  if (query !== '' && query !== 'versionId=null') throw s3NotImplemented('versionId of the copy source')
  let decoded: string
  try {
    decoded = decodeURIComponent(path.replaceAll('+', ' '))
  } catch {
    throw bad()
  }
  const [, bucket, key] = /^\/?([^/]+)\/(.+)$/su.exec(decoded) ?? []
  if (!bucket || !key) throw bad()
  return { bucket, key }
}

/** No byte is copied: both objects name the same blobs, which stay as long as one of them does. */
export const copyObject: S3Action = defineAction(
  'CopyObject',
  [
    'Bucket',
    'Key',
    'CopySource',
    'CopySourceIfMatch',
    'CopySourceIfNoneMatch',
    'CopySourceIfModifiedSince',
    'CopySourceIfUnmodifiedSince',
    ...headerMembers,
    'Metadata',
    'MetadataDirective',
    'ChecksumAlgorithm',
    'IfMatch',
    'IfNoneMatch',
    'ExpectedBucketOwner',
    'ExpectedSourceBucketOwner',
  ],
  async (context, input) => {
    const { index, caller } = context
    await index.read((db) => callersBucket(db, caller.accountId, input))
    const replacing = input.MetadataDirective === 'REPLACE'
    const source = await openSource(context, input)
    try {
      const { row: from } = source
      if (from.size > maxPieceBytes)
        throw s3Error('InvalidRequest', {
          message:
            'The specified copy source is larger than the maximum allowable size for a copy source: 5368709120',
        })
      if (!replacing && from.bucket === input.Bucket && from.key === input.Key)
        throw s3Error('InvalidRequest', {
          message:
            "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
        })
      const row: ObjectTable = {
        ...from,
        ...(replacing ? storedHeaders(input) : {}),
        ...(await checksumOf(source, input.ChecksumAlgorithm)),
        bucket: input.Bucket,
        key: input.Key,
        id: newObjectId(context.random),
        modified_at: context.clock.now(),
      }
      const replaced = await index.transaction('action', async (tx) => {
        await callersBucket(tx.db, caller.accountId, input)
        checkWrite(await findObject(tx.db, input.Bucket, input.Key), input, input.Key)
        const still = await findObject(tx.db, from.bucket, from.key)
        // The pin keeps the bytes, but their rows may be gone: then there is nothing to name.
        if (still?.id !== from.id) throw s3Error('ConditionalRequestConflict')
        return replaceObject(
          tx,
          row,
          source.segments.map(({ position, blob_id, size }) => ({ position, blob_id, size })),
        )
      })
      context.blobs.forget(replaced)
      return { output: { CopyObjectResult: resultOf(row) } }
    } finally {
      source.release()
    }
  },
)

function resultOf(row: ObjectTable): S3.CopyObjectResult {
  return {
    ETag: `"${row.etag}"`,
    LastModified: new Date(row.modified_at),
    ...checksumMembers(row),
    ...(row.checksum_type ? { ChecksumType: row.checksum_type } : {}),
  }
}

/** The source's own checksum, unless another is asked for: that one is computed from the bytes. */
async function checksumOf(source: OpenObject, asked: string | undefined) {
  const { row } = source
  if (asked === undefined || asked === row.checksum_name) return {}
  const name = checksumNamed(asked)
  const running = startChecksum(name)
  for await (const chunk of source.bytes(0, row.size)) running.update(chunk)
  return {
    checksum_name: name,
    checksum_value: running.digest().toString('base64'),
    checksum_type: 'FULL_OBJECT',
  }
}
