/** Block Public Access. https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html */
import { s3Error } from '@mallee/s3-api'
import type { Bucket, Grant } from '../index/bucket-settings.ts'
import { grantsPublic } from './grants.ts'

/** Throws AccessDenied where the bucket's owner does not let lists grant anything to everybody. */
export function refusePublicGrants(bucket: Bucket, grants: readonly Grant[] | null): void {
  if (grants && bucket.set.publicAccessBlock?.BlockPublicAcls && grantsPublic(grants))
    throw s3Error('AccessDenied')
}
