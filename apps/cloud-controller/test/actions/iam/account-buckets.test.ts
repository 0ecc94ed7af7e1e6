import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CloudUnderTest, type Credentials } from '../../cloud-under-test.ts'
import { iamClient } from './iam-client.ts'

/** An account with buckets stays: walrus says which there are, by its reports and by the lines of what changed since. */
let cloud: CloudUnderTest
let branch: Credentials
let walrus: string
let sequence = 0
const iam = iamClient(() => cloud)

beforeAll(async () => {
  cloud = await CloudUnderTest.start()
  branch = await cloud.createAccount('branch')
  walrus = await cloud.registerAgent('walrus', 'walrus')
})
afterAll(() => cloud.stop())

async function say(changes: readonly [name: string, bucket: string][], buckets: readonly string[] = []) {
  const { accountId } = branch
  const lines = changes.map(([eventName, bucketName]) => ({
    ...{
      sequence: (sequence += 1),
      atMs: Date.now(),
      eventId: randomUUID(),
      requestId: randomUUID(),
      eventName,
    },
    ...{ accountId, principal: { type: 'Root', id: accountId, arn: `arn:aws:iam::${accountId}:root` } },
    ...{ accessKeyId: null, sourceIp: '127.0.0.1', userAgent: 'test', readOnly: false, management: true },
    ...{ secure: false, errorCode: null, errorMessage: null, parameters: JSON.stringify({ bucketName }) },
    resources: [],
  }))
  const held = buckets.map((bucket) => ({ bucket, accountId, bytes: 5 }))
  const answer = await cloud.cloud.agentDoor.inject({
    method: 'PUT',
    url: '/agent/v1/blobs/audit',
    headers: { 'x-test-peer': `walrus/${walrus}` },
    payload: { lines, buckets: held, takenAtMs: Date.now() },
  })
  expect(answer.statusCode).toBe(200)
}
const remove = () => iam('DeleteAccount', { AccountName: 'branch', Recursive: true })

test('a bucket that was reported, or made since, keeps its account', async () => {
  await say([], ['old'])
  expect((await remove()).message).toContain('buckets')
  await say([['DeleteBucket', 'old']])
  await say([['CreateBucket', 'new']])
  expect((await remove()).code).toBe('DeleteConflict')
  await say([['DeleteBucket', 'new']])
  expect((await remove()).status).toBe(200)
})
