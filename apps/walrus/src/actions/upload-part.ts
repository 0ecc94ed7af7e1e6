import { s3Error } from '@mallee/s3-api'
import {
  customerKeyMembers,
  keyForReading,
  sseAnswer,
  type EncryptionAsked,
} from '../encryption/sse-request.ts'
import { insertBlob } from '../index/blob-rows.ts'
import { sameBucket } from '../index/bucket-rows.ts'
import type { PartTable } from '../index/tables.ts'
import { replacePart, requireUpload } from '../index/upload-rows.ts'
import { parseRange } from '../objects/byte-range.ts'
import { checksumMembers, statedChecksum, statedMembers, type ChecksumName } from '../objects/checksums.ts'
import { versionAnswer } from '../objects/new-version.ts'
import { receiveBlob, type ByteSource } from '../objects/receive-blob.ts'
import { openSource, sourceMembers } from './copy-object.ts'
import { attributesOf, requireInitiator } from './multipart.ts'
import { maxPieceBytes } from './put-object.ts'
import { defineBucketAction, type BucketContext, type S3Action } from './s3-context.ts'

interface PartInput {
  readonly Bucket: string
  readonly Key: string
  readonly UploadId: string
  readonly PartNumber: number
  readonly ContentMD5?: string | undefined
  readonly SSECustomerAlgorithm?: string | undefined
  readonly SSECustomerKey?: string | undefined
  readonly SSECustomerKeyMD5?: string | undefined
}

const uploadPart = defineBucketAction(
  'UploadPart',
  ['Key', 'PartNumber', 'UploadId', 'ContentMD5', ...statedMembers, ...customerKeyMembers],
  async (context, input) => {
    const checksum = statedChecksum(input, context.body.trailerNames())
    const { part, sse } = await receivePart(context, input, context.body, checksum)
    return { output: { ETag: `"${part.etag}"`, ...checksumMembers(part), ...sseAnswer(sse, input) } }
  },
)

const uploadPartCopy = defineBucketAction(
  'UploadPartCopy',
  ['Key', 'PartNumber', 'UploadId', 'CopySourceRange', ...sourceMembers, ...customerKeyMembers],
  async (context, input) => {
    const source = await openSource(context, input)
    try {
      const { size } = source.row
      const range = parseRange(input.CopySourceRange, size) ?? { start: 0, end: size }
      if (input.CopySourceRange !== undefined && !/^bytes=\d+-\d+$/.test(input.CopySourceRange))
        throw s3Error('InvalidArgument', {
          message: 'The x-amz-copy-source-range value must be of the form bytes=first-last',
          details: { ArgumentName: 'x-amz-copy-source-range' },
        })
      const bytes: ByteSource = {
        lengthBytes: () => range.end - range.start,
        bytes: () => source.bytes(range.start, range.end, source.key),
        trailer: () => undefined,
      }
      const { part, sse } = await receivePart(context, input, bytes, null)
      const version = versionAnswer(source.bucket, source.row.version_id).VersionId
      return {
        output: {
          ...(version === undefined ? {} : { CopySourceVersionId: version }),
          ...sseAnswer(sse, input),
          CopyPartResult: {
            ETag: `"${part.etag}"`,
            LastModified: new Date(part.modified_at),
            ...checksumMembers(part),
          },
        },
      }
    } finally {
      source.release()
    }
  },
)

async function receivePart(
  context: BucketContext,
  input: PartInput,
  source: ByteSource,
  stated: { name: ChecksumName; value: string | undefined } | null,
): Promise<{ part: PartTable; sse: string | null }> {
  const { index, blobs, masterKeys, bucket } = context
  if (!Number.isInteger(input.PartNumber) || input.PartNumber < 1 || input.PartNumber > 10_000)
    throw s3Error('InvalidArgument', {
      message: 'Part number must be an integer between 1 and 10000, inclusive',
      details: { ArgumentName: 'partNumber', ArgumentValue: String(input.PartNumber) },
    })
  const upload = await index.read((db) => requireUpload(db, input.Bucket, input.Key, input.UploadId))
  requireInitiator(context, upload)
  const { sse } = attributesOf(upload)
  const key = keyForReading(sse, input)
  const encryption: EncryptionAsked = sse === null ? null : key ? { kind: 'C', key } : { kind: 'S3' }
  if (source.lengthBytes() > maxPieceBytes) throw s3Error('EntityTooLarge')
  const ofUpload = upload.checksum_name as ChecksumName | null
  if (stated && ofUpload && stated.name !== ofUpload)
    throw s3Error('InvalidRequest', {
      message: `Checksum Type mismatch occurred, expected checksum Type: ${ofUpload.toLowerCase()}, actual checksum Type: ${stated.name.toLowerCase()}`,
    })
  const checksum = stated ?? (ofUpload ? { name: ofUpload, value: undefined } : null)
  const received = await receiveBlob({
    blobs,
    masterKeys,
    encryption,
    source,
    contentMd5: input.ContentMD5,
    checksum,
  })
  const { blob } = received
  const row: PartTable = {
    upload_id: upload.id,
    number: input.PartNumber,
    blob_id: blob?.id ?? null,
    size: received.sizeBytes,
    etag: received.etag,
    modified_at: context.clock.now(),
    checksum_name: received.checksum?.name ?? null,
    checksum_value: received.checksum?.value ?? null,
  }
  try {
    const replaced = await index.transaction('action', async (tx) => {
      await sameBucket(tx.db, bucket)
      await requireUpload(tx.db, input.Bucket, input.Key, input.UploadId)
      if (blob) await insertBlob(tx, blob)
      return replacePart(tx, row)
    })
    blobs.forget(replaced)
  } catch (error) {
    if (blob) blobs.forget([blob.id])
    throw error
  }
  return { part: row, sse }
}

export const partActions: readonly S3Action[] = [uploadPart, uploadPartCopy]
