import { createHash } from 'node:crypto'
import { AwsError } from '@mallee/aws-protocol'
import { s3Error, type S3 } from '@mallee/s3-api'
import { customerKeyMembers, sseAnswer } from '../encryption/sse-request.ts'
import { queueEvent } from '../events/queue-event.ts'
import { sameBucket } from '../index/bucket-rows.ts'
import { versioningOf, type Bucket } from '../index/bucket-settings.ts'
import { findObject } from '../index/object-rows.ts'
import { storeVersion, type NewVersion } from '../index/store-version.ts'
import type { ObjectTable, PartTable, Tx, UploadTable } from '../index/tables.ts'
import { deleteUploads, listParts, requireUpload } from '../index/upload-rows.ts'
import {
  badChecksum,
  checksumMembers,
  startChecksum,
  statedChecksum,
  type ChecksumName,
} from '../objects/checksums.ts'
import { combineCrcs, type CombinableCrc } from '../objects/combine-crcs.ts'
import { versionAnswer, versionIdFor } from '../objects/new-version.ts'
import { newObjectId } from '../objects/object-id.ts'
import { lockOfNewVersion } from '../objects/object-lock.ts'
import { checkWrite } from '../objects/preconditions.ts'
import { attributesOf, requireInitiator } from './multipart.ts'
import { defineBucketAction, type BucketContext, type S3Action } from './s3-context.ts'

const minPartBytes = 5 * 1024 * 1024
const maxParts = 10_000
/** S3's largest object, in bytes. */
const maxObjectBytes = 5 * 1024 ** 4

type Input = Omit<S3.CompleteMultipartUploadRequest, 'Body'>

/** Parts become the object by rows alone: the bytes stay where they are. */
export const completeUpload: S3Action = defineBucketAction(
  'CompleteMultipartUpload',
  [
    'Key',
    'UploadId',
    'MultipartUpload',
    'ChecksumCRC32',
    'ChecksumCRC32C',
    'ChecksumCRC64NVME',
    'ChecksumSHA1',
    'ChecksumSHA256',
    'ChecksumType',
    'MpuObjectSize',
    'IfMatch',
    'IfNoneMatch',
    ...customerKeyMembers,
  ],
  async (context, input) => {
    const listed = input.MultipartUpload?.Parts ?? []
    if (listed.length === 0 || listed.length > maxParts) throw s3Error('MalformedXML')
    await context.gate.requireComparing(context.bucket, input.Key, input.IfMatch)
    const { row, bucket, dropped } = await context.index.transaction('action', (tx) =>
      complete(tx, context, input, listed),
    )
    context.blobs.forget(dropped)
    return {
      output: {
        Location: `/${input.Bucket}/${input.Key}`,
        Bucket: input.Bucket,
        Key: input.Key,
        ETag: `"${row.etag}"`,
        ...checksumMembers(row),
        ...(row.checksum_type ? { ChecksumType: row.checksum_type } : {}),
        ...sseAnswer(row.sse, input),
        ...versionAnswer(bucket, row.version_id),
      },
    }
  },
)

async function complete(
  tx: Tx,
  context: BucketContext,
  input: Input,
  listed: readonly S3.CompletedPart[],
): Promise<{ row: ObjectTable; bucket: Bucket; dropped: string[] }> {
  const bucket = await sameBucket(tx.db, context.bucket)
  const present = await findObject(tx.db, input.Bucket, input.Key)
  let upload: UploadTable
  try {
    upload = await requireUpload(tx.db, input.Bucket, input.Key, input.UploadId)
  } catch (error) {
    // An answer that got lost is given again to a client that asks again.
    const repeated = error instanceof AwsError && present?.upload_id === input.UploadId
    if (repeated) return { row: present, bucket, dropped: [] }
    throw error
  }
  requireInitiator(context, upload)
  checkWrite(present, input, input.Key)
  const parts = chosenParts(listed, await listParts(tx.db, upload.id, { after: 0, limit: maxParts }))
  const size = parts.reduce((sum, part) => sum + part.size, 0)
  if (size > maxObjectBytes) throw s3Error('EntityTooLarge')
  if (input.MpuObjectSize !== undefined && input.MpuObjectSize !== size)
    throw s3Error('InvalidRequest', {
      message: `The provided 'x-amz-mp-object-size' header value ${input.MpuObjectSize} does not match what was computed: ${size}`,
    })
  const version: NewVersion = {
    bucket: upload.bucket,
    key: upload.key,
    id: newObjectId(context.random),
    size,
    etag: `${md5Of(parts.map((part) => Buffer.from(part.etag, 'hex')))}-${parts.length}`,
    modified_at: context.clock.now(),
    headers: upload.headers,
    metadata: upload.metadata,
    ...wholeChecksum(upload, parts, input),
    upload_id: upload.id,
    ...attributesOf(upload),
    ...lockAtCompletion(upload, bucket, context.clock.now()),
    version_id: versionIdFor(context, bucket),
  }
  const segments = parts.map(({ blob_id, size: partSize }, position) => ({
    position,
    blob_id,
    size: partSize,
  }))
  const { row, dropped } = await storeVersion(tx, version, segments, versioningOf(bucket))
  await queueEvent(tx, context, bucket, 'ObjectCreated:CompleteMultipartUpload', row)
  const unlisted = await deleteUploads(tx, [upload.id])
  return { row, bucket, dropped: [...dropped, ...unlisted] }
}

