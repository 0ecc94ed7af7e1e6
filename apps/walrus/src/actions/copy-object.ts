import { s3Error, type S3 } from '@mallee/s3-api'
import { keyForReading, sseAnswer, type EncryptionAsked } from '../encryption/sse-request.ts'
import { queueEvent } from '../events/queue-event.ts'
import { startHashing } from '../hashing/hashing.ts'
import { insertBlob, type StoredBlob } from '../index/blob-rows.ts'
import { requireBucket, sameBucket } from '../index/bucket-rows.ts'
import { versioningOf, type Bucket } from '../index/bucket-settings.ts'
import { findObject } from '../index/object-rows.ts'
import { storeVersion, type NewVersion } from '../index/store-version.ts'
import type { SegmentTable } from '../index/tables.ts'
import { findVersion } from '../index/version-rows.ts'
import { checksumMembers, checksumNamed } from '../objects/checksums.ts'
import { newAttributes, versionAnswer, versionIdFor } from '../objects/new-version.ts'
import { newObjectId } from '../objects/object-id.ts'
import { storedHeaders } from '../objects/object-headers.ts'
import type { OpenObject } from '../objects/open-object.ts'
import { checkWrite, requireUnchanged } from '../objects/preconditions.ts'
import { receiveBlob } from '../objects/receive-blob.ts'
import { openVersion } from './get-object.ts'
import { attributeMembers, maxPieceBytes } from './put-object.ts'
import { defineBucketAction, type BucketContext, type S3Action } from './s3-context.ts'

interface CopyInput {
  readonly CopySource: string
  readonly CopySourceIfMatch?: string | undefined
  readonly CopySourceIfNoneMatch?: string | undefined
  readonly CopySourceIfModifiedSince?: Date | undefined
  readonly CopySourceIfUnmodifiedSince?: Date | undefined
  readonly CopySourceSSECustomerAlgorithm?: string | undefined
  readonly CopySourceSSECustomerKey?: string | undefined
  readonly CopySourceSSECustomerKeyMD5?: string | undefined
  readonly ExpectedSourceBucketOwner?: string | undefined
}

export const sourceMembers = [
  'CopySource',
  'CopySourceIfMatch',
  'CopySourceIfNoneMatch',
  'CopySourceIfModifiedSince',
  'CopySourceIfUnmodifiedSince',
  'CopySourceSSECustomerAlgorithm',
  'CopySourceSSECustomerKey',
  'CopySourceSSECustomerKeyMD5',
  'ExpectedSourceBucketOwner',
] as const

export interface CopySource extends OpenObject {
  readonly bucket: Bucket
  /** The client's key that its bytes are read with. */
  readonly key: Buffer | null
}

/**
 * The source of a copy, pinned; the caller releases it. Throws NoSuchBucket, NoSuchKey, NoSuchVersion, AccessDenied,
 * PreconditionFailed.
 */
export async function openSource(context: BucketContext, input: CopyInput): Promise<CopySource> {
  const { bucket: name, key, versionId } = parseCopySource(input.CopySource)
  const bucket = await context.index.read((db) => requireBucket(db, name))
  const expected = input.ExpectedSourceBucketOwner
  if (expected !== undefined && expected !== bucket.account_id) throw s3Error('AccessDenied')
  await context.gate.requireSource(bucket, key, versionId)
  const source = await openVersion({ ...context, bucket }, key, versionId)
  try {
    requireUnchanged(source.row, {
      IfMatch: input.CopySourceIfMatch,
      IfNoneMatch: input.CopySourceIfNoneMatch,
      IfModifiedSince: input.CopySourceIfModifiedSince,
      IfUnmodifiedSince: input.CopySourceIfUnmodifiedSince,
    })
    const clientKey = keyForReading(source.row.sse, {
      SSECustomerAlgorithm: input.CopySourceSSECustomerAlgorithm,
      SSECustomerKey: input.CopySourceSSECustomerKey,
      SSECustomerKeyMD5: input.CopySourceSSECustomerKeyMD5,
    })
    return { ...source, bucket, key: clientKey }
  } catch (error) {
    source.release()
    throw error
  }
}

/** `/bucket/key` or `bucket/key`, percent-encoded, perhaps with a version. Throws InvalidArgument. */
export function parseCopySource(text: string): {
  bucket: string
  key: string
  versionId: string | undefined
} {
  const bad = () =>
    s3Error('InvalidArgument', {
      message: 'Copy Source must mention the source bucket and key: sourcebucket/sourcekey',
      details: { ArgumentName: 'x-amz-copy-source' },
    })
  // A question mark of the key is escaped; some clients escape the one before the version too.
  const [, path = '', versionId] = /^(.*?)(?:(?:\?|%3F)versionId(?:=|%3D)([\w.-]*))?$/is.exec(text) ?? []
  let decoded: string
  try {
    decoded = decodeURIComponent(path.replaceAll('+', ' '))
  } catch {
    throw bad()
  }
  const [, bucket, key] = /^\/?([^/]+)\/(.+)$/su.exec(decoded) ?? []
  if (!bucket || !key) throw bad()
  return { bucket, key, versionId }
}

/**
 * No byte is copied: both objects name the same blobs, which stay as long as one of them does. Only where the copy is to
 * be encrypted otherwise are they written anew.
 */
