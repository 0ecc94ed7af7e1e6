import { s3Error, type S3 } from '@mallee/s3-api'
import { customerKeyMembers, keyForReading } from '../encryption/sse-request.ts'
import { checksumMembers } from '../objects/checksums.ts'
import { requireVersion } from '../objects/find-version.ts'
import { versionAnswer } from '../objects/new-version.ts'
import { segmentsOf } from '../index/object-rows.ts'
import type { SegmentTable } from '../index/tables.ts'
import { pageSize } from './list-objects.ts'
import { defineBucketAction, type S3Action } from './s3-context.ts'

const names = new Set(['ETag', 'Checksum', 'ObjectParts', 'StorageClass', 'ObjectSize'])

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html */
export const getObjectAttributes: S3Action = defineBucketAction(
  'GetObjectAttributes',
  ['Key', 'VersionId', 'ObjectAttributes', 'MaxParts', 'PartNumberMarker', ...customerKeyMembers],
  async (context, input) => {
    const { bucket, index } = context
    const unknown = input.ObjectAttributes.find((name) => !names.has(name))
    if (unknown !== undefined)
      throw s3Error('InvalidArgument', {
        message: 'Invalid attribute name specified.',
        details: { ArgumentName: 'x-amz-object-attributes', ArgumentValue: unknown },
      })
    const page = pageOf(input)
    const { row } = await index.read((db) => requireVersion(db, bucket, input.Key, input.VersionId))
    keyForReading(row.sse, input)
    const asked = new Set<string>(input.ObjectAttributes)
    const segments = asked.has('ObjectParts') ? await index.read((db) => segmentsOf(db, row.id)) : []
    return {
      output: {
        LastModified: new Date(row.modified_at),
        ...versionAnswer(bucket, row.version_id),
        ...(asked.has('ETag') ? { ETag: row.etag } : {}),
        ...(asked.has('Checksum') && row.checksum_name
          ? { Checksum: { ...checksumMembers(row), ChecksumType: row.checksum_type ?? undefined } }
          : {}),
        ...(asked.has('ObjectParts') && row.upload_id !== null
          ? { ObjectParts: shownParts(segments, page) }
          : {}),
        ...(asked.has('StorageClass') ? { StorageClass: 'STANDARD' as const } : {}),
        ...(asked.has('ObjectSize') ? { ObjectSize: row.size } : {}),
      },
    }
  },
)

interface PartsPage {
  readonly after: number
  readonly limit: number
}

/** Throws InvalidArgument. */
function pageOf(input: { MaxParts?: number | undefined; PartNumberMarker?: string | undefined }): PartsPage {
  const after = Number(input.PartNumberMarker ?? 0)
  const limit = pageSize(input.MaxParts, 'max-parts')
  if (Number.isSafeInteger(after) && after >= 0) return { after, limit }
  throw s3Error('InvalidArgument', { details: { ArgumentName: 'part-number-marker' } })
}

/** Which part is which is known by its size; a part's own checksum is kept no longer than its upload. */
function shownParts(
  segments: readonly SegmentTable[],
  { after, limit }: PartsPage,
): S3.GetObjectAttributesParts {
  const shown = segments.slice(after, after + limit)
  return {
    TotalPartsCount: segments.length,
    PartNumberMarker: String(after),
    NextPartNumberMarker: String(after + shown.length),
    MaxParts: limit,
    IsTruncated: after + shown.length < segments.length,
    Parts: shown.map((segment) => ({ PartNumber: segment.position + 1, Size: segment.size })),
  }
}
