import { s3Error, type S3 } from '@mallee/s3-api'
import {
  askedGrants,
  grantsOfDocument,
  ownersGrants,
  saysAcl,
  shownAcl,
  type AclInput,
  type Owner,
} from '../access/grants.ts'
import { refusePublicGrants } from '../access/public-access.ts'
import { queueEvent } from '../events/queue-event.ts'
import { sameBucket } from '../index/bucket-rows.ts'
import { ownershipOf, type Bucket, type Grant } from '../index/bucket-settings.ts'
import { updateVersion } from '../index/store-version.ts'
import { requireVersion } from '../objects/find-version.ts'
import { bucketOwner, ownerOf, versionAnswer } from '../objects/new-version.ts'
import { setBucket } from './bucket-setting.ts'
import { defineBucketAction, type BucketContext, type S3Action } from './s3-context.ts'

const putMembers = [
  'ACL',
  'AccessControlPolicy',
  'ContentMD5',
  'ChecksumAlgorithm',
  'GrantFullControl',
  'GrantRead',
  'GrantReadACP',
  'GrantWrite',
  'GrantWriteACP',
] as const

type PutInput = AclInput & { readonly AccessControlPolicy?: S3.AccessControlPolicy | undefined }

const getBucketAcl = defineBucketAction('GetBucketAcl', [], async ({ bucket }) => {
  const owner = bucketOwner(bucket)
  return { output: shownAcl(bucket.set.acl ?? ownersGrants(owner), owner) }
})

const putBucketAcl = defineBucketAction('PutBucketAcl', putMembers, async (context, input) => {
  const grants = asked(context, input, bucketOwner(context.bucket))
  await setBucket(context, { acl: grants })
  return { output: {} }
})

const getObjectAcl = defineBucketAction('GetObjectAcl', ['Key', 'VersionId'], async (context, input) => {
  const { bucket, index } = context
  const { row } = await index.read((db) => requireVersion(db, bucket, input.Key, input.VersionId))
  const owner = ownerOf(row, bucket)
  const enforced = ownershipOf(bucket) === 'BucketOwnerEnforced'
  const grants = row.acl === null || enforced ? ownersGrants(owner) : (JSON.parse(row.acl) as Grant[])
  return { output: { ...shownAcl(grants, owner), ...versionAnswer(bucket, row.version_id) } }
})

const putObjectAcl = defineBucketAction(
  'PutObjectAcl',
  ['Key', 'VersionId', ...putMembers],
  async (context, input) => {
    const now = await context.index.transaction('action', async (tx) => {
      const bucket = await sameBucket(tx.db, context.bucket)
      const version = await requireVersion(tx.db, bucket, input.Key, input.VersionId)
      const grants = asked({ ...context, bucket }, input, ownerOf(version.row, bucket))
      await updateVersion(tx, version, { acl: JSON.stringify(grants) })
      await queueEvent(tx, context, bucket, 'ObjectAcl:Put', version.row)
      return { bucket, row: version.row }
    })
    // The model has no member for it; the header is there all the same.
    const { VersionId: id } = versionAnswer(now.bucket, now.row.version_id)
    return { output: {}, ...(id === undefined ? {} : { headers: { 'x-amz-version-id': id } }) }
  },
)

/** Throws AccessControlListNotSupported, MissingSecurityHeader, UnexpectedContent, AccessDenied. */
function asked(context: BucketContext, input: PutInput, owner: Owner): Grant[] {
  const { bucket, accounts } = context
  if (ownershipOf(bucket) === 'BucketOwnerEnforced') refuseWhereDisabled(input, bucket)
  const document = input.AccessControlPolicy
  if (document && saysAcl(input)) throw s3Error('UnexpectedContent')
  const grants = document
    ? grantsOfDocument(document, owner, accounts)
    : askedGrants(input, owner, bucketOwner(bucket), accounts)
  if (!grants) throw s3Error('MissingSecurityHeader', { details: { MissingHeaderName: 'x-amz-acl' } })
  refusePublicGrants(bucket, grants)
  return grants
}

/** Where ACLs are disabled, only what says so anyway is taken. */
function refuseWhereDisabled(input: PutInput, bucket: Bucket): void {
  const grants = input.AccessControlPolicy?.Grants
  const ownersOnly =
    grants?.length === 1 &&
    grants[0]?.Permission === 'FULL_CONTROL' &&
    grants[0].Grantee?.ID === bucket.canonical_id
  const canned = input.ACL === 'private' || input.ACL === 'bucket-owner-full-control'
  if (!ownersOnly && !canned) throw s3Error('AccessControlListNotSupported')
}

export const aclActions: readonly S3Action[] = [getBucketAcl, putBucketAcl, getObjectAcl, putObjectAcl]
