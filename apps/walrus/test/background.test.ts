import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketLoggingCommand,
  PutBucketNotificationConfigurationCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  GetObjectCommand,
  PutObjectLegalHoldCommand,
  type LifecycleRule,
  type S3Client,
} from '@aws-sdk/client-s3'
import { systemClock } from '@mallee/base'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { eventually, WalrusUnderTest } from './walrus-under-test.ts'

let test: WalrusUnderTest
let s3: S3Client
let hook: Server
let aheadMs = 0
let answers = 200
const received: { Records: { eventName: string; s3: { object: { key: string; sequencer: string } } }[] }[] =
  []
const day = 86_400_000

beforeAll(async () => {
  hook = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      if (answers === 200) received.push(JSON.parse(Buffer.concat(chunks).toString()) as (typeof received)[0])
      response.writeHead(answers).end()
    })
  })
  await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve))
  const { port } = hook.address() as AddressInfo
  const webhooks = { ops: { url: `http://127.0.0.1:${port}/events` } }
  const clock = { ...systemClock, now: () => Date.now() + aheadMs }
  test = await WalrusUnderTest.start(undefined, { webhooks }, clock)
  s3 = test.sdk()
})
afterAll(async () => {
  await test.stop()
  hook.close()
})
afterEach(() => {
  aheadMs = 0
  answers = 200
  received.length = 0
})

const names = () =>
  received.flatMap(({ Records }) => Records.map((one) => `${one.eventName} ${one.s3.object.key}`))

describe('events', () => {
  it('tell a webhook of what happened, and only of what was asked for', async () => {
    const Bucket = 'told'
    await s3.send(new CreateBucketCommand({ Bucket }))
    await s3.send(
      new PutBucketNotificationConfigurationCommand({
        Bucket,
        NotificationConfiguration: {
          TopicConfigurations: [
            {
              Id: 'mine',
              TopicArn: 'arn:aws:sns:us-east-1:100000000001:ops',
              Events: ['s3:ObjectCreated:*', 's3:ObjectRemoved:Delete'],
              Filter: { Key: { FilterRules: [{ Name: 'prefix', Value: 'in/' }] } },
            },
          ],
        },
      }),
    )
    await s3.send(new PutObjectCommand({ Bucket, Key: 'in/a b+é', Body: 'x' }))
    await s3.send(new PutObjectCommand({ Bucket, Key: 'out', Body: 'x' }))
    await s3.send(new CopyObjectCommand({ Bucket, Key: 'in/copy', CopySource: `${Bucket}/out` }))
    await s3.send(new DeleteObjectCommand({ Bucket, Key: 'in/copy' }))
    await s3.send(new DeleteObjectCommand({ Bucket, Key: 'in/never' }))
    await eventually(() => received.length >= 3)
    expect(names().toSorted()).toEqual([
      'ObjectCreated:Copy in/copy',
      'ObjectCreated:Put in/a+b%2B%C3%A9',
      'ObjectRemoved:Delete in/copy',
    ])
    expect(received[0]).toMatchObject({
      Records: [
        {
          eventVersion: '2.1',
          eventSource: 'aws:s3',
          userIdentity: { principalId: 'AWS:100000000001' },
          requestParameters: { sourceIPAddress: '127.0.0.1' },
          s3: { configurationId: 'mine', bucket: { name: Bucket } },
        },
      ],
    })
  })

  it('wait for a webhook that is away, and over a restart', async () => {
    answers = 503
    await s3.send(new PutObjectCommand({ Bucket: 'told', Key: 'in/late', Body: 'x' }))
    const attempts = () =>
      test.walrus.index.read((db) => db.selectFrom('event_delivery').select('attempts').executeTakeFirst())
    await eventually(async () => ((await attempts())?.attempts ?? 0) > 0)
    await test.restart()
    s3 = test.sdk()
    answers = 200
    aheadMs = 3_600_000
    test.walrus.background.events.wake()
    await eventually(() => names().includes('ObjectCreated:Put in/late'))
    await eventually(async () => (await attempts()) === undefined)
  })
})

