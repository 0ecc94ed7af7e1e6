import {
  CreateBucketCommand,
  DeleteBucketCorsCommand,
  DeleteBucketEncryptionCommand,
  DeleteBucketLifecycleCommand,
  DeleteBucketTaggingCommand,
  DeleteBucketWebsiteCommand,
  DeleteObjectTaggingCommand,
  GetBucketAccelerateConfigurationCommand,
  GetBucketCorsCommand,
  GetBucketEncryptionCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketLoggingCommand,
  GetBucketNotificationConfigurationCommand,
  GetBucketReplicationCommand,
  GetBucketRequestPaymentCommand,
  GetBucketTaggingCommand,
  GetBucketWebsiteCommand,
  GetObjectAttributesCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  ListObjectsV2Command,
  PutBucketCorsCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketLoggingCommand,
  PutBucketNotificationConfigurationCommand,
  PutBucketTaggingCommand,
  PutBucketWebsiteCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  type CORSRule,
  type LifecycleRule,
  type S3Client,
  type WebsiteConfiguration,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WalrusUnderTest } from './walrus-under-test.ts'

let test: WalrusUnderTest
let s3: S3Client
const Bucket = 'settings'

beforeAll(async () => {
  test = await WalrusUnderTest.start()
  s3 = test.sdk()
  await s3.send(new CreateBucketCommand({ Bucket }))
  await s3.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'kept' }))
})
afterAll(() => test.stop())

const refusedAs = (name: string) => ({ name })

it('what was never set is said to be so, by S3’s own code for each', async () => {
  const cases: [() => Promise<unknown>, string][] = [
    [() => s3.send(new GetBucketTaggingCommand({ Bucket })), 'NoSuchTagSet'],
    [() => s3.send(new GetBucketCorsCommand({ Bucket })), 'NoSuchCORSConfiguration'],
    [() => s3.send(new GetBucketLifecycleConfigurationCommand({ Bucket })), 'NoSuchLifecycleConfiguration'],
    [() => s3.send(new GetBucketWebsiteCommand({ Bucket })), 'NoSuchWebsiteConfiguration'],
    [
      () => s3.send(new GetBucketEncryptionCommand({ Bucket })),
      'ServerSideEncryptionConfigurationNotFoundError',
    ],
    [() => s3.send(new GetBucketReplicationCommand({ Bucket })), 'ReplicationConfigurationNotFoundError'],
  ]
  for (const [ask, code] of cases) await expect(ask()).rejects.toMatchObject(refusedAs(code))
  expect((await s3.send(new GetBucketLoggingCommand({ Bucket }))).LoggingEnabled).toBeUndefined()
  expect((await s3.send(new GetBucketRequestPaymentCommand({ Bucket }))).Payer).toBe('BucketOwner')
  expect((await s3.send(new GetBucketAccelerateConfigurationCommand({ Bucket }))).Status).toBeUndefined()
  const told = await s3.send(new GetBucketNotificationConfigurationCommand({ Bucket }))
  expect(told.TopicConfigurations).toBeUndefined()
  // Taking away what is not there is no error.
  await s3.send(new DeleteBucketCorsCommand({ Bucket }))
  await s3.send(new DeleteBucketWebsiteCommand({ Bucket }))
  await s3.send(new DeleteBucketLifecycleCommand({ Bucket }))
  await s3.send(new DeleteBucketEncryptionCommand({ Bucket }))
})

