/** Settings of a bucket that are kept as they were put, once they were found to be sound. */
import { s3Error, s3NotImplemented } from '@mallee/s3-api'
import { checkedCors } from '../cors/cors-rules.ts'
import { checkNotification } from '../events/targets.ts'
import { findBucket } from '../index/bucket-rows.ts'
import { checkedLifecycle } from '../lifecycle/lifecycle-rules.ts'
import { checkedWebsite } from '../website/website-configuration.ts'
import { setBucket } from './bucket-setting.ts'
import { defineBucketAction, type S3Action } from './s3-context.ts'

const sums = ['ContentMD5', 'ChecksumAlgorithm'] as const

const getVersioning = defineBucketAction('GetBucketVersioning', [], async ({ bucket }) => ({
  output: { Status: bucket.set.versioning },
}))

const putVersioning = defineBucketAction(
  'PutBucketVersioning',
  [...sums, 'VersioningConfiguration'],
  async (context, { VersioningConfiguration: asked }) => {
    if (asked.MFADelete === 'Enabled') throw s3NotImplemented('MFADelete')
    const { Status: status } = asked
    if (status === undefined) throw s3Error('IllegalVersioningConfigurationException')
    await setBucket(context, (now) => {
      if (status === 'Suspended' && now.objectLock)
        throw s3Error('InvalidBucketState', {
          message:
            'An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.',
        })
      return { versioning: status }
    })
    return { output: {} }
  },
)

const getCors = defineBucketAction('GetBucketCors', [], async ({ bucket }) => {
  if (!bucket.set.cors) throw s3Error('NoSuchCORSConfiguration', { details: { BucketName: bucket.name } })
  return { output: { CORSRules: [...bucket.set.cors] } }
})

const putCors = defineBucketAction(
  'PutBucketCors',
  [...sums, 'CORSConfiguration'],
  async (context, { CORSConfiguration: { CORSRules: rules } }) => {
    await setBucket(context, { cors: checkedCors(rules) })
    return { output: {} }
  },
)

const deleteCors = defineBucketAction('DeleteBucketCors', [], async (context) => {
  await setBucket(context, { cors: undefined })
  return { output: {} }
})

const getLifecycle = defineBucketAction('GetBucketLifecycleConfiguration', [], async ({ bucket }) => {
  if (!bucket.set.lifecycle)
    throw s3Error('NoSuchLifecycleConfiguration', { details: { BucketName: bucket.name } })
  return { output: { Rules: [...bucket.set.lifecycle] } }
})

const putLifecycle = defineBucketAction(
  'PutBucketLifecycleConfiguration',
  ['ChecksumAlgorithm', 'LifecycleConfiguration'],
  async (context, { LifecycleConfiguration: asked }) => {
    await setBucket(context, { lifecycle: checkedLifecycle(asked?.Rules ?? []) })
    return { output: {} }
  },
)

const deleteLifecycle = defineBucketAction('DeleteBucketLifecycle', [], async (context) => {
  await setBucket(context, { lifecycle: undefined })
  return { output: {} }
})

const getWebsite = defineBucketAction('GetBucketWebsite', [], async ({ bucket }) => {
  if (!bucket.set.website)
    throw s3Error('NoSuchWebsiteConfiguration', { details: { BucketName: bucket.name } })
  return { output: bucket.set.website }
})

const putWebsite = defineBucketAction(
  'PutBucketWebsite',
  [...sums, 'WebsiteConfiguration'],
  async (context, { WebsiteConfiguration: asked }) => {
    await setBucket(context, { website: checkedWebsite(asked) })
    return { output: {} }
  },
)

const deleteWebsite = defineBucketAction('DeleteBucketWebsite', [], async (context) => {
  await setBucket(context, { website: undefined })
  return { output: {} }
})

const getEncryption = defineBucketAction('GetBucketEncryption', [], async ({ bucket }) => {
  if (!bucket.set.encryption) throw s3Error('ServerSideEncryptionConfigurationNotFoundError')
  return { output: { ServerSideEncryptionConfiguration: bucket.set.encryption } }
})

