import {
  CreateBucketCommand,
  DeleteBucketPolicyCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  DeletePublicAccessBlockCommand,
  GetBucketAclCommand,
  GetBucketOwnershipControlsCommand,
  GetBucketPolicyCommand,
  GetBucketPolicyStatusCommand,
  GetObjectAclCommand,
  GetObjectCommand,
  GetPublicAccessBlockCommand,
  ListObjectsV2Command,
  PutBucketAclCommand,
  PutBucketOwnershipControlsCommand,
  PutBucketPolicyCommand,
  PutObjectAclCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  PutPublicAccessBlockCommand,
  type PublicAccessBlockConfiguration,
  type S3Client,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { alice, mallory, WalrusUnderTest } from './walrus-under-test.ts'

let test: WalrusUnderTest
let s3: S3Client
let theirs: S3Client
let Bucket = ''
let number = 0

beforeAll(async () => {
  test = await WalrusUnderTest.start()
  s3 = test.sdk()
  theirs = test.sdk(mallory)
})
afterAll(() => test.stop())
beforeEach(async () => {
  number += 1
  Bucket = `bucket-${number}`
  await s3.send(new CreateBucketCommand({ Bucket }))
  await s3.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'hers' }))
})

const denied = { name: 'AccessDenied' }
const textOf = async (client: S3Client, Key = 'k') =>
  (await client.send(new GetObjectCommand({ Bucket, Key }))).Body!.transformToString()
const unsigned = (
  path: string,
  more: { method?: string; headers?: Record<string, string>; body?: string } = {},
) => test.send({ path: `/${Bucket}${path}`, ...more })
const policy = (...Statement: object[]) =>
  s3.send(
    new PutBucketPolicyCommand({ Bucket, Policy: JSON.stringify({ Version: '2012-10-17', Statement }) }),
  )
const arn = (key = '') => `arn:aws:s3:::${Bucket}${key}`

describe('a new bucket', () => {
  it('is its owner’s and nobody else’s', async () => {
    await expect(textOf(theirs)).rejects.toMatchObject(denied)
    await expect(theirs.send(new ListObjectsV2Command({ Bucket }))).rejects.toMatchObject(denied)
    for (const path of ['', '/k', '/none', '?acl', '?policy'])
      expect([path, (await unsigned(path)).code]).toEqual([path, 'AccessDenied'])
    expect((await unsigned('/new', { method: 'PUT', body: 'x' })).status).toBe(403)
    expect((await unsigned('/k', { method: 'DELETE' })).status).toBe(403)
    expect((await test.send({ path: '/' })).code).toBe('AccessDenied')
    expect((await test.send({ path: '/none-such' })).code).toBe('NoSuchBucket')
    const acl = await s3.send(new GetBucketAclCommand({ Bucket }))
    expect(acl.Owner?.ID).toBe(alice.canonicalId)
    expect(acl.Grants).toMatchObject([{ Grantee: { ID: alice.canonicalId }, Permission: 'FULL_CONTROL' }])
  })
})