describe('tags', () => {
  it('of a bucket and of an object come back as they were put', async () => {
    const TagSet = [
      { Key: 'team', Value: 'a b' },
      { Key: 'x:y', Value: '' },
    ]
    await s3.send(new PutBucketTaggingCommand({ Bucket, Tagging: { TagSet } }))
    expect((await s3.send(new GetBucketTaggingCommand({ Bucket }))).TagSet).toEqual(TagSet)
    await s3.send(new DeleteBucketTaggingCommand({ Bucket }))
    await s3.send(new PutObjectTaggingCommand({ Bucket, Key: 'k', Tagging: { TagSet } }))
    expect((await s3.send(new GetObjectTaggingCommand({ Bucket, Key: 'k' }))).TagSet).toEqual(TagSet)
    expect((await s3.send(new GetObjectCommand({ Bucket, Key: 'k' }))).TagCount).toBe(2)
    await s3.send(new DeleteObjectTaggingCommand({ Bucket, Key: 'k' }))
    expect((await s3.send(new GetObjectTaggingCommand({ Bucket, Key: 'k' }))).TagSet).toEqual([])
    await s3.send(new PutObjectCommand({ Bucket, Key: 't', Body: '', Tagging: 'a=b&c=d%20e' }))
    expect((await s3.send(new GetObjectTaggingCommand({ Bucket, Key: 't' }))).TagSet).toEqual([
      { Key: 'a', Value: 'b' },
      { Key: 'c', Value: 'd e' },
    ])
  })

  it('are refused where they are none', async () => {
    const put = (TagSet: { Key: string; Value: string }[]) =>
      s3.send(new PutObjectTaggingCommand({ Bucket, Key: 'k', Tagging: { TagSet } }))
    const many = Array.from({ length: 11 }, (_value, at) => ({ Key: `k${at}`, Value: '' }))
    await expect(put(many)).rejects.toMatchObject(refusedAs('BadRequest'))
    await expect(put([{ Key: 'k'.repeat(129), Value: '' }])).rejects.toMatchObject(refusedAs('InvalidTag'))
    await expect(put([{ Key: 'aws:x', Value: '' }])).rejects.toMatchObject(refusedAs('InvalidTag'))
    await expect(put([{ Key: 'a<b', Value: '' }])).rejects.toMatchObject(refusedAs('InvalidTag'))
    const twice = { Key: 'a', Value: '1' }
    await expect(put([twice, twice])).rejects.toMatchObject(refusedAs('InvalidTag'))
    await expect(
      s3.send(new PutObjectTaggingCommand({ Bucket, Key: 'none', Tagging: { TagSet: [] } })),
    ).rejects.toMatchObject(refusedAs('NoSuchKey'))
  })
})

describe('CORS', () => {
  const put = (...CORSRules: CORSRule[]) =>
    s3.send(new PutBucketCorsCommand({ Bucket, CORSConfiguration: { CORSRules } }))
  const ask = (path: string, headers: Record<string, string>, method = 'OPTIONS') =>
    test.send({ method, path: `/${Bucket}${path}`, headers })

  it('answers a preflight by the first rule that fits, and real requests too', async () => {
    const origin = 'https://app.example.org'
    const wants = { origin, 'access-control-request-method': 'PUT' }
    expect((await ask('/k', wants)).code).toBe('AccessForbidden')
    await put(
      {
        AllowedOrigins: ['https://*.example.org'],
        AllowedMethods: ['PUT', 'GET'],
        AllowedHeaders: ['x-amz-*'],
        ExposeHeaders: ['ETag'],
        MaxAgeSeconds: 600,
      },
      { AllowedOrigins: ['*'], AllowedMethods: ['GET'] },
    )
    const shown = await s3.send(new GetBucketCorsCommand({ Bucket }))
    expect(shown.CORSRules).toHaveLength(2)
    const fits = await ask('/k', { ...wants, 'access-control-request-headers': 'X-Amz-Date, x-amz-acl' })
    expect(fits.status).toBe(200)
    expect(fits.headers).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-allow-methods': 'PUT, GET',
      'access-control-allow-headers': 'x-amz-date, x-amz-acl',
      'access-control-max-age': '600',
    })
    const header = { ...wants, 'access-control-request-headers': 'authorization' }
    expect((await ask('/k', header)).code).toBe('AccessForbidden')
    expect((await ask('/k', { ...wants, origin: 'https://evil.example' })).code).toBe('AccessForbidden')
    const open = { origin: 'null', 'access-control-request-method': 'GET' }
    expect((await ask('/k', open)).headers['access-control-allow-origin']).toBe('*')
    // A refusal is for the page to read, too.
    const refused = await ask('/k', { origin }, 'GET')
    expect(refused.status).toBe(403)
    expect(refused.headers).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-expose-headers': 'ETag',
    })
    expect((await ask('/k', {})).code).toBe('BadRequest')
  })

  it('refuses rules that are none', async () => {
    await expect(put({ AllowedOrigins: ['*'], AllowedMethods: ['BREW'] })).rejects.toMatchObject(
      refusedAs('InvalidRequest'),
    )
    await expect(put({ AllowedOrigins: ['*a*'], AllowedMethods: ['GET'] })).rejects.toMatchObject(
      refusedAs('InvalidRequest'),
    )
    await expect(
      put({ AllowedOrigins: ['*'], AllowedMethods: ['GET'], ExposeHeaders: ['x-*'] }),
    ).rejects.toMatchObject(refusedAs('InvalidRequest'))
  })
})

