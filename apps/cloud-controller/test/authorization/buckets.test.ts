import { afterAll, beforeAll, expect, test } from 'vitest'
import { CloudUnderTest, type Credentials } from '../cloud-under-test.ts'
import { allow, iamClient, keyOf } from '../actions/iam/iam-client.ts'

/** What EC2 reads from buckets for a caller, it must be allowed to read itself; and that its key was used. */
let cloud: CloudUnderTest
let ann: Credentials
const iam = iamClient(() => cloud)

beforeAll(async () => {
  cloud = await CloudUnderTest.start({ requestLimits: 'none' })
  await iam('CreateUser', { UserName: 'ann' })
  ann = await keyOf(iam, cloud.admin, 'ann')
})
afterAll(() => cloud.stop())

const may = (action: string[], resource: string | string[] = '*') =>
  iam('PutUserPolicy', { UserName: 'ann', PolicyName: 'p', PolicyDocument: allow(action, resource) })

test.each<[string, Record<string, string>]>([
  ['RegisterImage', { ImageLocation: 'secret/disk.img', Name: 'n' }],
  [
    'ImportSnapshot',
    { 'DiskContainer.UserBucket.S3Bucket': 'secret', 'DiskContainer.UserBucket.S3Key': 'disk.img' },
  ],
  ['ImportImage', { 'DiskContainer.1.Url': 's3://secret/disk.img', 'DiskContainer.1.Format': 'raw' }],
])('%s of an object asks for leave to read it', async (action, parameters) => {
  const dry = { ...parameters, DryRun: true }
  await may(['ec2:*'])
  const refused = await cloud.call(action, dry, { as: ann })
  expect([refused.code, refused.status]).toEqual(['UnauthorizedOperation', 403])
  expect(refused.message).toContain('s3:GetObject on resource: arn:aws:s3:::secret/disk.img')
  await may(['ec2:*', 's3:GetObject'])
  expect((await cloud.call(action, dry, { as: ann })).code).toBe('DryRunOperation')
})

test('a key that was used says when and for what', async () => {
  await may(['ec2:*'])
  expect((await cloud.call('DescribeVpcs', {}, { as: ann })).status).toBe(200)
  const used = await iam('GetAccessKeyLastUsed', { AccessKeyId: ann.accessKeyId })
  expect(used.one('ServiceName')).toBe('ec2')
  expect(Date.now() - Date.parse(used.one('LastUsedDate')!)).toBeLessThan(600_000)
  expect(used.one('Region')).toBe('us-east-1')
})