describe('access control lists', () => {
  it('open an object to everybody, to those with an account, and to one account', async () => {
    const set = (more: object) => s3.send(new PutObjectAclCommand({ Bucket, Key: 'k', ...more }))
    await set({ ACL: 'public-read' })
    expect((await unsigned('/k')).text).toBe('hers')
    expect((await unsigned('/k', { method: 'DELETE' })).status).toBe(403)
    await set({ ACL: 'authenticated-read' })
    expect((await unsigned('/k')).status).toBe(403)
    expect(await textOf(theirs)).toBe('hers')
    await set({ ACL: 'private' })
    await expect(textOf(theirs)).rejects.toMatchObject(denied)
    await set({ GrantRead: `id="${mallory.canonicalId}"` })
    expect(await textOf(theirs)).toBe('hers')
    await expect(theirs.send(new GetObjectAclCommand({ Bucket, Key: 'k' }))).rejects.toMatchObject(denied)
    const acl = await s3.send(new GetObjectAclCommand({ Bucket, Key: 'k' }))
    expect(acl.Grants).toEqual([
      {
        Grantee: { Type: 'CanonicalUser', ID: mallory.canonicalId, DisplayName: mallory.accountName },
        Permission: 'READ',
      },
    ])
    // Their owner keeps the say over the list, whatever it says.
    await set({ AccessControlPolicy: { Owner: acl.Owner!, Grants: [] } })
    await set({ ACL: 'private' })
    expect(await textOf(s3)).toBe('hers')
  })

  it('let others write, and what they write is theirs', async () => {
    await s3.send(new PutBucketAclCommand({ Bucket, GrantWrite: `id=${mallory.canonicalId}` }))
    await theirs.send(new PutObjectCommand({ Bucket, Key: 'foreign', Body: 'theirs' }))
    await expect(textOf(s3, 'foreign')).rejects.toMatchObject(denied)
    expect(await textOf(theirs, 'foreign')).toBe('theirs')
    const list = await s3.send(new ListObjectsV2Command({ Bucket, FetchOwner: true, Prefix: 'foreign' }))
    expect(list.Contents?.[0]?.Owner?.ID).toBe(mallory.canonicalId)
    await theirs.send(new PutObjectAclCommand({ Bucket, Key: 'foreign', ACL: 'bucket-owner-full-control' }))
    expect(await textOf(s3, 'foreign')).toBe('theirs')
    await expect(theirs.send(new ListObjectsV2Command({ Bucket }))).rejects.toMatchObject(denied)
    // The bucket is hers: she may delete what is in it, and with one switch everything is hers.
    await s3.send(
      new PutBucketOwnershipControlsCommand({
        Bucket,
        OwnershipControls: { Rules: [{ ObjectOwnership: 'BucketOwnerPreferred' }] },
      }),
    )
    await theirs.send(
      new PutObjectCommand({ Bucket, Key: 'given', Body: 'x', ACL: 'bucket-owner-full-control' }),
    )
    const given = await s3.send(new GetObjectAclCommand({ Bucket, Key: 'given' }))
    expect(given.Owner?.ID).toBe(alice.canonicalId)
    await s3.send(new DeleteObjectCommand({ Bucket, Key: 'foreign' }))
  })

  it('are off where the owner says so', async () => {
    const enforce = new PutBucketOwnershipControlsCommand({
      Bucket,
      OwnershipControls: { Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }] },
    })
    await s3.send(new PutBucketAclCommand({ Bucket, ACL: 'public-read' }))
    await expect(s3.send(enforce)).rejects.toMatchObject({ name: 'InvalidBucketAclWithObjectOwnership' })
    await s3.send(new PutBucketAclCommand({ Bucket, ACL: 'private' }))
    await s3.send(new PutObjectAclCommand({ Bucket, Key: 'k', ACL: 'public-read' }))
    await s3.send(enforce)
    const shown = await s3.send(new GetBucketOwnershipControlsCommand({ Bucket }))
    expect(shown.OwnershipControls?.Rules).toEqual([{ ObjectOwnership: 'BucketOwnerEnforced' }])
    expect((await unsigned('/k')).status).toBe(403)
    const off = { name: 'AccessControlListNotSupported' }
    await expect(
      s3.send(new PutObjectCommand({ Bucket, Key: 'n', Body: '', ACL: 'public-read' })),
    ).rejects.toMatchObject(off)
    await expect(s3.send(new PutBucketAclCommand({ Bucket, ACL: 'public-read' }))).rejects.toMatchObject(off)
    await s3.send(new PutObjectCommand({ Bucket, Key: 'n', Body: '', ACL: 'bucket-owner-full-control' }))
  })

  it('are refused where they say nothing that can be', async () => {
    const bad = async (headers: Record<string, string>, body?: string) =>
      (
        await test.signed({
          method: 'PUT',
          path: `/${Bucket}/k?acl`,
          headers,
          ...(body === undefined ? {} : { body }),
        })
      ).code
    expect(await bad({ 'x-amz-acl': 'everyone' })).toBe('InvalidArgument')
    expect(await bad({ 'x-amz-acl': 'private', 'x-amz-grant-read': 'id=x' })).toBe('InvalidArgument')
    expect(await bad({ 'x-amz-acl': 'private', 'x-amz-grant-read': `id=${alice.canonicalId}` })).toBe(
      'InvalidRequest',
    )
    expect(await bad({ 'x-amz-grant-read': `id=${'9'.repeat(64)}` })).toBe('InvalidArgument')
    expect(await bad({ 'x-amz-grant-read': 'uri=http://example.org/everyone' })).toBe('InvalidArgument')
    expect(await bad({ 'x-amz-grant-read': 'emailAddress=a@b.example' })).toBe(
      'UnresolvableGrantByEmailAddress',
    )
    expect(await bad({})).toBe('MissingSecurityHeader')
    const other = `<AccessControlPolicy><Owner><ID>${mallory.canonicalId}</ID></Owner><AccessControlList></AccessControlList></AccessControlPolicy>`
    expect(await bad({}, other)).toBe('AccessDenied')
  })

  it('of bundle tools are taken', async () => {
    for (const acl of ['aws-exec-read', 'ec2-bundle-read']) {
      const put = await test.signed({
        method: 'PUT',
        path: `/${Bucket}/${acl}`,
        headers: { 'x-amz-acl': acl },
        body: 'part',
      })
      expect(put.status).toBe(200)
      expect((await unsigned(`/${acl}`)).status).toBe(403)
    }
  })
})