/** A lock that the upload did not ask for is the bucket's default of now. */
function lockAtCompletion(upload: UploadTable, bucket: Bucket, nowMs: number) {
  const own = attributesOf(upload)
  if (own.lock_mode !== null) return {}
  const { lock_mode, lock_until } = lockOfNewVersion({}, bucket, nowMs)
  return { lock_mode, lock_until }
}

/** Throws InvalidPartOrder, InvalidPart, EntityTooSmall. */
function chosenParts(listed: readonly S3.CompletedPart[], present: readonly PartTable[]): PartTable[] {
  const byNumber = new Map(present.map((part) => [part.number, part]))
  const numbers = listed.map((part) => part.PartNumber ?? 0)
  if (numbers.some((number, at) => at > 0 && number <= (numbers[at - 1] ?? 0)))
    throw s3Error('InvalidPartOrder')
  const chosen = listed.map((asked) => {
    const part = byNumber.get(asked.PartNumber ?? 0)
    const etag = asked.ETag?.replaceAll('"', '')
    const checksum = part?.checksum_name
      ? asked[`Checksum${part.checksum_name}` as 'ChecksumCRC32']
      : undefined
    const wrong = checksum !== undefined && checksum !== part?.checksum_value
    if (!part || (etag !== undefined && etag !== part.etag) || wrong)
      throw s3Error('InvalidPart', { details: { PartNumber: String(asked.PartNumber ?? '') } })
    return part
  })
  const small = chosen.slice(0, -1).find((part) => part.size < minPartBytes)
  if (small)
    throw s3Error('EntityTooSmall', {
      details: {
        ProposedSize: String(small.size),
        MinSizeAllowed: String(minPartBytes),
        PartNumber: String(small.number),
        ETag: small.etag,
      },
    })
  return chosen
}

function md5Of(digests: readonly Buffer[]): string {
  const hash = createHash('md5')
  for (const digest of digests) hash.update(digest)
  return hash.digest('hex')
}

type StoredChecksum = Pick<ObjectTable, 'checksum_name' | 'checksum_value' | 'checksum_type'>

/** Throws BadDigest where the request says another one than the parts give. */
function wholeChecksum(upload: UploadTable, parts: readonly PartTable[], input: Input): StoredChecksum {
  const name = upload.checksum_name as ChecksumName | null
  if (name === null && statedChecksum(withoutCount(input), []))
    throw s3Error('InvalidRequest', { message: 'The upload was created without a checksum algorithm.' })
  if (name === null || parts.some((part) => part.checksum_name !== name))
    return { checksum_name: null, checksum_value: null, checksum_type: null }
  if (input.ChecksumType !== undefined && input.ChecksumType !== upload.checksum_type)
    throw s3Error('InvalidRequest', { message: 'The upload was created using another checksum type.' })
  const digests = parts.map((part) => Buffer.from(part.checksum_value ?? '', 'base64'))
  const full = upload.checksum_type === 'FULL_OBJECT'
  const value = full ? fullChecksum(name, digests, parts) : compositeChecksum(name, digests)
  const asked = statedChecksum(full ? input : withoutCount(input), [])
  if (asked && (asked.name !== name || (asked.value !== value && `${asked.value}-${parts.length}` !== value)))
    throw badChecksum(name)
  return { checksum_name: name, checksum_value: value, checksum_type: upload.checksum_type }
}

function fullChecksum(name: ChecksumName, digests: readonly Buffer[], parts: readonly PartTable[]): string {
  const combined = combineCrcs(
    name as CombinableCrc,
    digests.map((crc, at) => ({ crc, sizeBytes: parts[at]?.size ?? 0 })),
  )
  return combined.toString('base64')
}

function compositeChecksum(name: ChecksumName, digests: readonly Buffer[]): string {
  const running = startChecksum(name)
  for (const digest of digests) running.update(digest)
  return `${running.digest().toString('base64')}-${digests.length}`
}

/** Clients give a composite checksum with or without its number of parts. */
function withoutCount(input: Input): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(input).map(([member, value]) => [
      member,
      member.startsWith('Checksum') && typeof value === 'string' ? value.replace(/-\d+$/, '') : value,
    ]),
  )
}
