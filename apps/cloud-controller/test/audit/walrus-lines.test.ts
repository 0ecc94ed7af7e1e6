import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { hourMs } from '@mallee/base'
import { auditGaps } from '../../src/store/api-call-store.ts'
import { CloudUnderTest, type Credentials } from '../cloud-under-test.ts'
import { jsonCall } from '../json-call.ts'

let cloud: CloudUnderTest
let other: Credentials
let walrus: string
beforeAll(async () => {
  cloud = await CloudUnderTest.start()
  other = await cloud.createAccount('other')
  walrus = await cloud.registerAgent('walrus', 'walrus')
})
afterAll(() => cloud.stop())

const line = (sequence: number, changes: object = {}) => ({
  ...{
    sequence,
    atMs: Date.now(),
    eventId: randomUUID(),
    requestId: randomUUID(),
    eventName: 'CreateBucket',
  },
  ...{
    accountId: other.accountId,
    principal: { type: 'IAMUser', id: 'AIDA', arn: 'arn:aws:iam::1:user/ann', userName: 'ann' },
    accessKeyId: other.accessKeyId,
  },
  ...{ sourceIp: '127.0.0.1', userAgent: 'test', readOnly: false, management: true, secure: false },
  ...{ errorCode: null, errorMessage: null, parameters: '{"bucketName":"b"}', resources: ['arn:aws:s3:::b'] },
  ...changes,
})
const send = (lines: object[], more: object = {}, as = `walrus/${walrus}`) =>
  cloud.cloud.agentDoor.inject({
    method: 'PUT',
    url: '/agent/v1/blobs/audit',
    headers: { 'x-test-peer': as },
    payload: { lines, buckets: [], takenAtMs: Date.now(), ...more },
  })
const names = () =>
  cloud.cloud.record.read((db) =>
    db
      .selectFrom('api_call')
      .select('event_name')
      .where('event_source', '=', 's3.amazonaws.com')
      .orderBy('sequence')
      .execute(),
  )

test('lines of walrus are kept once, in their order, among all others', async () => {
  const lines = [line(1), line(2, { eventName: 'DeleteBucket' })]
  expect((await send(lines)).json()).toEqual({ sequence: 2 })
  expect((await send(lines)).json()).toEqual({ sequence: 2 })
  expect((await send([lines[1]!, line(3, { eventName: 'PutBucketPolicy' })])).json()).toEqual({ sequence: 3 })
  expect((await names()).map((row) => row.event_name)).toEqual([
    'CreateBucket',
    'DeleteBucket',
    'PutBucketPolicy',
  ])
  expect((await cloud.cloud.record.read(auditGaps)).missing).toBe(0)
  expect((await send([])).json()).toEqual({ sequence: 3 })
})

test('one that came under another number is the same line', async () => {
  const same = line(4)
  await send([same])
  await send([{ ...same, sequence: 5 }, line(6)])
  expect(await names()).toHaveLength(5)
})

test('the account finds them by its bucket', async () => {
  const found = await jsonCall(
    cloud,
    'cloudtrail',
    'LookupEvents',
    {
      LookupAttributes: [{ AttributeKey: 'ResourceName', AttributeValue: 'arn:aws:s3:::b' }],
      MaxResults: 50,
    },
    { as: other },
  )
  expect(found.json.Events).toHaveLength(5)
  expect(found.json.Events[0].Resources).toEqual([
    { ResourceType: 'AWS::S3::Bucket', ResourceName: 'arn:aws:s3:::b' },
  ])
})

test('what a bucket holds is counted from one saying to the next, once', async () => {
  const at = Date.UTC(2030, 0, 1, 12)
  const buckets = [{ bucket: 'b', accountId: other.accountId, bytes: 4096 }]
  await send([], { buckets, takenAtMs: at })
  await send([], { buckets, takenAtMs: at + hourMs })
  await send([], { buckets, takenAtMs: at + hourMs })
  await send([], { buckets, takenAtMs: at + 100 * hourMs }) // away for long: two hours are believed
  const rows = await cloud.cloud.record.read((db) =>
    db
      .selectFrom('usage_amount')
      .select(['kind', 'amount'])
      .where('resource_id', '=', 'b')
      .orderBy('day')
      .execute(),
  )
  expect(rows).toEqual([
    { kind: 'bucket', amount: 4 },
    { kind: 'bucket', amount: 8 },
  ])
})

test('a node may not speak for walrus, and what does not fit is refused', async () => {
  const node = await cloud.addNode('node')
  expect((await send([line(7)], {}, `node/${node}`)).statusCode).toBe(403)
  expect((await send([{ ...line(7), extra: 1 }])).statusCode).toBe(400)
  expect(await names()).toHaveLength(5)
})
