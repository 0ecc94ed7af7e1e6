import { s3Error, type S3 } from '@mallee/s3-api'
import { findVersion, scanVersions, type ListedVersion } from '../index/version-rows.ts'
import { walkKeys } from '../index/walk-keys.ts'
import { keyText, pageSize, shownOwner } from './list-objects.ts'
import { defineBucketAction, type BucketContext, type S3Action } from './s3-context.ts'

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html */
export const listVersions: S3Action = defineBucketAction(
  'ListObjectVersions',
  ['Delimiter', 'EncodingType', 'KeyMarker', 'MaxKeys', 'Prefix', 'VersionIdMarker'],
  async (context, input) => {
    const { bucket, index } = context
    const limit = pageSize(input.MaxKeys, 'max-keys')
    const prefix = input.Prefix ?? ''
    const found = await walkKeys({
      scan: (cursor, rows) => index.read((db) => scanVersions(db, bucket.name, prefix, cursor, rows)),
      prefix,
      delimiter: input.Delimiter ?? '',
      after: await markerOf(context, input),
      limit,
    })
    const text = keyText(input.EncodingType)
    const last = found.next
    const lastId = last?.id === undefined ? undefined : found.rows.at(-1)?.version_id
    return {
      output: {
        Name: bucket.name,
        Prefix: text(prefix),
        Delimiter: text(input.Delimiter),
        KeyMarker: text(input.KeyMarker ?? ''),
        VersionIdMarker: input.VersionIdMarker ?? '',
        MaxKeys: limit,
        EncodingType: input.EncodingType as 'url' | undefined,
        IsTruncated: last !== null,
        NextKeyMarker: last ? text(last.key) : undefined,
        NextVersionIdMarker: lastId,
        Versions: found.rows.filter((row) => row.marker === 0).map((row) => shownVersion(row, context, text)),
        DeleteMarkers: found.rows.filter((row) => row.marker === 1).map((row) => common(row, context, text)),
        CommonPrefixes: found.commonPrefixes.map((folded) => ({ Prefix: text(folded) })),
      },
    }
  },
)

async function markerOf(
  { index, bucket }: BucketContext,
  { KeyMarker: key = '', VersionIdMarker: versionId }: S3.ListObjectVersionsRequest,
): Promise<{ key: string; id?: string }> {
  if (versionId === undefined || versionId === '') return { key }
  const bad = (message: string) =>
    s3Error('InvalidArgument', {
      message,
      details: { ArgumentName: 'version-id-marker', ArgumentValue: versionId.slice(0, 200) },
    })
  if (key === '') throw bad('A version-id marker cannot be specified without a key marker.')
  const found = await index.read((db) => findVersion(db, bucket.name, key, versionId))
  if (!found) throw bad('Invalid version id specified')
  return { key, id: String(found.row.seq) }
}

function common(row: ListedVersion, { bucket }: BucketContext, text: (key: string) => string) {
  return {
    Key: text(row.key),
    VersionId: row.version_id,
    IsLatest: row.latest === 1,
    LastModified: new Date(row.modified_at),
    Owner: shownOwner(row, bucket),
  }
}

function shownVersion(
  row: ListedVersion,
  context: BucketContext,
  text: (key: string) => string,
): S3.ObjectVersion {
  return {
    ...common(row, context, text),
    ETag: `"${row.etag}"`,
    Size: row.size,
    StorageClass: 'STANDARD',
    ...(row.checksum_name ? { ChecksumAlgorithm: [row.checksum_name as S3.ChecksumAlgorithm] } : {}),
  }
}
