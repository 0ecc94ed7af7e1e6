import { uriEncode } from '@mallee/aws-protocol'
import { s3Error, type S3 } from '@mallee/s3-api'
import { scanObjects } from '../index/object-rows.ts'
import type { BucketTable, ObjectTable } from '../index/tables.ts'
import { walkKeys, type Page } from '../index/walk-keys.ts'
import { callersBucket } from './refuse-unknown.ts'
import { defineAction, type S3Action, type S3Context } from './s3-context.ts'

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
  readonly ExpectedBucketOwner?: string | undefined
}

async function page(context: S3Context, input: ListInput, after: string) {
  const limit = pageSize(input.MaxKeys, 'max-keys')
  const prefix = input.Prefix ?? ''
  const bucket = await context.index.read((db) => callersBucket(db, context.caller.accountId, input))
  const found: Page<ObjectTable> = await walkKeys({
    scan: (cursor, rows) => context.index.read((db) => scanObjects(db, input.Bucket, prefix, cursor, rows)),
    prefix,
    delimiter: input.Delimiter ?? '',
    after: { key: after },
    limit,
  })
  const text = keyText(input.EncodingType)
  return {
    bucket,
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
  row: ObjectTable,
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

const ownerOf = (bucket: BucketTable): S3.Owner => ({
  ID: bucket.canonical_id,
  DisplayName: bucket.account_name,
})

const listV1 = defineAction(
  'ListObjects',
  ['Bucket', 'Delimiter', 'EncodingType', 'Marker', 'MaxKeys', 'Prefix', 'ExpectedBucketOwner'],
  async (context, input) => {
    const { bucket, found, text, output } = await page(context, input, input.Marker ?? '')
    return {
      output: {
        ...output,
        Marker: text(input.Marker ?? ''),
        // Without a delimiter the last key is the marker, and S3 says nothing.
        NextMarker: input.Delimiter === undefined ? undefined : text(found.next?.key),
        Contents: found.rows.map((row) => shown(row, text, ownerOf(bucket))),
      },
    }
  },
)

const listV2 = defineAction(
  'ListObjectsV2',
  [
    'Bucket',
    'Delimiter',
    'EncodingType',
    'MaxKeys',
    'Prefix',
    'ContinuationToken',
    'FetchOwner',
    'StartAfter',
    'ExpectedBucketOwner',
  ],
  async (context, input) => {
    const token = input.ContinuationToken
    const after = token === undefined ? (input.StartAfter ?? '') : keyOfToken(token)
    const { bucket, found, text, output } = await page(context, input, after)
    const owner = input.FetchOwner ? ownerOf(bucket) : undefined
    return {
      output: {
        ...output,
        KeyCount: found.rows.length + found.commonPrefixes.length,
        ContinuationToken: token,
        NextContinuationToken: found.next ? tokenOfKey(found.next.key) : undefined,
        StartAfter: text(input.StartAfter),
        Contents: found.rows.map((row) => shown(row, text, owner)),
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
