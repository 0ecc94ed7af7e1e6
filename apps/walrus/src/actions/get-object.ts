import { s3Error, type S3 } from '@mallee/s3-api'
import { customerKeyMembers, keyForReading, sseAnswer } from '../encryption/sse-request.ts'
import { anonymous } from '../identity/caller.ts'
import type { Bucket } from '../index/bucket-settings.ts'
import type { ObjectTable } from '../index/tables.ts'
import { expirationHeader } from '../lifecycle/lifecycle-rules.ts'
import { parseRange, type ByteRange } from '../objects/byte-range.ts'
import { checksumMembers } from '../objects/checksums.ts'
import { requireVersion } from '../objects/find-version.ts'
import { versionAnswer } from '../objects/new-version.ts'
import { headersOf, metadataOf } from '../objects/object-headers.ts'
import { lockAnswer } from '../objects/object-lock.ts'
import { tagsOf } from '../objects/object-tags.ts'
import { openRow, streamObject, type OpenObject } from '../objects/open-object.ts'
import { isNotModified } from '../objects/preconditions.ts'
import { defineBucketAction, type BucketContext, type S3Action, type S3Answer } from './s3-context.ts'

type ReadInput = Omit<S3.GetObjectRequest, 'Body'>

const understands = [
  'Key',
  'IfMatch',
  'IfNoneMatch',
  'IfModifiedSince',
  'IfUnmodifiedSince',
  'Range',
  'ResponseCacheControl',
  'ResponseContentDisposition',
  'ResponseContentEncoding',
  'ResponseContentLanguage',
  'ResponseContentType',
  'ResponseExpires',
  'PartNumber',
  'ChecksumMode',
  'VersionId',
  ...customerKeyMembers,
] as const

async function read(context: BucketContext, input: ReadInput, withBytes: boolean): Promise<S3Answer> {
  const { bucket } = context
  if (context.caller === anonymous && Object.keys(input).some((member) => member.startsWith('Response')))
    throw s3Error('InvalidRequest', {
      message: 'Request specific response headers cannot be used for anonymous GET requests.',
    })
  const object = await openVersion(context, input.Key, input.VersionId)
  let streaming = false
  try {
    const { row } = object
    const key = keyForReading(row.sse, input)
    const described = describe(object, input, bucket)
    const plain = row.tags === null && row.lock_mode === null && row.legal_hold === 0
    const more = plain || described.status === 304 ? {} : await shownTo(context, row, input.VersionId)
    const answer = { ...described, output: { ...described.output, ...more } }
    if (!withBytes || answer.status === 304) return answer
    const { start, end } = answer.range
    const bytes = await object.bytesNow(start, end, key)
    if (bytes) return { ...answer, bytes }
    const stream = await streamObject(object, answer.range, context.log, key)
    streaming = true
    return { ...answer, stream }
  } finally {
    if (!streaming) object.release()
  }
}

/** A version whose bytes stay until it is released. Throws as `requireVersion`. */
export async function openVersion(
  context: BucketContext,
  key: string,
  versionId: string | undefined,
): Promise<OpenObject> {
  const object = await openRow(
    context,
    async (db) =>
      (versionId === undefined ? context.gate.takeCurrent(context.bucket, key) : null) ?? {
        row: (await requireVersion(db, context.bucket, key, versionId)).row,
        segments: null,
      },
  )
  if (!object) throw new Error('a version is found, or refused by name')
  return object
}

/** What is told only to who may ask for it by itself: how many tags there are, and locks. */
async function shownTo(
  { gate, bucket }: BucketContext,
  row: ObjectTable,
  versionId: string | undefined,
): Promise<object> {
  const may = (action: string) => gate.allows({ action, bucket, key: row.key, versionId })
  const tags = tagsOf(row)
  const { ObjectLockLegalHoldStatus: hold, ...retention } = lockAnswer(row)
  const ofTags = versionId === undefined ? 's3:GetObjectTagging' : 's3:GetObjectVersionTagging'
  return {
    ...(tags.length > 0 && (await may(ofTags)) ? { TagCount: tags.length } : {}),
    ...(retention.ObjectLockMode && (await may('s3:GetObjectRetention')) ? retention : {}),
    ...(hold && (await may('s3:GetObjectLegalHold')) ? { ObjectLockLegalHoldStatus: hold } : {}),
  }
}

