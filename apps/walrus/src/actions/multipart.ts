import { initiatorId } from '../identity/caller.ts'
import { s3Error } from '@mallee/s3-api'
import { customerKey, customerKeyMembers, keyForReading, sseAnswer } from '../encryption/sse-request.ts'
import { sameBucket } from '../index/bucket-rows.ts'
import type { Bucket } from '../index/bucket-settings.ts'
import { withoutAttributes } from '../index/store-version.ts'
import type { UploadTable } from '../index/tables.ts'
import {
  deleteUploads,
  initiatorOf,
  insertUpload,
  listParts,
  requireUpload,
  scanUploads,
} from '../index/upload-rows.ts'
import { walkKeys } from '../index/walk-keys.ts'
import { checksumMembers, checksumNamed, type ChecksumType } from '../objects/checksums.ts'
import { crcPolynomials } from '../objects/combine-crcs.ts'
import { newAttributes, ownerOf, type VersionAttributes } from '../objects/new-version.ts'
import { storedHeaders } from '../objects/object-headers.ts'
import { newUploadId } from '../objects/object-id.ts'
import { keyText, pageSize } from './list-objects.ts'
import { attributeMembers } from './put-object.ts'
import { defineBucketAction, type BucketContext, type S3Action } from './s3-context.ts'

const create = defineBucketAction(
  'CreateMultipartUpload',
  ['Key', ...attributeMembers, 'ChecksumAlgorithm', 'ChecksumType'],
  async (context, input) => {
    const checksum = input.ChecksumAlgorithm === undefined ? null : checksumNamed(input.ChecksumAlgorithm)
    const type = typeOfUpload(checksum, input.ChecksumType)
    const startedAt = context.clock.now()
    const id = newUploadId(startedAt, context.random)
    const { attributes } = newAttributes(context, context.bucket, input)
    const lock = input.ObjectLockMode === undefined ? { lock_mode: null, lock_until: null } : {}
    await context.index.transaction('action', async (tx) => {
      await sameBucket(tx.db, context.bucket)
      await insertUpload(tx, {
        id,
        bucket: input.Bucket,
        key: input.Key,
        started_at: startedAt,
        ...storedHeaders(input),
        checksum_name: checksum,
        checksum_type: type,
        attributes: JSON.stringify({ ...attributes, ...lock, initiator: shownCaller(context) }),
      })
    })
    return {
      output: {
        Bucket: input.Bucket,
        Key: input.Key,
        UploadId: id,
        ...(checksum && type ? { ChecksumAlgorithm: checksum, ChecksumType: type } : {}),
        ...sseAnswer(attributes.sse, input),
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

const abort = defineBucketAction(
  'AbortMultipartUpload',
  ['Key', 'UploadId', 'IfMatchInitiatedTime'],
  async (context, input) => {
    const dropped = await context.index.transaction('action', async (tx) => {
      await sameBucket(tx.db, context.bucket)
      const upload = await requireUpload(tx.db, input.Bucket, input.Key, input.UploadId)
      const since = input.IfMatchInitiatedTime?.getTime()
      if (since !== undefined && Math.floor(since / 1000) !== Math.floor(upload.started_at / 1000))
        throw s3Error('PreconditionFailed')
      return deleteUploads(tx, [input.UploadId])
    })
    context.blobs.forget(dropped)
    return { output: {} }
  },
)

const listTheParts = defineBucketAction(
  'ListParts',
  ['Key', 'UploadId', 'MaxParts', 'PartNumberMarker', ...customerKeyMembers],
  async (context, input) => {
    const limit = pageSize(input.MaxParts, 'max-parts')
    const after = Number(input.PartNumberMarker ?? 0)
    if (!Number.isSafeInteger(after) || after < 0)
      throw s3Error('InvalidArgument', { details: { ArgumentName: 'part-number-marker' } })
    const { bucket } = context
    const { upload, rows } = await context.index.read(async (db) => ({
      upload: await requireUpload(db, input.Bucket, input.Key, input.UploadId),
      rows: await listParts(db, input.UploadId, { after, limit: limit + 1 }),
    }))
    const shown = rows.slice(0, limit)
    // S3 asks for the client's key here only where it wants to; a wrong one is refused.
    if (customerKey(input)) keyForReading(attributesOf(upload).sse, input)
    const { owner, initiator } = peopleOf(upload, bucket)
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
        Initiator: initiator,
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

interface UploadAttributes extends VersionAttributes {
  readonly initiator?: { readonly ID: string; readonly DisplayName: string }
}

const shownCaller = ({ caller }: BucketContext) => ({
  ID: initiatorId(caller),
  DisplayName: caller.principal.kind === 'user' ? caller.principal.userName : caller.accountName,
})

/** Parts are put, and made into an object, by who began the upload or whose the bucket is. Throws AccessDenied. */
export function requireInitiator({ caller, bucket }: BucketContext, upload: UploadTable): void {
  if (caller.accountId !== bucket.account_id && initiatorOf(upload) !== initiatorId(caller))
    throw s3Error('AccessDenied')
}

export function attributesOf(upload: UploadTable): VersionAttributes {
  const { initiator: _initiator, ...attributes } = {
    ...withoutAttributes,
    ...(JSON.parse(upload.attributes) as Partial<UploadAttributes>),
  }
  return attributes
}

function peopleOf(upload: UploadTable, bucket: Bucket) {
  const { initiator } = JSON.parse(upload.attributes) as Partial<UploadAttributes>
  const owner = ownerOf(attributesOf(upload), bucket)
  const shown = { ID: owner.canonicalId, DisplayName: owner.name }
  return { owner: shown, initiator: initiator ?? shown }
}

const listUploads = defineBucketAction(
  'ListMultipartUploads',
  ['Delimiter', 'EncodingType', 'KeyMarker', 'MaxUploads', 'Prefix', 'UploadIdMarker'],
  async (context, input) => {
    const limit = pageSize(input.MaxUploads, 'max-uploads')
    const prefix = input.Prefix ?? ''
    const key = input.KeyMarker ?? ''
    const id = key === '' || input.UploadIdMarker === '' ? undefined : input.UploadIdMarker
    const { bucket } = context
    const found = await walkKeys({
      scan: (cursor, rows) => context.index.read((db) => scanUploads(db, input.Bucket, prefix, cursor, rows)),
      prefix,
      delimiter: input.Delimiter ?? '',
      after: { key, ...(id === undefined ? {} : { id }) },
      limit,
    })
    const text = keyText(input.EncodingType)
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
          Owner: peopleOf(row, bucket).owner,
          Initiator: peopleOf(row, bucket).initiator,
          ...checksumOfUpload(row),
        })),
        CommonPrefixes: found.commonPrefixes.map((common) => ({ Prefix: text(common) })),
      },
    }
  },
)

export const multipartActions: readonly S3Action[] = [create, abort, listTheParts, listUploads]