describe('a bucket’s policy', () => {
  it('opens what it names, to whom it names, on its conditions', async () => {
    await policy(
      { Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: arn('/public/*') },
      {
        Effect: 'Allow',
        Principal: { AWS: mallory.accountId },
        Action: ['s3:ListBucket'],
        Resource: arn(),
        Condition: { StringEquals: { 's3:prefix': 'public/' } },
      },
    )
    await s3.send(new PutObjectCommand({ Bucket, Key: 'public/a', Body: 'open' }))
    expect((await unsigned('/public/a')).text).toBe('open')
    expect((await unsigned('/public/none')).status).toBe(403)
    expect((await unsigned('/k')).status).toBe(403)
    expect((await theirs.send(new ListObjectsV2Command({ Bucket, Prefix: 'public/' }))).KeyCount).toBe(1)
    await expect(theirs.send(new ListObjectsV2Command({ Bucket }))).rejects.toMatchObject(denied)
    expect((await s3.send(new GetBucketPolicyStatusCommand({ Bucket }))).PolicyStatus?.IsPublic).toBe(true)
    await s3.send(new DeleteBucketPolicyCommand({ Bucket }))
    expect((await unsigned('/public/a')).status).toBe(403)
    await expect(s3.send(new GetBucketPolicyCommand({ Bucket }))).rejects.toMatchObject({
      name: 'NoSuchBucketPolicy',
    })
  })

  it('denies even the owner, who can still take it back', async () => {
    await policy({ Effect: 'Deny', Principal: '*', Action: 's3:*', Resource: [arn(), arn('/*')] })
    await expect(textOf(s3)).rejects.toMatchObject(denied)
    await expect(s3.send(new ListObjectsV2Command({ Bucket }))).rejects.toMatchObject(denied)
    const many = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: 'k' }] } }))
    expect(many.Errors).toMatchObject([{ Key: 'k', Code: 'AccessDenied' }])
    expect((await s3.send(new GetBucketPolicyCommand({ Bucket }))).Policy).toContain('Deny')
    await s3.send(new DeleteBucketPolicyCommand({ Bucket }))
    expect(await textOf(s3)).toBe('hers')
  })

  it('knows transport, tags and what a request asks for', async () => {
    await policy(
      {
        Effect: 'Deny',
        Principal: '*',
        Action: 's3:PutObject',
        Resource: arn('/*'),
        Condition: { StringNotEquals: { 's3:x-amz-server-side-encryption': 'AES256' } },
      },
      {
        Effect: 'Allow',
        Principal: '*',
        Action: 's3:GetObject',
        Resource: arn('/*'),
        Condition: { StringEquals: { 's3:ExistingObjectTag/open': 'yes' } },
      },
      {
        Effect: 'Deny',
        Principal: '*',
        Action: 's3:GetObject',
        Resource: arn('/secure/*'),
        Condition: { Bool: { 'aws:SecureTransport': 'false' } },
      },
    )
    await expect(s3.send(new PutObjectCommand({ Bucket, Key: 'p', Body: 'p' }))).rejects.toMatchObject(denied)
    await s3.send(new PutObjectCommand({ Bucket, Key: 'p', Body: 'p', ServerSideEncryption: 'AES256' }))
    expect((await unsigned('/p')).status).toBe(403)
    await s3.send(
      new PutObjectTaggingCommand({ Bucket, Key: 'p', Tagging: { TagSet: [{ Key: 'open', Value: 'yes' }] } }),
    )
    expect((await unsigned('/p')).text).toBe('p')
    const Key = 'secure/a'
    await s3.send(new PutObjectCommand({ Bucket, Key, Body: 's', ServerSideEncryption: 'AES256' }))
    await expect(textOf(s3, Key)).rejects.toMatchObject(denied)
    const throughDoor = { 'x-mallee-source': '198.51.100.7', 'x-mallee-secure': 'true' }
    expect((await test.signed({ path: `/${Bucket}/${Key}`, headers: throughDoor })).text).toBe('s')
  })

  it('believes the front door of this machine where a request came from', async () => {
    await policy({
      Effect: 'Allow',
      Principal: '*',
      Action: 's3:GetObject',
      Resource: arn('/*'),
      Condition: { IpAddress: { 'aws:SourceIp': '198.51.100.0/24' } },
    })
    expect((await unsigned('/k')).status).toBe(403)
    expect((await unsigned('/k', { headers: { 'x-mallee-source': '198.51.100.7' } })).text).toBe('hers')
    expect((await unsigned('/k', { headers: { 'x-mallee-source': '198.51.101.7' } })).status).toBe(403)
  })

  it('is refused where it is none', async () => {
    const put = async (Policy: string) => {
      const answer = await test.signed({ method: 'PUT', path: `/${Bucket}?policy`, body: Policy })
      return answer.code
    }
    const with1 = (statement: object) =>
      put(JSON.stringify({ Version: '2012-10-17', Statement: [statement] }))
    const good = { Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: arn('/*') }
    expect(await with1(good)).toBeUndefined()
    expect(await put('')).toBe('MissingRequestBodyError')
    expect(await put('nonsense')).toBe('MalformedPolicy')
    expect(await with1({ ...good, Resource: 'arn:aws:s3:::another/*' })).toBe('MalformedPolicy')
    expect(await with1({ ...good, Action: 's3:Fly' })).toBe('MalformedPolicy')
    expect(await with1({ ...good, Action: 's3:ListBucket' })).toBe('MalformedPolicy')
    expect(await with1({ ...good, Principal: { AWS: '999999999999' } })).toBe('MalformedPolicy')
    expect(await with1({ ...good, Extra: 1 })).toBe('MalformedPolicy')
    expect(await put(JSON.stringify({ ...good, Statement: [good], Id: 'x'.repeat(21_000) }))).toBe(
      'MalformedPolicy',
    )
  })
})

