import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CloudUnderTest, type Credentials } from '../../cloud-under-test.ts'
import { jsonCall } from '../../json-call.ts'

let cloud: CloudUnderTest
let other: Credentials
beforeAll(async () => {
  cloud = await CloudUnderTest.start()
  other = await cloud.createAccount('other')
  for (const name of ['one', 'two', 'three'])
    await cloud.call('CreateKeyPair', { KeyName: name }, { as: other })
  await cloud.call('DescribeKeyPairs', {}, { as: other })
  await cloud.call('TerminateInstances', { 'InstanceId.1': 'i-0123456789abcdef0' }, { as: other })
  await cloud.call('CreateKeyPair', { KeyName: 'of-the-admin' })
})
afterAll(() => cloud.stop())

const lookup = (body: object = {}, as = other) => jsonCall(cloud, 'cloudtrail', 'LookupEvents', body, { as })
const by = (AttributeKey: string, AttributeValue: string) =>
  lookup({ LookupAttributes: [{ AttributeKey, AttributeValue }] })
interface Event {
  EventId: string
  EventName: string
  Resources: { ResourceName: string; ResourceType: string }[]
  CloudTrailEvent: string
}
const names = ({ json }: Awaited<ReturnType<typeof lookup>>) =>
  (json.Events as Event[]).map((event) => event.EventName)

test("the account's own calls, the newest first, and nobody else's", async () => {
  const answer = await lookup()
  expect(names(answer).filter((name) => name !== 'LookupEvents')).toEqual([
    'TerminateInstances',
    'DescribeKeyPairs',
    'CreateKeyPair',
    'CreateKeyPair',
    'CreateKeyPair',
  ])
  expect(JSON.stringify(answer.json)).not.toContain('of-the-admin')
})

test('an event is a record of CloudTrail', async () => {
  const { json } = await by('EventName', 'CreateKeyPair')
  const event = json.Events.at(-1)
  expect(event).toMatchObject({
    EventName: 'CreateKeyPair',
    EventSource: 'ec2.amazonaws.com',
    ReadOnly: 'false',
    Username: 'root',
    AccessKeyId: other.accessKeyId,
    Resources: [{ ResourceType: 'AWS::EC2::KeyPair' }],
  })
  expect(Number.isInteger(event.EventTime)).toBe(true)
  expect(JSON.parse(event.CloudTrailEvent)).toMatchObject({
    eventVersion: '1.08',
    userIdentity: { type: 'Root', accountId: other.accountId },
    eventSource: 'ec2.amazonaws.com',
    eventName: 'CreateKeyPair',
    awsRegion: 'us-east-1',
    requestParameters: { keyName: 'one' },
    readOnly: false,
    eventType: 'AwsApiCall',
    managementEvent: true,
    recipientAccountId: other.accountId,
    eventCategory: 'Management',
    eventID: event.EventId,
  })
})

test('a refused call is found by what it was about', async () => {
  const { json } = await by('ResourceName', 'i-0123456789abcdef0')
  expect(json.Events).toHaveLength(1)
  expect(JSON.parse(json.Events[0].CloudTrailEvent)).toMatchObject({
    eventName: 'TerminateInstances',
    errorCode: 'InvalidInstanceID.NotFound',
    requestParameters: { instanceId: ['i-0123456789abcdef0'] },
  })
})

test.each([
  ['EventSource', 'ec2.amazonaws.com', 5],
  ['ReadOnly', 'true', null],
  ['ReadOnly', 'false', 4],
  ['Username', 'root', null],
  ['Username', 'nobody', 0],
  ['ResourceType', 'AWS::EC2::KeyPair', 3],
  ['ResourceType', 'AWS::EC2::Instance', 1],
  ['ResourceType', 'AWS::Nothing::Thing', 0],
])('by %s %s', async (key, value, count) => {
  const answer = await by(key, value)
  expect(answer.status).toBe(200)
  if (count !== null) expect(answer.json.Events).toHaveLength(count)
  else expect(answer.json.Events.length).toBeGreaterThan(0)
})

