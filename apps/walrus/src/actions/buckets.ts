import { s3Error, s3NotImplemented } from '@mallee/s3-api'
import {
  bucketIsEmpty,
  countBuckets,
  deleteBucketRow,
  findBucket,
  insertBucket,
  listBuckets,
} from '../index/bucket-rows.ts'
import { deleteUploads, uploadIdsOf } from '../index/upload-rows.ts'
import { checkBucketName } from './bucket-name.ts'
import { callersBucket } from './refuse-unknown.ts'
import { defineAction, type S3Action } from './s3-context.ts'

const bucketsPerAccount = 1000
/** The region whose buckets have no location constraint, and where making one's own bucket again is no error. */
const classicRegion = 'us-east-1'

const createBucket = defineAction(
  'CreateBucket',
  ['Bucket', 'CreateBucketConfiguration'],
  async (context, input) => {
    const { caller, region, index } = context
    checkBucketName(input.Bucket)
    const { LocationConstraint: constraint, ...others } = input.CreateBucketConfiguration ?? {}
    const [unbuilt] = Object.keys(others)
    if (unbuilt !== undefined) throw s3NotImplemented(`${unbuilt} of CreateBucketConfiguration`)
    if (constraint !== undefined && constraint !== region)
      throw s3Error('IllegalLocationConstraintException', {
        message: `The ${constraint} location constraint is incompatible for the region specific endpoint this request was sent to.`,
      })
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
      })
    })
    return { output: { Location: `/${input.Bucket}` } }
  },
)

const headBucket = defineAction('HeadBucket', ['Bucket', 'ExpectedBucketOwner'], async (context, input) => {
  await context.index.read((db) => callersBucket(db, context.caller.accountId, input))
  return { output: { BucketRegion: context.region } }
})

const deleteBucket = defineAction(
  'DeleteBucket',
  ['Bucket', 'ExpectedBucketOwner'],
  async (context, input) => {
    const blobs = await context.index.transaction('action', async (tx) => {
      await callersBucket(tx.db, context.caller.accountId, input)
      if (!(await bucketIsEmpty(tx.db, input.Bucket)))
        throw s3Error('BucketNotEmpty', { details: { BucketName: input.Bucket } })
      const dropped = await deleteUploads(tx, await uploadIdsOf(tx.db, input.Bucket))
      await deleteBucketRow(tx, input.Bucket)
      return dropped
    })
    context.blobs.forget(blobs)
    return { output: {} }
  },
)

const listAllBuckets = defineAction(
  'ListBuckets',
  ['MaxBuckets', 'ContinuationToken', 'Prefix', 'BucketRegion'],
  async ({ caller, index, region }, input) => {
    const limit = input.MaxBuckets ?? 10_000
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

const getBucketLocation = defineAction(
  'GetBucketLocation',
  ['Bucket', 'ExpectedBucketOwner'],
  async (context, input) => {
    const { region, index } = context
    await index.read((db) => callersBucket(db, context.caller.accountId, input))
    return { output: region === classicRegion ? {} : { LocationConstraint: region } }
  },
)

export const bucketActions: readonly S3Action[] = [
  createBucket,
  headBucket,
  deleteBucket,
  listAllBuckets,
  getBucketLocation,
]