describe('Block Public Access', () => {
  const block = (more: PublicAccessBlockConfiguration) =>
    s3.send(new PutPublicAccessBlockCommand({ Bucket, PublicAccessBlockConfiguration: more }))

  it('refuses, ignores and restricts what is public', async () => {
    await s3.send(new PutObjectAclCommand({ Bucket, Key: 'k', ACL: 'public-read' }))
    expect((await unsigned('/k')).status).toBe(200)
    await block({ IgnorePublicAcls: true })
    expect((await unsigned('/k')).status).toBe(403)
    await block({ BlockPublicAcls: true })
    expect((await unsigned('/k')).status).toBe(200)
    await expect(
      s3.send(new PutObjectCommand({ Bucket, Key: 'n', Body: '', ACL: 'public-read' })),
    ).rejects.toMatchObject(denied)
    const open = { Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: arn('/*') }
    await block({ BlockPublicPolicy: true })
    await expect(policy(open)).rejects.toMatchObject(denied)
    await s3.send(new DeletePublicAccessBlockCommand({ Bucket }))
    await s3.send(new PutObjectAclCommand({ Bucket, Key: 'k', ACL: 'private' }))
    await policy(open)
    expect((await unsigned('/k')).status).toBe(200)
    await block({ RestrictPublicBuckets: true })
    expect((await unsigned('/k')).status).toBe(403)
    await expect(textOf(theirs)).rejects.toMatchObject(denied)
    expect(await textOf(s3)).toBe('hers')
    const shown = await s3.send(new GetPublicAccessBlockCommand({ Bucket }))
    expect(shown.PublicAccessBlockConfiguration).toMatchObject({
      RestrictPublicBuckets: true,
      BlockPublicAcls: false,
    })
  })

  it('is on in every new bucket where the administrator wants it', async () => {
    const modern = await WalrusUnderTest.start(undefined, { modernBuckets: true })
    try {
      const client = modern.sdk()
      await client.send(new CreateBucketCommand({ Bucket: 'modern' }))
      const shown = await client.send(new GetPublicAccessBlockCommand({ Bucket: 'modern' }))
      expect(shown.PublicAccessBlockConfiguration?.BlockPublicAcls).toBe(true)
      await expect(
        client.send(new PutBucketAclCommand({ Bucket: 'modern', ACL: 'public-read' })),
      ).rejects.toMatchObject({ name: 'AccessControlListNotSupported' })
      const classic = new CreateBucketCommand({ Bucket: 'classic', ObjectOwnership: 'ObjectWriter' })
      await client.send(classic)
      await client.send(new DeletePublicAccessBlockCommand({ Bucket: 'classic' }))
      await client.send(new PutBucketAclCommand({ Bucket: 'classic', ACL: 'public-read' }))
    } finally {
      await modern.stop()
    }
  })
})

it('who pays is asked where the owner wants it', async () => {
  await policy({ Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: arn('/*') })
  const pay = '<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>'
  expect((await test.signed({ method: 'PUT', path: `/${Bucket}?requestPayment`, body: pay })).status).toBe(
    200,
  )
  await expect(textOf(theirs)).rejects.toMatchObject(denied)
  expect((await unsigned('/k', { headers: { 'x-amz-request-payer': 'requester' } })).status).toBe(403)
  const paid = await theirs.send(new GetObjectCommand({ Bucket, Key: 'k', RequestPayer: 'requester' }))
  expect(await paid.Body!.transformToString()).toBe('hers')
  expect(await textOf(s3)).toBe('hers')
})
