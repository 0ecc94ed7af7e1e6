import {
  CreateBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectLegalHoldCommand,
  GetObjectLockConfigurationCommand,
  GetObjectRetentionCommand,
  HeadObjectCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutObjectLegalHoldCommand,
  PutObjectLockConfigurationCommand,
  PutObjectRetentionCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { WalrusUnderTest } from './walrus-under-test.ts'

let test: WalrusUnderTest
let s3: S3Client
const Bucket = 'locked'
const day = 86_400_000

beforeAll(async () => {
  test = await WalrusUnderTest.start()
  s3 = test.sdk()
  await s3.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: true }))
})
afterAll(() => test.stop())

const denied = { name: 'AccessDenied' }
const ahead = (days: number) => new Date(Date.now() + days * day)

async function locked(Key: string, Mode: 'GOVERNANCE' | 'COMPLIANCE', days: number): Promise<string> {
  const answer = await s3.send(
    new PutObjectCommand({
      Bucket,
      Key,
      Body: Key,
      ObjectLockMode: Mode,
      ObjectLockRetainUntilDate: ahead(days),
    }),
  )
  return answer.VersionId!
}

const retain = (
  Key: string,
  Retention: { Mode?: 'GOVERNANCE' | 'COMPLIANCE'; RetainUntilDate?: Date },
  BypassGovernanceRetention?: boolean,
) =>
  s3.send(
    new PutObjectRetentionCommand({
      Bucket,
      Key,
      Retention,
      ...(BypassGovernanceRetention === undefined ? {} : { BypassGovernanceRetention }),
    }),
  )

it('compliance only grows: nobody deletes, shortens or weakens it', async () => {
  const VersionId = await locked('c', 'COMPLIANCE', 10)
  const remove = (more: object) => s3.send(new DeleteObjectCommand({ Bucket, Key: 'c', VersionId, ...more }))
  await expect(remove({})).rejects.toMatchObject(denied)
  await expect(remove({ BypassGovernanceRetention: true })).rejects.toMatchObject(denied)
  await expect(retain('c', { Mode: 'COMPLIANCE', RetainUntilDate: ahead(9) }, true)).rejects.toMatchObject(
    denied,
  )
  await expect(retain('c', { Mode: 'GOVERNANCE', RetainUntilDate: ahead(20) }, true)).rejects.toMatchObject(
    denied,
  )
  await expect(retain('c', {}, true)).rejects.toMatchObject(denied)
  await retain('c', { Mode: 'COMPLIANCE', RetainUntilDate: ahead(20) })
  const { Retention } = await s3.send(new GetObjectRetentionCommand({ Bucket, Key: 'c' }))
  expect(Retention?.Mode).toBe('COMPLIANCE')
  expect(Retention!.RetainUntilDate!.getTime()).toBeGreaterThan(ahead(19).getTime())
  // A delete without a version only hides it.
  await s3.send(new DeleteObjectCommand({ Bucket, Key: 'c' }))
  const head = await s3.send(new HeadObjectCommand({ Bucket, Key: 'c', VersionId }))
  expect(head.ObjectLockMode).toBe('COMPLIANCE')
})

it('governance yields to who may bypass it and says so', async () => {
  const VersionId = await locked('g', 'GOVERNANCE', 10)
  await expect(s3.send(new DeleteObjectCommand({ Bucket, Key: 'g', VersionId }))).rejects.toMatchObject(
    denied,
  )
  await expect(retain('g', { Mode: 'GOVERNANCE', RetainUntilDate: ahead(1) })).rejects.toMatchObject(denied)
  await retain('g', { Mode: 'GOVERNANCE', RetainUntilDate: ahead(1) }, true)
  const many = await s3.send(
    new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: 'g', VersionId }] } }),
  )
  expect(many.Errors).toMatchObject([{ Key: 'g', Code: 'AccessDenied' }])
  await s3.send(new DeleteObjectCommand({ Bucket, Key: 'g', VersionId, BypassGovernanceRetention: true }))
  await expect(s3.send(new HeadObjectCommand({ Bucket, Key: 'g', VersionId }))).rejects.toMatchObject({
    $metadata: { httpStatusCode: 404 },
  })
})

it('a legal hold holds until it is lifted', async () => {
  const put = await s3.send(
    new PutObjectCommand({ Bucket, Key: 'h', Body: 'h', ObjectLockLegalHoldStatus: 'ON' }),
  )
  const VersionId = put.VersionId!
  const remove = () =>
    s3.send(new DeleteObjectCommand({ Bucket, Key: 'h', VersionId, BypassGovernanceRetention: true }))
  await expect(remove()).rejects.toMatchObject(denied)
  const hold = await s3.send(new GetObjectLegalHoldCommand({ Bucket, Key: 'h' }))
  expect(hold.LegalHold?.Status).toBe('ON')
  await s3.send(new PutObjectLegalHoldCommand({ Bucket, Key: 'h', LegalHold: { Status: 'OFF' } }))
  await remove()
})

it('a default retention is that of each new version', async () => {
  await s3.send(
    new PutObjectLockConfigurationCommand({
      Bucket,
      ObjectLockConfiguration: {
        ObjectLockEnabled: 'Enabled',
        Rule: { DefaultRetention: { Mode: 'GOVERNANCE', Days: 3 } },
      },
    }),
  )
  const shown = await s3.send(new GetObjectLockConfigurationCommand({ Bucket }))
  expect(shown.ObjectLockConfiguration?.Rule?.DefaultRetention).toEqual({ Mode: 'GOVERNANCE', Days: 3 })
  const put = await s3.send(new PutObjectCommand({ Bucket, Key: 'd', Body: 'd' }))
  await expect(
    s3.send(new DeleteObjectCommand({ Bucket, Key: 'd', VersionId: put.VersionId! })),
  ).rejects.toMatchObject(denied)
})

it('is refused where it makes no sense', async () => {
  const suspend = new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Suspended' } })
  await expect(s3.send(suspend)).rejects.toMatchObject({ name: 'InvalidBucketState' })
  await expect(locked('past', 'GOVERNANCE', -1)).rejects.toMatchObject({ name: 'InvalidArgument' })
  const half = new PutObjectCommand({ Bucket, Key: 'half', Body: '', ObjectLockMode: 'GOVERNANCE' })
  await expect(s3.send(half)).rejects.toMatchObject({ name: 'InvalidArgument' })
  await s3.send(new CreateBucketCommand({ Bucket: 'no-lock' }))
  const elsewhere = new PutObjectCommand({
    Bucket: 'no-lock',
    Key: 'k',
    Body: '',
    ObjectLockMode: 'GOVERNANCE',
    ObjectLockRetainUntilDate: ahead(1),
  })
  await expect(s3.send(elsewhere)).rejects.toMatchObject({ name: 'InvalidRequest' })
  await expect(s3.send(new GetObjectLockConfigurationCommand({ Bucket: 'no-lock' }))).rejects.toMatchObject({
    name: 'ObjectLockConfigurationNotFoundError',
  })
})