it('lifecycle rules are kept, and refused where they are none', async () => {
  const put = (...Rules: LifecycleRule[]) =>
    s3.send(new PutBucketLifecycleConfigurationCommand({ Bucket, LifecycleConfiguration: { Rules } }))
  const rule: LifecycleRule = { Status: 'Enabled', Filter: { Prefix: 'tmp/' }, Expiration: { Days: 3 } }
  await put(rule)
  const shown = await s3.send(new GetBucketLifecycleConfigurationCommand({ Bucket }))
  expect(shown.Rules).toEqual([{ ...rule, ID: expect.stringMatching(/./) }])
  const put1 = await s3.send(new PutObjectCommand({ Bucket, Key: 'tmp/a', Body: '' }))
  expect(put1.Expiration).toMatch(/^expiry-date="[^"]+", rule-id="/)
  const malformed = refusedAs('MalformedXML')
  await expect(put({ Status: 'Enabled', Expiration: { Days: 3 } })).rejects.toMatchObject(malformed)
  await expect(put({ ...rule, Expiration: { Days: 0 } })).rejects.toMatchObject(refusedAs('InvalidArgument'))
  await expect(put({ ...rule, Expiration: {} })).rejects.toMatchObject(malformed)
  await expect(put({ Status: 'Enabled', Filter: {} })).rejects.toMatchObject(refusedAs('InvalidRequest'))
  await expect(put({ ...rule, ID: 'a' }, { ...rule, ID: 'a' })).rejects.toMatchObject(
    refusedAs('InvalidArgument'),
  )
  await expect(put({ ...rule, Transitions: [{ Days: 1, StorageClass: 'GLACIER' }] })).rejects.toMatchObject(
    refusedAs('NotImplemented'),
  )
})

it('websites, logs and events are checked before they are kept', async () => {
  const site = (WebsiteConfiguration: WebsiteConfiguration) =>
    s3.send(new PutBucketWebsiteCommand({ Bucket, WebsiteConfiguration }))
  await expect(site({ IndexDocument: { Suffix: 'a/b' } })).rejects.toMatchObject(refusedAs('InvalidArgument'))
  await expect(site({ ErrorDocument: { Key: 'e' } })).rejects.toMatchObject(refusedAs('InvalidArgument'))
  await expect(site({ RedirectAllRequestsTo: { HostName: 'bad host' } })).rejects.toMatchObject(
    refusedAs('InvalidArgument'),
  )
  const log = (TargetBucket: string) =>
    s3.send(
      new PutBucketLoggingCommand({
        Bucket,
        BucketLoggingStatus: { LoggingEnabled: { TargetBucket, TargetPrefix: 'l/' } },
      }),
    )
  await expect(log('none-such')).rejects.toMatchObject(refusedAs('InvalidTargetBucketForLogging'))
  const tell = (TopicArn: string) =>
    s3.send(
      new PutBucketNotificationConfigurationCommand({
        Bucket,
        NotificationConfiguration: { TopicConfigurations: [{ TopicArn, Events: ['s3:ObjectCreated:*'] }] },
      }),
    )
  await expect(tell('arn:aws:sns:us-east-1:1:unknown')).rejects.toMatchObject(refusedAs('InvalidArgument'))
  await expect(tell('http://127.0.0.1/')).rejects.toMatchObject(refusedAs('InvalidArgument'))
})

it('attributes of an object are told by name', async () => {
  const attributes = await s3.send(
    new GetObjectAttributesCommand({
      Bucket,
      Key: 'k',
      ObjectAttributes: ['ETag', 'ObjectSize', 'StorageClass', 'Checksum', 'ObjectParts'],
    }),
  )
  expect(attributes).toMatchObject({
    ObjectSize: 4,
    StorageClass: 'STANDARD',
    Checksum: { ChecksumType: 'FULL_OBJECT' },
  })
  expect(attributes.ETag).toMatch(/^[0-9a-f]{32}$/)
})

it('a bucket may be named by the host', async () => {
  const { host } = new URL(test.url)
  const port = host.split(':')[1]
  const put = await test.signed({
    method: 'PUT',
    path: '/by/host',
    headers: { host: `${Bucket}.s3.cloud.example:${port}` },
    body: 'x',
  })
  expect(put.status).toBe(200)
  const list = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: 'by/' }))
  expect(list.Contents?.map((one) => one.Key)).toEqual(['by/host'])
})