describe('lifecycle', () => {
  const rules = (Bucket: string, ...Rules: LifecycleRule[]) =>
    s3.send(new PutBucketLifecycleConfigurationCommand({ Bucket, LifecycleConfiguration: { Rules } }))
  const after = async (days: number) => {
    aheadMs = days * day
    await test.walrus.background.runLifecycle()
    aheadMs = 0
  }
  const keys = async (Bucket: string) =>
    ((await s3.send(new ListObjectsV2Command({ Bucket }))).Contents ?? []).map((one) => one.Key)

  it('takes what is due by prefix, tag and size, and nothing else', async () => {
    const Bucket = 'expiring'
    await s3.send(new CreateBucketCommand({ Bucket }))
    await rules(
      Bucket,
      { Status: 'Enabled', Filter: { Prefix: 'tmp/' }, Expiration: { Days: 2 } },
      { Status: 'Enabled', Filter: { Tag: { Key: 'keep', Value: 'no' } }, Expiration: { Days: 2 } },
      { Status: 'Enabled', Filter: { ObjectSizeGreaterThan: 100 }, Expiration: { Days: 2 } },
      { Status: 'Disabled', Filter: { Prefix: '' }, Expiration: { Days: 1 } },
    )
    const put = (Key: string, Body = 'x', Tagging?: string) =>
      s3.send(new PutObjectCommand({ Bucket, Key, Body, ...(Tagging ? { Tagging } : {}) }))
    await put('tmp/a')
    await put('tagged', 'x', 'keep=no')
    await put('big', 'x'.repeat(101))
    await put('stays')
    await after(1)
    expect(await keys(Bucket)).toEqual(['big', 'stays', 'tagged', 'tmp/a'])
    await after(3.1)
    expect(await keys(Bucket)).toEqual(['stays'])
    expect((await test.files()).length).toBeLessThanOrEqual((await knownBlobs()).length)
  })

  const knownBlobs = () => test.walrus.index.read((db) => db.selectFrom('blob').select('id').execute())

  it('takes old versions, keeps the newest of them, and clears lone delete markers', async () => {
    const Bucket = 'old-versions'
    await s3.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: true }))
    await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }))
    await rules(Bucket, {
      Status: 'Enabled',
      Filter: { Prefix: '' },
      NoncurrentVersionExpiration: { NoncurrentDays: 1, NewerNoncurrentVersions: 1 },
      Expiration: { ExpiredObjectDeleteMarker: true },
    })
    for (const Body of ['1', '2', '3', '4']) await s3.send(new PutObjectCommand({ Bucket, Key: 'k', Body }))
    const held = await s3.send(new PutObjectCommand({ Bucket, Key: 'held', Body: 'held' }))
    await s3.send(new PutObjectLegalHoldCommand({ Bucket, Key: 'held', LegalHold: { Status: 'ON' } }))
    for (const Body of ['a', 'b']) await s3.send(new PutObjectCommand({ Bucket, Key: 'held', Body }))
    await s3.send(new DeleteObjectCommand({ Bucket, Key: 'lone' }))
    await after(3)
    const { Versions = [], DeleteMarkers = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket }))
    expect(Versions.filter((one) => one.Key === 'k').map((one) => one.IsLatest)).toEqual([true, false])
    expect(Versions.some((one) => one.VersionId === held.VersionId)).toBe(true)
    expect(DeleteMarkers).toEqual([])
  })

  it('aborts uploads that nobody ends', async () => {
    const Bucket = 'aborting'
    await s3.send(new CreateBucketCommand({ Bucket }))
    await rules(Bucket, {
      Status: 'Enabled',
      Filter: { Prefix: 'up/' },
      AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 },
    })
    for (const Key of ['up/a', 'up/b', 'other'])
      await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }))
    await after(3)
    const left = await s3.send(new ListMultipartUploadsCommand({ Bucket }))
    expect(left.Uploads?.map((one) => one.Key)).toEqual(['other'])
  })
})

it('access logs come into the target bucket, without what opens doors', async () => {
  for (const Bucket of ['logged', 'logs']) await s3.send(new CreateBucketCommand({ Bucket }))
  await s3.send(
    new PutBucketLoggingCommand({
      Bucket: 'logged',
      BucketLoggingStatus: { LoggingEnabled: { TargetBucket: 'logs', TargetPrefix: 'of-logged/' } },
    }),
  )
  await s3.send(new PutObjectCommand({ Bucket: 'logged', Key: 'a key', Body: 'x' }))
  await test.send({ path: '/logged/a%20key?X-Amz-Signature=abc&x=1', headers: { 'user-agent': 'a "b"\tc' } })
  await test.walrus.background.accessLog.deliver()
  const list = await s3.send(new ListObjectsV2Command({ Bucket: 'logs', Prefix: 'of-logged/' }))
  const Key = list.Contents?.[0]?.Key ?? ''
  const text = await (await s3.send(new GetObjectCommand({ Bucket: 'logs', Key }))).Body!.transformToString()
  const lines = text.trimEnd().split('\n')
  expect(lines).toHaveLength(2)
  expect(lines[0]).toMatch(
    / logged \[[^\]]+\] 127\.0\.0\.1 arn:aws:iam::100000000001:root .* REST\.PUT\.OBJECT a%20key .* 200 - /,
  )
  expect(lines[1]).toContain('X-Amz-Signature=-&x=1')
  expect(lines[1]).toContain('"a %22b%22?c"')
  expect(text).not.toContain('abc')
})