/** Everything but the bytes: the same for GET and HEAD. */
export function describe(
  object: OpenObject,
  input: ReadInput,
  bucket: Bucket,
): S3Answer & { range: ByteRange } {
  const { row } = object
  const whole = { start: 0, end: row.size }
  const validators = {
    ETag: `"${row.etag}"`,
    LastModified: new Date(row.modified_at),
    ...versionAnswer(bucket, row.version_id),
  }
  if (isNotModified(row, input)) return { output: validators, status: 304, range: whole }
  const part = input.PartNumber === undefined ? null : partRange(object, input.PartNumber)
  if (part && input.Range !== undefined)
    throw s3Error('InvalidRequest', {
      message: 'Cannot specify both Range header and partNumber query parameter',
    })
  const range = part ?? parseRange(input.Range, row.size)
  const shown = range ?? whole
  const tags = tagsOf(row)
  const subject = { key: row.key, size: row.size, tags }
  const expiration = expirationHeader(bucket.set.lifecycle, subject, row.modified_at)
  return {
    range: shown,
    ...(range ? { status: 206 } : {}),
    output: {
      ...validators,
      AcceptRanges: 'bytes',
      ContentLength: shown.end - shown.start,
      ...(range ? { ContentRange: `bytes ${shown.start}-${shown.end - 1}/${row.size}` } : {}),
      ...headersOf(row),
      ...overrides(input),
      Metadata: metadataOf(row),
      ...(part && row.upload_id !== null ? { PartsCount: object.segments.length } : {}),
      ...(expiration === undefined ? {} : { Expiration: expiration }),
      ...sseAnswer(row.sse, input),
      ...(input.ChecksumMode === 'ENABLED' && range === null
        ? { ...checksumMembers(row), ...(row.checksum_type ? { ChecksumType: row.checksum_type } : {}) }
        : {}),
    },
  }
}

function partRange(object: OpenObject, number: number): ByteRange | null {
  const count = Math.max(object.row.upload_id === null ? 1 : object.segments.length, 1)
  if (!Number.isInteger(number) || number < 1 || number > 10_000)
    throw s3Error('InvalidArgument', {
      message: 'Part number must be an integer between 1 and 10000, inclusive',
      details: { ArgumentName: 'partNumber' },
    })
  if (number > count) throw s3Error('InvalidPartNumber')
  if (object.row.size === 0) return null
  if (object.row.upload_id === null) return { start: 0, end: object.row.size }
  const before = object.segments.slice(0, number - 1).reduce((sum, segment) => sum + segment.size, 0)
  return { start: before, end: before + (object.segments[number - 1]?.size ?? 0) }
}

function overrides(input: ReadInput): Record<string, unknown> {
  const given = {
    CacheControl: input.ResponseCacheControl,
    ContentDisposition: input.ResponseContentDisposition,
    ContentEncoding: input.ResponseContentEncoding,
    ContentLanguage: input.ResponseContentLanguage,
    ContentType: input.ResponseContentType,
    Expires: input.ResponseExpires?.toUTCString(),
  }
  const asked = Object.entries(given).filter(([, value]) => value !== undefined)
  const fits = (text: string) => Buffer.from(text, 'latin1').toString('latin1') === text
  if (!asked.every(([, value]) => fits(value ?? '')))
    throw s3Error('InvalidArgument', {
      message: 'Header value cannot be represented using ISO-8859-1.',
    })
  return Object.fromEntries(asked)
}

export const getActions: readonly S3Action[] = [
  defineBucketAction('GetObject', understands, (context, input) => read(context, input, true)),
  defineBucketAction('HeadObject', understands, (context, input) => read(context, input, false)),
]
