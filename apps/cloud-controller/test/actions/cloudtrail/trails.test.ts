import { gunzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { hourMs, minuteMs, systemClock, type Clock } from '@mallee/base'
import { CloudUnderTest, type Credentials } from '../../cloud-under-test.ts'
import { jsonCall } from '../../json-call.ts'

let cloud: CloudUnderTest
let other: Credentials
let walrus: string
let aheadMs = 0
const clock: Clock = { ...systemClock, now: () => systemClock.now() + aheadMs }
beforeEach(async () => {
  aheadMs = 0
  cloud = await CloudUnderTest.start({}, clock)
  other = await cloud.createAccount('other')
  walrus = await cloud.registerAgent('walrus', 'walrus')
})
afterEach(() => cloud.stop())

const call = (action: string, body: object = {}, as = other) =>
  jsonCall(cloud, 'cloudtrail', action, body, { as })
const create = (more: object = {}) => call('CreateTrail', { Name: 'all', S3BucketName: 'logs', ...more })
const keyPair = (KeyName: string, as = other) => cloud.call('CreateKeyPair', { KeyName }, { as })
interface File {
  id: string
  accountId: string
  bucket: string
  key: string
  content: string
}
async function ask(
  done: { id: string; error: string | null }[] = [],
  as = `walrus/${walrus}`,
): Promise<File[]> {
  const answer = await cloud.cloud.agentDoor.inject({
    method: 'PUT',
    url: '/agent/v1/blobs/trail-files',
    headers: { 'x-test-peer': as },
    payload: { done },
  })
  if (answer.statusCode !== 200) throw new Error(`${answer.statusCode}`)
  return (answer.json() as { files: File[] }).files
}
async function pass(): Promise<void> {
  cloud.cloud.reconcilers['trails']!.wake()
  await cloud.settled()
}
interface Record {
  eventName: string
  recipientAccountId: string
}
const recordsIn = (file: File) =>
  (JSON.parse(gunzipSync(Buffer.from(file.content, 'base64')).toString()) as { Records: Record[] }).Records
const names = (files: File[]) => files.flatMap((file) => recordsIn(file).map((record) => record.eventName))

test('what an account calls from StartLogging to StopLogging is in files, each call once', async () => {
  await keyPair('before')
  expect((await create({ S3KeyPrefix: 'audit' })).status).toBe(200)
  await call('StartLogging', { Name: 'all' })
  await keyPair('one')
  await keyPair('of-the-admin', cloud.admin)
  await pass()
  const [file, ...more] = await ask()
  expect(more).toEqual([])
  expect(file).toMatchObject({ accountId: other.accountId, bucket: 'logs' })
  const day = new Date().toISOString().slice(0, 10).replaceAll('-', '/')
  expect(file!.key).toMatch(
    new RegExp(
      `^audit/AWSLogs/${other.accountId}/CloudTrail/us-east-1/${day}/${other.accountId}_CloudTrail_us-east-1_\\d{8}T\\d{4}Z_\\w{16}\\.json\\.gz$`,
    ),
  )
  expect(recordsIn(file!).every((record) => record.recipientAccountId === other.accountId)).toBe(true)
  expect(await ask()).toEqual([file]) // nobody said that it was written
  await keyPair('two')
  await call('StopLogging', { Name: 'all' })
  await keyPair('after')
  await pass()
  const rest = await ask([{ id: file!.id, error: null }])
  expect(names([file!, ...rest])).toEqual(['StartLogging', 'CreateKeyPair', 'CreateKeyPair'])
  expect(await ask(rest.map(({ id }) => ({ id, error: null })))).toEqual([])
})

test('the status says what became of the files', async () => {
  await create()
  expect((await call('GetTrailStatus', { Name: 'all' })).json).toMatchObject({ IsLogging: false })
  await call('StartLogging', { Name: 'all' })
  await keyPair('one')
  await pass()
  const [file] = await ask()
  expect(await ask([{ id: file!.id, error: 'AccessDenied' }])).toEqual([])
  const failed = (await call('GetTrailStatus', { Name: 'all' })).json
  expect(failed).toMatchObject({ IsLogging: true, LatestDeliveryError: 'AccessDenied' })
  aheadMs += 2 * minuteMs
  const [again] = await ask()
  expect(again!.id).toBe(file!.id)
  await ask([{ id: file!.id, error: null }])
  const done = (await call('GetTrailStatus', { Name: 'all' })).json
  expect(done.LatestDeliveryError).toBeUndefined()
  expect(done.LatestDeliveryTime).toBeGreaterThan(1)
})

test('a bucket that does not come back is not waited for longer than a day', async () => {
  await create()
  await call('StartLogging', { Name: 'all' })
  await pass()
  const [file] = await ask()
  aheadMs += 25 * hourMs
  await ask([{ id: file!.id, error: 'AccessDenied' }])
  aheadMs += 2 * minuteMs
  expect((await ask()).map(({ id }) => id)).not.toContain(file!.id)
})

test('services without a region are left out where that is wanted', async () => {
  await create({ IncludeGlobalServiceEvents: false })
  await call('StartLogging', { Name: 'all' })
  await cloud.call('GetCallerIdentity', {}, { as: other, service: 'sts', version: '2011-06-15' })
  await keyPair('one')
  await pass()
  expect(names(await ask())).toEqual(['StartLogging', 'CreateKeyPair'])
})

test('trails are described, by name and by ARN, and gone when they are deleted', async () => {
  await create()
  const arn = `arn:aws:cloudtrail:us-east-1:${other.accountId}:trail/all`
  const trail = {
    Name: 'all',
    S3BucketName: 'logs',
    TrailARN: arn,
    HomeRegion: 'us-east-1',
    IsMultiRegionTrail: false,
  }
  expect((await call('DescribeTrails')).json.trailList).toMatchObject([trail])
  expect((await call('DescribeTrails', { trailNameList: [arn] })).json.trailList).toMatchObject([trail])
  expect((await call('DescribeTrails', { trailNameList: ['none'] })).json.trailList).toEqual([])
  expect((await call('GetTrail', { Name: arn })).json.Trail).toMatchObject(trail)
  expect((await call('ListTrails')).json.Trails).toEqual([
    { TrailARN: arn, Name: 'all', HomeRegion: 'us-east-1' },
  ])
  expect((await call('GetEventSelectors', { TrailName: 'all' })).json.EventSelectors).toHaveLength(1)
  expect((await call('GetTrail', { Name: 'all' }, cloud.admin)).code).toBe('TrailNotFoundException')
  expect((await call('DeleteTrail', { Name: 'all' })).status).toBe(200)
  expect((await call('StartLogging', { Name: 'all' })).code).toBe('TrailNotFoundException')
})

test.each([
  ['a name that is none', { Name: 'a' }, 'InvalidTrailNameException'],
  ['an address', { Name: '192.168.5.4' }, 'InvalidTrailNameException'],
  ['a bucket that is none', { S3BucketName: 'UP' }, 'InvalidS3BucketNameException'],
  ['a prefix that is none', { S3KeyPrefix: 'a b' }, 'InvalidS3PrefixException'],
  ['topics', { SnsTopicName: 'topic' }, 'UnsupportedOperationException'],
  ['digests', { EnableLogFileValidation: true }, 'UnsupportedOperationException'],
  ['keys', { KmsKeyId: 'alias/key' }, 'UnsupportedOperationException'],
])('refused: %s', async (_what, body, code) => {
  const answer = await create(body)
  expect([answer.status, answer.code]).toEqual([400, code])
})

test('a second trail of a name, and a sixth, are refused', async () => {
  await create()
  expect((await create()).code).toBe('TrailAlreadyExistsException')
  for (const name of ['two', 'three', 'four', 'five']) await create({ Name: name })
  expect((await create({ Name: 'six' })).code).toBe('MaximumNumberOfTrailsExceededException')
})

test('files are for walrus alone', async () => {
  const node = await cloud.addNode('node')
  await expect(ask([], `node/${node}`)).rejects.toThrow('403')
})
