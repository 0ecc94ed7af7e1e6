import { s3Error } from '@mallee/s3-api'
import { insertBlob } from '../index/blob-rows.ts'
import { findObject, replaceObject } from '../index/object-rows.ts'
import type { ObjectTable } from '../index/tables.ts'
import { checksumMembers, statedChecksum } from '../objects/checksums.ts'
import { headerMembers, storedHeaders } from '../objects/object-headers.ts'
import { checkWrite } from '../objects/preconditions.ts'
import { receiveBlob } from '../objects/receive-blob.ts'
import { newObjectId } from '../objects/object-id.ts'
import { callersBucket } from './refuse-unknown.ts'
import { defineAction, type S3Action } from './s3-context.ts'

/** S3's largest object in one piece, in bytes. */
export const maxPieceBytes = 5 * 1024 ** 3

export const putObject: S3Action = defineAction(
  'PutObject',
  [
    'Bucket',
    'Key',
    ...headerMembers,
    'Metadata',
    'ContentMD5',
    'ChecksumAlgorithm',
    'ChecksumCRC32',
    'ChecksumCRC32C',
    'ChecksumCRC64NVME',
    'ChecksumSHA1',
    'ChecksumSHA256',
    'IfMatch',
    'IfNoneMatch',
    'ExpectedBucketOwner',
  ],
  async (context, input) => {
    const { index, blobs, body, caller } = context
    const checksum = statedChecksum(input, body.trailerNames())
    const stored = storedHeaders(input)
    // Everything that can be refused is refused before the bytes are sent; the commit asks again.
    await index.read(async (db) => {
      await callersBucket(db, caller.accountId, input)
      checkWrite(await findObject(db, input.Bucket, input.Key), input, input.Key)
    })
    if (body.lengthBytes() > maxPieceBytes) throw s3Error('EntityTooLarge')
    const received = await receiveBlob({ blobs, source: body, contentMd5: input.ContentMD5, checksum })
    const { blob } = received
    const row: ObjectTable = {
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
    }
    try {
      const replaced = await index.transaction('action', async (tx) => {
        await callersBucket(tx.db, caller.accountId, input)
        checkWrite(await findObject(tx.db, input.Bucket, input.Key), input, input.Key)
        if (blob) await insertBlob(tx, blob)
        const segments = blob ? [{ position: 0, blob_id: blob.id, size: blob.sizeBytes }] : []
        return replaceObject(tx, row, segments)
      })
      blobs.forget(replaced)
    } catch (error) {
      if (blob) blobs.forget([blob.id])
      throw error
    }
    return {
      output: {
        ETag: `"${row.etag}"`,
        ...checksumMembers(row),
        ...(row.checksum_type ? { ChecksumType: row.checksum_type } : {}),
      },
    }
  },
)