const putEncryption = defineBucketAction(
  'PutBucketEncryption',
  [...sums, 'ServerSideEncryptionConfiguration'],
  async (context, { ServerSideEncryptionConfiguration: asked }) => {
    const [rule, more] = asked.Rules
    const by = rule?.ApplyServerSideEncryptionByDefault
    if (!by || more) throw s3Error('MalformedXML')
    if (by.SSEAlgorithm !== 'AES256' || by.KMSMasterKeyID !== undefined)
      throw s3NotImplemented(`SSEAlgorithm ${by.SSEAlgorithm}`)
    if (rule?.BlockedEncryptionTypes) throw s3NotImplemented('BlockedEncryptionTypes')
    await setBucket(context, {
      encryption: {
        Rules: [
          {
            ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' },
            BucketKeyEnabled: rule?.BucketKeyEnabled ?? false,
          },
        ],
      },
    })
    return { output: {} }
  },
)

const deleteEncryption = defineBucketAction('DeleteBucketEncryption', [], async (context) => {
  await setBucket(context, { encryption: undefined })
  return { output: {} }
})

const getLogging = defineBucketAction('GetBucketLogging', [], async ({ bucket }) => ({
  output: { LoggingEnabled: bucket.set.logging },
}))

const putLogging = defineBucketAction(
  'PutBucketLogging',
  [...sums, 'BucketLoggingStatus'],
  async (context, { BucketLoggingStatus: { LoggingEnabled: asked } }) => {
    if (asked) {
      if (asked.TargetGrants?.length) throw s3NotImplemented('TargetGrants')
      if (asked.TargetObjectKeyFormat?.PartitionedPrefix)
        throw s3NotImplemented('TargetObjectKeyFormat with PartitionedPrefix')
      const target = await context.index.read((db) => findBucket(db, asked.TargetBucket))
      if (target?.account_id !== context.bucket.account_id) throw s3Error('InvalidTargetBucketForLogging')
    }
    await setBucket(context, { logging: asked })
    return { output: {} }
  },
)

const getNotification = defineBucketAction('GetBucketNotificationConfiguration', [], async ({ bucket }) => ({
  output: bucket.set.notification ?? {},
}))

const putNotification = defineBucketAction(
  'PutBucketNotificationConfiguration',
  ['NotificationConfiguration'],
  async (context, { NotificationConfiguration: asked }) => {
    checkNotification(asked, context.webhooks)
    const none = !asked.TopicConfigurations?.length && !asked.QueueConfigurations?.length
    await setBucket(context, { notification: none ? undefined : asked })
    return { output: {} }
  },
)

const getPayment = defineBucketAction('GetBucketRequestPayment', [], async ({ bucket }) => ({
  output: { Payer: bucket.set.requestPayer ?? ('BucketOwner' as const) },
}))

const putPayment = defineBucketAction(
  'PutBucketRequestPayment',
  [...sums, 'RequestPaymentConfiguration'],
  async (context, { RequestPaymentConfiguration: { Payer: payer } }) => {
    await setBucket(context, { requestPayer: payer === 'Requester' ? payer : undefined })
    return { output: {} }
  },
)

/** What walrus has none of is said to be none; to make one is refused by name. */
const getReplication = defineBucketAction('GetBucketReplication', [], async () => {
  throw s3Error('ReplicationConfigurationNotFoundError')
})

const getAcceleration = defineBucketAction('GetBucketAccelerateConfiguration', [], async () => ({
  output: {},
}))

export const configurationActions: readonly S3Action[] = [
  getVersioning,
  putVersioning,
  getCors,
  putCors,
  deleteCors,
  getLifecycle,
  putLifecycle,
  deleteLifecycle,
  getWebsite,
  putWebsite,
  deleteWebsite,
  getEncryption,
  putEncryption,
  deleteEncryption,
  getLogging,
  putLogging,
  getNotification,
  putNotification,
  getPayment,
  putPayment,
  getReplication,
  getAcceleration,
]
