import { s3Error } from '@mallee/s3-api'
import { sameBucket } from '../index/bucket-rows.ts'
import { updateVersion } from '../index/store-version.ts'
import { requireVersion } from '../objects/find-version.ts'
import { changedRetention, requireLockBucket } from '../objects/object-lock.ts'
import { setBucket } from './bucket-setting.ts'
import { defineBucketAction, type S3Action } from './s3-context.ts'

const longestDays = 36_500
const longestYears = 100

const getConfiguration = defineBucketAction('GetObjectLockConfiguration', [], async ({ bucket }) => {
  const { objectLock } = bucket.set
  if (!objectLock) throw s3Error('ObjectLockConfigurationNotFoundError')
  return { output: { ObjectLockConfiguration: { ObjectLockEnabled: 'Enabled', Rule: objectLock.rule } } }
})

const putConfiguration = defineBucketAction(
  'PutObjectLockConfiguration',
  ['ObjectLockConfiguration', 'ContentMD5', 'ChecksumAlgorithm'],
  async (context, { ObjectLockConfiguration: asked }) => {
    if (asked?.ObjectLockEnabled !== 'Enabled') throw s3Error('MalformedXML')
    const rule = asked.Rule?.DefaultRetention
    if (asked.Rule) {
      const { Mode: mode, Days: days, Years: years } = rule ?? {}
      if (mode === undefined || (days === undefined) === (years === undefined)) throw s3Error('MalformedXML')
      if ((days ?? 1) < 1 || (years ?? 1) < 1)
        throw s3Error('InvalidArgument', {
          message: 'Default retention period must be a positive integer value.',
        })
      if ((days ?? 1) > longestDays || (years ?? 1) > longestYears) throw s3Error('InvalidRetentionPeriod')
    }
    await setBucket(context, (now) => {
      if (now.versioning !== 'Enabled')
        throw s3Error('InvalidBucketState', {
          message: "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration",
        })
      return { objectLock: asked.Rule ? { rule: asked.Rule } : {} }
    })
    return { output: {} }
  },
)

const getRetention = defineBucketAction(
  'GetObjectRetention',
  ['Key', 'VersionId'],
  async (context, input) => {
    const { bucket, index } = context
    requireLockBucket(bucket)
    const { row } = await index.read((db) => requireVersion(db, bucket, input.Key, input.VersionId))
    if (row.lock_mode === null || row.lock_until === null) throw s3Error('NoSuchObjectLockConfiguration')
    return {
      output: {
        Retention: {
          Mode: row.lock_mode as 'GOVERNANCE' | 'COMPLIANCE',
          RetainUntilDate: new Date(row.lock_until),
        },
      },
    }
  },
)

const putRetention = defineBucketAction(
  'PutObjectRetention',
  ['Key', 'VersionId', 'Retention', 'BypassGovernanceRetention', 'ContentMD5', 'ChecksumAlgorithm'],
  async (context, input) => {
    requireLockBucket(context.bucket)
    const bypass =
      input.BypassGovernanceRetention === true && (await context.gate.mayBypass(context.bucket, input.Key))
    await context.index.transaction('action', async (tx) => {
      const bucket = await sameBucket(tx.db, context.bucket)
      const version = await requireVersion(tx.db, bucket, input.Key, input.VersionId)
      const next = changedRetention(version.row, input.Retention ?? {}, context.clock.now(), bypass)
      await updateVersion(tx, version, next)
    })
    return { output: {} }
  },
)

const getHold = defineBucketAction('GetObjectLegalHold', ['Key', 'VersionId'], async (context, input) => {
  const { bucket, index } = context
  requireLockBucket(bucket)
  const { row } = await index.read((db) => requireVersion(db, bucket, input.Key, input.VersionId))
  return { output: { LegalHold: { Status: row.legal_hold === 1 ? ('ON' as const) : ('OFF' as const) } } }
})

const putHold = defineBucketAction(
  'PutObjectLegalHold',
  ['Key', 'VersionId', 'LegalHold', 'ContentMD5', 'ChecksumAlgorithm'],
  async (context, input) => {
    requireLockBucket(context.bucket)
    const status = input.LegalHold?.Status
    if (status === undefined) throw s3Error('MalformedXML')
    await context.index.transaction('action', async (tx) => {
      const bucket = await sameBucket(tx.db, context.bucket)
      const version = await requireVersion(tx.db, bucket, input.Key, input.VersionId)
      await updateVersion(tx, version, { legal_hold: status === 'ON' ? 1 : 0 })
    })
    return { output: {} }
  },
)

export const lockActions: readonly S3Action[] = [
  getConfiguration,
  putConfiguration,
  getRetention,
  putRetention,
  getHold,
  putHold,
]
