import { uriEncode } from '@mallee/aws-protocol'
import { s3Error, type S3 } from '@mallee/s3-api'
import { scanObjects, type ListedObject } from '../index/object-rows.ts'
import type { Bucket } from '../index/bucket-settings.ts'
import { walkKeys, type Page } from '../index/walk-keys.ts'
import { ownerOf } from '../objects/new-version.ts'
import { defineBucketAction, type BucketContext, type S3Action } from './s3-context.ts'

const maxPage = 1000

/** How many a page shows. Throws InvalidArgument. */
export function pageSize(asked: number | undefined, name: string): number {
  if (asked !== undefined && (asked < 0 || asked > 2_147_483_647))
    throw s3Error('InvalidArgument', {
      message: `Argument ${name} must be an integer between 0 and 2147483647`,
      details: { ArgumentName: name, ArgumentValue: String(asked) },
    })
  return Math.min(asked ?? maxPage, maxPage)
}

/** `encoding-type=url`, for keys that XML cannot carry. */
export function keyText(encoding: string | undefined): <T extends string | undefined>(key: T) => T {
  if (encoding === undefined) return (key) => key
  return <T extends string | undefined>(key: T) =>
    (key === undefined ? undefined : uriEncode(key, { keepSlash: true })) as T
}

interface ListInput {
  readonly Bucket: string
  readonly Prefix?: string | undefined
  readonly Delimiter?: string | undefined
  readonly EncodingType?: string | undefined
  readonly MaxKeys?: number | undefined
}

async function page(context: BucketContext, input: ListInput, after: string) {
  const limit = pageSize(input.MaxKeys, 'max-keys')
  const prefix = input.Prefix ?? ''
  const found: Page<ListedObject> = await walkKeys({
    scan: (cursor, rows) => context.index.read((db) => scanObjects(db, input.Bucket, prefix, cursor, rows)),
    prefix,
    delimiter: input.Delimiter ?? '',
    after: { key: after },
    limit,
  })
  const text = keyText(input.EncodingType)
  return {
    found,
    text,
    output: {
      Name: input.Bucket,
      Prefix: text(prefix),
      Delimiter: text(input.Delimiter),
      MaxKeys: limit,
      EncodingType: input.EncodingType as 'url' | undefined,
      IsTruncated: found.next !== null,
      CommonPrefixes: found.commonPrefixes.map((common) => ({ Prefix: text(common) })),
    },
  }
}

const shown = (
  row: ListedObject,
  text: (key: string) => string,
  owner: S3.Owner | undefined,
): S3.AwsObject => ({
  Key: text(row.key),
  LastModified: new Date(row.modified_at),
  ETag: `"${row.etag}"`,
  Size: row.size,
  StorageClass: 'STANDARD',
  Owner: owner,
  ...(row.checksum_name
    ? {
        ChecksumAlgorithm: [row.checksum_name as S3.ChecksumAlgorithm],
        ChecksumType: row.checksum_type ?? undefined,
      }
    : {}),
})

export function shownOwner(row: Parameters<typeof ownerOf>[0], bucket: Bucket): S3.Owner {
  const owner = ownerOf(row, bucket)
  return { ID: owner.canonicalId, DisplayName: owner.name }
}

const listV1 = defineBucketAction(
  'ListObjects',
  ['Delimiter', 'EncodingType', 'Marker', 'MaxKeys', 'Prefix'],
  async (context, input) => {
    const { found, text, output } = await page(context, input, input.Marker ?? '')
    return {
      output: {
        ...output,
        Marker: text(input.Marker ?? ''),
        // Without a delimiter the last key is the marker, and S3 says nothing.
        NextMarker: input.Delimiter === undefined ? undefined : text(found.next?.key),
        Contents: found.rows.map((row) => shown(row, text, shownOwner(row, context.bucket))),
      },
    }
  },
)

const listV2 = defineBucketAction(
  'ListObjectsV2',
  ['Delimiter', 'EncodingType', 'MaxKeys', 'Prefix', 'ContinuationToken', 'FetchOwner', 'StartAfter'],
  async (context, input) => {
    const token = input.ContinuationToken
    const after = token === undefined ? (input.StartAfter ?? '') : keyOfToken(token)
    const { found, text, output } = await page(context, input, after)
    const ownerFor = (row: ListedObject) => (input.FetchOwner ? shownOwner(row, context.bucket) : undefined)
    return {
      output: {
        ...output,
        KeyCount: found.rows.length + found.commonPrefixes.length,
        ContinuationToken: token,
        NextContinuationToken: found.next ? tokenOfKey(found.next.key) : undefined,
        StartAfter: text(input.StartAfter),
        Contents: found.rows.map((row) => shown(row, text, ownerFor(row))),
      },
    }
  },
)

const tokenOfKey = (key: string): string => Buffer.from(`1${key}`).toString('base64url')

function keyOfToken(token: string): string {
  const text = Buffer.from(token, 'base64url').toString('utf8')
  if (/^[A-Za-z0-9_-]+$/.test(token) && text.startsWith('1')) return text.slice(1)
  throw s3Error('InvalidArgument', {
    message: 'The continuation token provided is incorrect',
    details: { ArgumentName: 'continuation-token' },
  })
}

export const listActions: readonly S3Action[] = [listV1, listV2]