test('by key and by event', async () => {
  const mine = await by('AccessKeyId', other.accessKeyId)
  expect(mine.json.Events.length).toBeGreaterThan(4)
  const [event] = mine.json.Events as Event[]
  expect((await by('EventId', event!.EventId)).json.Events).toHaveLength(1)
})

test('pages lead through all of it once', async () => {
  const seen: string[] = []
  let token: string | undefined
  do {
    const { json } = await lookup({
      LookupAttributes: [{ AttributeKey: 'EventName', AttributeValue: 'CreateKeyPair' }],
      MaxResults: 2,
      ...(token === undefined ? {} : { NextToken: token }),
    })
    seen.push(...(json.Events as Event[]).map((event) => event.EventId))
    token = json.NextToken as string | undefined
  } while (token !== undefined)
  expect(seen).toHaveLength(3)
  expect(new Set(seen).size).toBe(3)
})

test('by time', async () => {
  const nowSeconds = Date.now() / 1000
  expect((await lookup({ StartTime: nowSeconds + 3600 })).json.Events).toEqual([])
  expect((await lookup({ EndTime: nowSeconds - 3600 })).json.Events).toEqual([])
  expect(
    (await lookup({ StartTime: nowSeconds - 3600, EndTime: nowSeconds + 3600 })).json.Events.length,
  ).toBeGreaterThan(4)
})

describe('refused', () => {
  test.each([
    ['a page that is too large', { MaxResults: 51 }, 'InvalidMaxResultsException'],
    ['none', { MaxResults: 0 }, 'InvalidMaxResultsException'],
    ['a range that ends before it begins', { StartTime: 2000, EndTime: 1000 }, 'InvalidTimeRangeException'],
    [
      'two attributes',
      {
        LookupAttributes: [
          { AttributeKey: 'EventName', AttributeValue: 'a' },
          { AttributeKey: 'EventName', AttributeValue: 'b' },
        ],
      },
      'InvalidLookupAttributesException',
    ],
    [
      'an attribute that nobody has',
      { LookupAttributes: [{ AttributeKey: 'Nothing', AttributeValue: 'a' }] },
      'InvalidLookupAttributesException',
    ],
    ['insights', { EventCategory: 'insight' }, 'InvalidEventCategoryException'],
    ['a token that is none', { NextToken: 'bm9uZQ==' }, 'InvalidNextTokenException'],
    ['a member that nobody has', { Nothing: 1 }, 'ValidationException'],
    ['no document', 'nothing', 'SerializationException'],
    ['a list', '[]', 'SerializationException'],
  ])('%s', async (_what, body, code) => {
    const answer = await jsonCall(cloud, 'cloudtrail', 'LookupEvents', body, { as: other })
    expect([answer.status, answer.code]).toEqual([400, code])
  })

  test("another account's token", async () => {
    const { json } = await lookup({ MaxResults: 1 })
    const answer = await lookup({ MaxResults: 1, NextToken: json.NextToken }, cloud.admin)
    expect(answer.code).toBe('InvalidNextTokenException')
  })

  test.each([
    ['a wrong secret', 'LookupEvents', { secret: 'wrong' }, 'InvalidSignatureException'],
    [
      'a signature for another service',
      'LookupEvents',
      { scope: 'servicequotas' },
      'UnknownOperationException',
    ],
    ['an action that is not performed', 'StartQuery', {}, 'UnsupportedOperationException'],
    ['an action that nobody has', 'Nonsense', {}, 'UnknownOperationException'],
  ])('%s', async (_what, action, options, code) => {
    const answer = await jsonCall(cloud, 'cloudtrail', action, {}, { as: other, ...options })
    expect([answer.status, answer.code]).toEqual([400, code])
  })
})
