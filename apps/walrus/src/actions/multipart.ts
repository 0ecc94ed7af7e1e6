import { s3Error } from '@mallee/s3-api'
import { deleteUploads, insertUpload, listParts, requireUpload, scanUploads } from '../index/upload-rows.ts'
import { walkKeys } from '../index/walk-keys.ts'
import { checksumMembers, checksumNamed, type ChecksumType } from '../objects/checksums.ts'
import { crcPolynomials } from '../objects/combine-crcs.ts'
import { headerMembers, storedHeaders } from '../objects/object-headers.ts'
import { newUploadId } from '../objects/object-id.ts'
import { keyText, pageSize } from './list-objects.ts'
import { callersBucket } from './refuse-unknown.ts'
import { defineAction, type S3Action } from './s3-context.ts'

const create = defineAction(
  'CreateMultipartUpload',
  ['Bucket', 'Key', ...headerMembers, 'Metadata', 'ChecksumAlgorithm', 'ChecksumType', 'ExpectedBucketOwner'],
  async (context, input) => {
    const checksum = input.ChecksumAlgorithm === undefined ? null : checksumNamed(input.ChecksumAlgorithm)
    const type = typeOfUpload(checksum, input.ChecksumType)
    const startedAt = context.clock.now()
    const id = newUploadId(startedAt, context.random)
    await context.index.transaction('action', async (tx) => {
      await callersBucket(tx.db, context.caller.accountId, input)
      await insertUpload(tx, {
        id,
        bucket: input.Bucket,
        key: input.Key,
        started_at: startedAt,
        ...storedHeaders(input),
        checksum_name: checksum,
        checksum_type: type,
      })
    })
    return {
      output: {
        Bucket: input.Bucket,
        Key: input.Key,
        UploadId: id,
        ...(checksum && type ? { ChecksumAlgorithm: checksum, ChecksumType: type } : {}),
      },
    }
  },
)

/** Which types a checksum can have, and S3's choice where none is asked for. */
function typeOfUpload(checksum: string | null, asked: string | undefined): ChecksumType | null {
  const refused = (message: string) => s3Error('InvalidRequest', { message })
  if (checksum === null) {
    if (asked !== undefined)
      throw refused(
        'The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.',
      )
    return null
  }
  const type = asked ?? (checksum === 'CRC64NVME' ? 'FULL_OBJECT' : 'COMPOSITE')
  const fits = type === 'FULL_OBJECT' ? checksum in crcPolynomials : checksum !== 'CRC64NVME'
  if (!fits || (type !== 'FULL_OBJECT' && type !== 'COMPOSITE'))
    throw refused(
      `The ${type} checksum type cannot be used with the ${checksum.toLowerCase()} checksum algorithm.`,
    )
  return type
}

const abort = defineAction(
  'AbortMultipartUpload',
  ['Bucket', 'Key', 'UploadId', 'ExpectedBucketOwner'],
  async (context, input) => {
    const dropped = await context.index.transaction('action', async (tx) => {
      await callersBucket(tx.db, context.caller.accountId, input)
      await requireUpload(tx.db, input.Bucket, input.Key, input.UploadId)
      return deleteUploads(tx, [input.UploadId])
    })
    context.blobs.forget(dropped)
    return { output: {} }
  },
)

const listTheParts = defineAction(
  'ListParts',
  ['Bucket', 'Key', 'UploadId', 'MaxParts', 'PartNumberMarker', 'ExpectedBucketOwner'],
  async (context, input) => {
    const limit = pageSize(input.MaxParts, 'max-parts')
    const after = Number(input.PartNumberMarker ?? 0)
    if (!Number.isSafeInteger(after) || after < 0)
      throw s3Error('InvalidArgument', { details: { ArgumentName: 'part-number-marker' } })
    const { bucket, upload, rows } = await context.index.read(async (db) => ({
      bucket: await callersBucket(db, context.caller.accountId, input),
      upload: await requireUpload(db, input.Bucket, input.Key, input.UploadId),
      rows: await listParts(db, input.UploadId, { after, limit: limit + 1 }),
    }))
    const shown = rows.slice(0, limit)
    const owner = { ID: bucket.canonical_id, DisplayName: bucket.account_name }
    return {
      output: {
        Bucket: input.Bucket,
        Key: input.Key,
        UploadId: upload.id,
        PartNumberMarker: String(after),
        NextPartNumberMarker: String(shown.at(-1)?.number ?? 0),
        MaxParts: limit,
        IsTruncated: limit > 0 && rows.length > limit,
        Parts: shown.map((part) => ({
          PartNumber: part.number,
          LastModified: new Date(part.modified_at),
          ETag: `"${part.etag}"`,
          Size: part.size,
          ...checksumMembers(part),
        })),
        Initiator: owner,
        Owner: owner,
        StorageClass: 'STANDARD' as const,
        ...checksumOfUpload(upload),
      },
    }
  },
)

function checksumOfUpload(upload: { checksum_name: string | null; checksum_type: string | null }) {
  if (upload.checksum_name === null) return {}
  return {
    ChecksumAlgorithm: checksumNamed(upload.checksum_name),
    ChecksumType: upload.checksum_type ?? undefined,
  }
}

const listUploads = defineAction(
  'ListMultipartUploads',
  [
    'Bucket',
    'Delimiter',
    'EncodingType',
    'KeyMarker',
    'MaxUploads',
    'Prefix',
    'UploadIdMarker',
    'ExpectedBucketOwner',
  ],
  async (context, input) => {
    const limit = pageSize(input.MaxUploads, 'max-uploads')
    const prefix = input.Prefix ?? ''
    const key = input.KeyMarker ?? ''
    const id = key === '' || input.UploadIdMarker === '' ? undefined : input.UploadIdMarker
    const bucket = await context.index.read((db) => callersBucket(db, context.caller.accountId, input))
    const found = await walkKeys({
      scan: (cursor, rows) => context.index.read((db) => scanUploads(db, input.Bucket, prefix, cursor, rows)),
      prefix,
      delimiter: input.Delimiter ?? '',
      after: { key, ...(id === undefined ? {} : { id }) },
      limit,
    })
    const text = keyText(input.EncodingType)
    const owner = { ID: bucket.canonical_id, DisplayName: bucket.account_name }
    return {
      output: {
        Bucket: input.Bucket,
        KeyMarker: text(key),
        UploadIdMarker: input.UploadIdMarker ?? '',
        NextKeyMarker: found.next ? text(found.next.key) : undefined,
        NextUploadIdMarker: found.next?.id,
        Prefix: text(prefix),
        Delimiter: text(input.Delimiter),
        EncodingType: input.EncodingType,
        MaxUploads: limit,
        IsTruncated: found.next !== null,
        Uploads: found.rows.map((row) => ({
          UploadId: row.id,
          Key: text(row.key),
          Initiated: new Date(row.started_at),
          StorageClass: 'STANDARD' as const,
          Owner: owner,
          Initiator: owner,
          ...checksumOfUpload(row),
        })),
        CommonPrefixes: found.commonPrefixes.map((common) => ({ Prefix: text(common) })),
      },
    }
  },
)

export const multipartActions: readonly S3Action[] = [create, abort, listTheParts, listUploads]
