import { s3NotImplemented } from '@mallee/s3-api'
import { askedGrants, refuseAclWhereDisabled, saysAcl, type AclInput, type Owner } from '../access/grants.ts'
import { refusePublicGrants } from '../access/public-access.ts'
import type { S3Context } from '../actions/s3-context.ts'
import { encryptionAsked, storedEncryption, type EncryptionAsked } from '../encryption/sse-request.ts'
import { ownershipOf, versioningOf, type Bucket } from '../index/bucket-settings.ts'
import { nullVersion } from '../index/store-version.ts'
import type { ObjectTable } from '../index/tables.ts'
import { newVersionId } from './object-id.ts'
import { lockOfNewVersion } from './object-lock.ts'
import { storedTags, tagsOfHeader } from './object-tags.ts'

/** What a version has beside its bytes and headers. */
export type VersionAttributes = Pick<
  ObjectTable,
  | 'owner_account'
  | 'owner_id'
  | 'owner_name'
  | 'acl'
  | 'tags'
  | 'lock_mode'
  | 'lock_until'
  | 'legal_hold'
  | 'sse'
>

type AttributesInput = AclInput &
  Parameters<typeof lockOfNewVersion>[0] &
  Parameters<typeof encryptionAsked>[0] & {
    readonly Tagging?: string | undefined
    readonly StorageClass?: string | undefined
  }

export const bucketOwner = (bucket: Bucket): Owner => ({
  accountId: bucket.account_id,
  canonicalId: bucket.canonical_id,
  name: bucket.account_name,
})

/** The owner of a version, which may be another account than its bucket's. */
export function ownerOf(
  row: Pick<ObjectTable, 'owner_account' | 'owner_id' | 'owner_name'>,
  bucket: Bucket,
): Owner {
  if (row.owner_account === null || ownershipOf(bucket) === 'BucketOwnerEnforced') return bucketOwner(bucket)
  return { accountId: row.owner_account, canonicalId: row.owner_id ?? '', name: row.owner_name ?? '' }
}

/** What a request to write an object says beside its bytes. Throws what is wrong with it. */
export function newAttributes(
  context: S3Context,
  bucket: Bucket,
  input: AttributesInput,
): { attributes: VersionAttributes; encryption: EncryptionAsked } {
  if (input.StorageClass !== undefined && input.StorageClass !== 'STANDARD')
    throw s3NotImplemented(`storage class ${input.StorageClass}`)
  const encryption = encryptionAsked(input, bucket)
  const tags = input.Tagging === undefined ? null : storedTags(tagsOfHeader(input.Tagging))
  return {
    encryption,
    attributes: {
      ...ownedBy(context, bucket, input),
      tags,
      ...lockOfNewVersion(input, bucket, context.clock.now()),
      sse: storedEncryption(encryption),
    },
  }
}

function ownedBy(context: S3Context, bucket: Bucket, input: AclInput) {
  const { caller } = context
  const ownership = ownershipOf(bucket)
  const ofBucket = { owner_account: null, owner_id: null, owner_name: null }
  if (ownership === 'BucketOwnerEnforced') {
    refuseAclWhereDisabled(input)
    return { ...ofBucket, acl: null }
  }
  const gives = ownership === 'BucketOwnerPreferred' && input.ACL === 'bucket-owner-full-control'
  const own = caller.accountId === bucket.account_id || gives
  const owner: Owner = own
    ? bucketOwner(bucket)
    : { accountId: caller.accountId, canonicalId: caller.canonicalId, name: caller.accountName }
  const grants = saysAcl(input) ? askedGrants(input, owner, bucketOwner(bucket), context.accounts) : null
  refusePublicGrants(bucket, grants)
  const columns = own
    ? ofBucket
    : { owner_account: owner.accountId, owner_id: owner.canonicalId, owner_name: owner.name }
  return { ...columns, acl: grants && JSON.stringify(grants) }
}

/** The id that a new version of an object in this bucket gets. */
export const versionIdFor = (context: S3Context, bucket: Bucket): string =>
  versioningOf(bucket) === 'Enabled' ? newVersionId(context.random) : nullVersion

/** What an answer says of a version: nothing where the bucket never kept any. */
export const versionAnswer = (bucket: Bucket, versionId: string): { VersionId?: string } =>
  versioningOf(bucket) === 'Off' ? {} : { VersionId: versionId }
