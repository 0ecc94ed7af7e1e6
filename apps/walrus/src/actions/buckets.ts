import { s3Error, s3NotImplemented } from '@mallee/s3-api'
import { askedGrants, grantsPublic, saysAcl } from '../access/grants.ts'
import {
  bucketIsEmpty,
  countBuckets,
  deleteBucketRow,
  findBucket,
  insertBucket,
  listBuckets,
  sameBucket,
} from '../index/bucket-rows.ts'
import type { BucketSettings } from '../index/bucket-settings.ts'
import { deleteUploads, uploadIdsOf } from '../index/upload-rows.ts'
import { checkBucketName } from './bucket-name.ts'
import { defineAction, defineBucketAction, type S3Action, type S3Context } from './s3-context.ts'

const bucketsPerAccount = 1000
/** The region whose buckets have no location constraint, and where making one's own bucket again is no error. */
const classicRegion = 'us-east-1'

type CreateInput = Parameters<typeof askedGrants>[0] & {
  readonly ObjectOwnership?: BucketSettings['ownership'] | undefined
  readonly ObjectLockEnabledForBucket?: boolean | undefined
}

const createBucket = defineAction(
  'CreateBucket',
  [
    'Bucket',
    'CreateBucketConfiguration',
    'ACL',
    'GrantFullControl',
    'GrantRead',
    'GrantReadACP',
    'GrantWrite',
    'GrantWriteACP',
    'ObjectOwnership',
    'ObjectLockEnabledForBucket',
  ],
  async (context, input) => {
    const { caller, region, index } = context
    checkBucketName(input.Bucket)
    const { LocationConstraint: constraint, Tags: tags, ...others } = input.CreateBucketConfiguration ?? {}
    const [unbuilt] = Object.keys(others)
    if (unbuilt !== undefined) throw s3NotImplemented(`${unbuilt} of CreateBucketConfiguration`)
    if (constraint !== undefined && constraint !== region)
      throw s3Error('IllegalLocationConstraintException', {
        message: `The ${constraint} location constraint is incompatible for the region specific endpoint this request was sent to.`,
      })
    const settings = { ...newSettings(context, input), ...(tags ? { tags } : {}) }
    await index.transaction('action', async (tx) => {
      const present = await findBucket(tx.db, input.Bucket)
      if (present && present.account_id !== caller.accountId) throw s3Error('BucketAlreadyExists')
      if (present && region === classicRegion) return
      if (present) throw s3Error('BucketAlreadyOwnedByYou', { details: { BucketName: input.Bucket } })
      if ((await countBuckets(tx.db, caller.accountId)) >= bucketsPerAccount) throw s3Error('TooManyBuckets')
      await insertBucket(tx, {
        name: input.Bucket,
        account_id: caller.accountId,
        canonical_id: caller.canonicalId,
        account_name: caller.accountName,
        created_at: context.clock.now(),
        settings: JSON.stringify(settings),
      })
    })
    return { output: { Location: `/${input.Bucket}` } }
  },
)

const allBlocked = {
  BlockPublicAcls: true,
  IgnorePublicAcls: true,
  BlockPublicPolicy: true,
  RestrictPublicBuckets: true,
}

/** Classic buckets honour ACLs and are private; modern ones know no ACLs and block what is public. */
function newSettings(context: S3Context, input: CreateInput): BucketSettings {
  const { caller, accounts, modernBuckets } = context
  const ownership = input.ObjectOwnership ?? (modernBuckets ? 'BucketOwnerEnforced' : undefined)
  const owner = { accountId: caller.accountId, canonicalId: caller.canonicalId, name: caller.accountName }
  const acl = saysAcl(input) && input.ACL !== 'private' ? askedGrants(input, owner, owner, accounts) : null
  if (acl && ownership === 'BucketOwnerEnforced') throw s3Error('InvalidBucketAclWithObjectOwnership')
  if (acl && modernBuckets && grantsPublic(acl)) throw s3Error('AccessDenied')
  return {
    ...(ownership === undefined ? {} : { ownership }),
    ...(modernBuckets ? { publicAccessBlock: allBlocked } : {}),
    ...(acl ? { acl } : {}),
    ...(input.ObjectLockEnabledForBucket === true ? { objectLock: {}, versioning: 'Enabled' as const } : {}),
  }
}

const headBucket = defineBucketAction('HeadBucket', [], async ({ region }) => ({
  output: { BucketRegion: region },
}))

const deleteBucket = defineBucketAction('DeleteBucket', [], async (context, input) => {
  const blobs = await context.index.transaction('action', async (tx) => {
    await sameBucket(tx.db, context.bucket)
    if (!(await bucketIsEmpty(tx.db, input.Bucket)))
      throw s3Error('BucketNotEmpty', { details: { BucketName: input.Bucket } })
    const dropped = await deleteUploads(tx, await uploadIdsOf(tx.db, input.Bucket))
    await deleteBucketRow(tx, input.Bucket)
    return dropped
  })
  context.blobs.forget(blobs)
  return { output: {} }
})

const listAllBuckets = defineAction(
  'ListBuckets',
  ['MaxBuckets', 'ContinuationToken', 'Prefix', 'BucketRegion'],
  async ({ caller, index, region }, input) => {
    const limit = input.MaxBuckets ?? 10_000
    if (limit < 1 || limit > 10_000)
      throw s3Error('InvalidArgument', {
        message: 'Argument max-buckets must be an integer between 1 and 10000',
        details: { ArgumentName: 'max-buckets' },
      })
    const elsewhere = input.BucketRegion !== undefined && input.BucketRegion !== region
    const prefix = input.Prefix ?? ''
    const after = input.ContinuationToken === undefined ? '' : nameOfToken(input.ContinuationToken)
    const rows = elsewhere
      ? []
      : await index.read((db) => listBuckets(db, caller.accountId, { after, prefix, limit: limit + 1 }))
    const shown = rows.slice(0, limit)
    return {
      output: {
        Buckets: shown.map((row) => ({
          Name: row.name,
          CreationDate: new Date(row.created_at),
          ...(input.MaxBuckets === undefined ? {} : { BucketRegion: region }),
        })),
        Owner: { ID: caller.canonicalId, DisplayName: caller.accountName },
        ContinuationToken: rows.length > limit ? tokenOfName(shown.at(-1)?.name ?? '') : undefined,
        Prefix: input.Prefix,
      },
    }
  },
)

const tokenOfName = (name: string): string => Buffer.from(name).toString('base64url')
const nameOfToken = (token: string): string => Buffer.from(token, 'base64url').toString('utf8')

const getBucketLocation = defineBucketAction('GetBucketLocation', [], async ({ region }) => ({
  output: region === classicRegion ? {} : { LocationConstraint: region },
}))

export const bucketActions: readonly S3Action[] = [
  createBucket,
  headBucket,
  deleteBucket,
  listAllBuckets,
  getBucketLocation,
]
