import { s3Error, s3NotImplemented } from '@mallee/s3-api'
import { requireBucket } from '../index/bucket-rows.ts'
import type { BucketTable, Reader } from '../index/tables.ts'
import type { S3Action } from './s3-context.ts'

/** Values that ask for what is so anyway, by member. */
const harmless: Readonly<Record<string, ReadonlySet<unknown>>> = {
  ACL: new Set(['private', 'bucket-owner-full-control', 'bucket-owner-read']),
  StorageClass: new Set(['STANDARD']),
  ObjectOwnership: new Set(['BucketOwnerEnforced']),
  ObjectLockEnabledForBucket: new Set([false]),
  VersionId: new Set(['null']),
  BucketKeyEnabled: new Set([false]),
  BypassGovernanceRetention: new Set([false]),
  TaggingDirective: new Set(['COPY']),
  RequestPayer: new Set(['requester']),
  ContentLength: new Set(),
}

/** A member that nobody acts upon is an error and not a silence: the client believes what is not refused. */
export function refuseUnknown(action: S3Action, input: Readonly<Record<string, unknown>>): void {
  for (const [member, value] of Object.entries(input)) {
    if (value === undefined || action.understands.has(member)) continue
    if (member === 'ContentLength' || harmless[member]?.has(value)) continue
    throw s3NotImplemented(`${member} of ${action.name}`)
  }
}

/** The caller's bucket; with what the request expects of its owner. */
export async function callersBucket(
  db: Reader,
  accountId: string,
  input: { Bucket: string; ExpectedBucketOwner?: string | undefined },
): Promise<BucketTable> {
  const bucket = await requireBucket(db, input.Bucket, accountId)
  if (input.ExpectedBucketOwner !== undefined && input.ExpectedBucketOwner !== bucket.account_id)
    throw s3Error('AccessDenied')
  return bucket
}