export const copyObject: S3Action = defineBucketAction(
  'CopyObject',
  [
    'Key',
    ...sourceMembers,
    ...attributeMembers,
    'MetadataDirective',
    'TaggingDirective',
    'ChecksumAlgorithm',
    'IfMatch',
    'IfNoneMatch',
  ],
  async (context, input) => {
    const { index, bucket } = context
    const replacing = input.MetadataDirective === 'REPLACE'
    const { attributes, encryption } = newAttributes(context, bucket, input)
    const source = await openSource(context, input)
    try {
      const { row: from } = source
      refuseSource(source, input, replacing, attributes.sse !== null)
      if (from.tags !== null && input.TaggingDirective !== 'REPLACE')
        await requireTags(context, source, input)
      const checksum = await checksumOf(source, input.ChecksumAlgorithm)
      const bytes = await bytesFor(context, source, encryption)
      const version = {
        ...from,
        ...(replacing ? storedHeaders(input) : {}),
        ...checksum,
        ...attributes,
        ...(input.TaggingDirective === 'REPLACE' ? {} : { tags: from.tags }),
        ...bytes.columns,
        bucket: input.Bucket,
        key: input.Key,
        id: newObjectId(context.random),
        modified_at: context.clock.now(),
      }
      try {
        const { row, now, dropped } = await index.transaction('action', async (tx) => {
          const now = await sameBucket(tx.db, bucket)
          checkWrite(await findObject(tx.db, input.Bucket, input.Key), input, input.Key)
          // The pin keeps the bytes, but their rows may be gone: then there is nothing to name.
          const still = await findVersion(tx.db, from.bucket, from.key, from.version_id)
          if (still?.row.id !== from.id) throw s3Error('ConditionalRequestConflict')
          if (bytes.blob) await insertBlob(tx, bytes.blob)
          const named: NewVersion = { ...version, version_id: versionIdFor(context, now) }
          const written = await storeVersion(tx, named, bytes.segments, versioningOf(now))
          await queueEvent(tx, context, now, 'ObjectCreated:Copy', written.row)
          return { ...written, now }
        })
        context.blobs.forget(dropped)
        const sourceVersion = versionAnswer(source.bucket, from.version_id).VersionId
        return {
          output: {
            CopyObjectResult: resultOf(row),
            ...(sourceVersion === undefined ? {} : { CopySourceVersionId: sourceVersion }),
            ...sseAnswer(row.sse, input),
            ...versionAnswer(now, row.version_id),
          },
        }
      } catch (error) {
        if (bytes.blob) context.blobs.forget([bytes.blob.id])
        throw error
      }
    } finally {
      source.release()
    }
  },
)

/** Tags come along only where they may be read there and put here. Throws AccessDenied. */
async function requireTags(
  { gate, bucket }: BucketContext,
  source: CopySource,
  input: { Key: string; CopySource: string },
): Promise<void> {
  const { versionId } = parseCopySource(input.CopySource)
  await gate.require({
    action: versionId === undefined ? 's3:GetObjectTagging' : 's3:GetObjectVersionTagging',
    bucket: source.bucket,
    key: source.row.key,
    versionId,
  })
  await gate.require({ action: 's3:PutObjectTagging', bucket, key: input.Key, creating: true })
}

function refuseSource(
  { row: from }: CopySource,
  input: {
    Bucket: string
    Key: string
    TaggingDirective?: string | undefined
    WebsiteRedirectLocation?: string | undefined
  },
  replacing: boolean,
  encrypts: boolean,
): void {
  if (from.size > maxPieceBytes)
    throw s3Error('InvalidRequest', {
      message:
        'The specified copy source is larger than the maximum allowable size for a copy source: 5368709120',
    })
  const changes =
    replacing ||
    encrypts ||
    input.TaggingDirective === 'REPLACE' ||
    input.WebsiteRedirectLocation !== undefined
  const toItself = from.bucket === input.Bucket && from.key === input.Key
  if (toItself && !changes && from.version_id === 'null')
    throw s3Error('InvalidRequest', {
      message:
        "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
    })
}

type Segments = Omit<SegmentTable, 'object_id'>[]

/** The source's own blobs where the copy may name them, else a blob of its own with the same bytes. */
async function bytesFor(
  context: BucketContext,
  source: CopySource,
  encryption: EncryptionAsked,
): Promise<{ blob: StoredBlob | null; segments: Segments; columns: { etag?: string; upload_id?: null } }> {
  const { row } = source
  const plain = row.sse === null && encryption === null
  const bothOurs = row.sse !== null && source.key === null && encryption?.kind === 'S3'
  if (plain || bothOurs)
    return {
      blob: null,
      segments: source.segments.map(({ position, blob_id, size }) => ({ position, blob_id, size })),
      columns: {},
    }
  const received = await receiveBlob({
    blobs: context.blobs,
    masterKeys: context.masterKeys,
    encryption,
    source: {
      lengthBytes: () => row.size,
      bytes: () => source.bytes(0, row.size, source.key),
      trailer: () => undefined,
    },
    checksum: null,
  })
  const { blob } = received
  return {
    blob,
    segments: blob ? [{ position: 0, blob_id: blob.id, size: blob.sizeBytes }] : [],
    columns: { etag: received.etag, upload_id: null },
  }
}

function resultOf(row: NewVersion): S3.CopyObjectResult {
  return {
    ETag: `"${row.etag}"`,
    LastModified: new Date(row.modified_at),
    ...checksumMembers(row),
    ...(row.checksum_type ? { ChecksumType: row.checksum_type } : {}),
  }
}

/** The source's own checksum, unless another is asked for: that one is computed from the bytes. */
async function checksumOf(source: CopySource, asked: string | undefined) {
  const { row } = source
  if (asked === undefined || asked === row.checksum_name) return {}
  const name = checksumNamed(asked)
  const running = startHashing(name, row.size)
  try {
    for await (const chunk of source.bytes(0, row.size, source.key)) await running.update(chunk)
    return {
      checksum_name: name,
      checksum_value: (await running.digest()).toString('base64'),
      checksum_type: 'FULL_OBJECT',
    }
  } finally {
    running.discard()
  }
}
