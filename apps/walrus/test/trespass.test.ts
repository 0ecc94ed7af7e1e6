import { createHash } from 'node:crypto'
import {
  CompleteMultipartUploadCommand,
  AbortMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectTaggingCommand,
  ListPartsCommand,
  PutBucketAclCommand,
  PutBucketPolicyCommand,
  PutObjectCommand,
  UploadPartCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { signS3SigV2 } from '@mallee/aws-protocol'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { alice, eventually, mallory, WalrusUnderTest } from './walrus-under-test.ts'

/** Ways past the gate that a hostile reader found; each was open once. */
let test: WalrusUnderTest
let s3: S3Client
let theirs: S3Client
let Bucket = ''
let number = 0

beforeAll(async () => {
  test = await WalrusUnderTest.start()
  test.cloud.putKey({ ...alice, legacySignatures: true })
  s3 = test.sdk()
  theirs = test.sdk(mallory)
})
afterAll(() => test.stop())
beforeEach(async () => {
  number += 1
  Bucket = `ours-${number}`
  await s3.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: number === 1 }))
})

const denied = { name: 'AccessDenied' }
const policy = (...Statement: object[]) =>
  s3.send(
    new PutBucketPolicyCommand({ Bucket, Policy: JSON.stringify({ Version: '2012-10-17', Statement }) }),
  )
const arn = () => `arn:aws:s3:::${Bucket}/*`
const them = { AWS: mallory.accountId }

it('who may read an object learns of its tags and locks only what it may ask for', async () => {
  const locked = `${Bucket}-locked`
  await s3.send(new CreateBucketCommand({ Bucket: locked, ObjectLockEnabledForBucket: true }))
  const { VersionId } = await s3.send(
    new PutObjectCommand({
      ...{ Bucket: locked, Key: 'k', Body: 'x', Tagging: 'a=b' },
      ...{ ObjectLockMode: 'GOVERNANCE', ObjectLockRetainUntilDate: new Date(Date.now() + 9e10) },
      ObjectLockLegalHoldStatus: 'ON',
    }),
  )
  const told = ['x-amz-tagging-count', 'x-amz-object-lock-mode', 'x-amz-object-lock-legal-hold']
  const seen = async (path: string, method = 'GET', as = mallory) => {
    const { status, headers } = await test.signed({ method, path, as })
    expect(status).toBe(200)
    return told.filter((name) => headers[name] !== undefined)
  }
  const latest = `/${locked}/k`
  const version = `${latest}?versionId=${VersionId}`
  const may = (...Action: string[]) => {
    const Statement = [{ Effect: 'Allow', Principal: them, Action, Resource: `arn:aws:s3:::${locked}/*` }]
    const Policy = JSON.stringify({ Version: '2012-10-17', Statement })
    return s3.send(new PutBucketPolicyCommand({ Bucket: locked, Policy }))
  }
  const read = ['s3:GetObject', 's3:GetObjectVersion']
  await may(...read)
  expect([await seen(latest), await seen(version), await seen(latest, 'HEAD')]).toEqual([[], [], []])
  for (const method of ['GET', 'HEAD']) expect(await seen(latest, method, alice)).toEqual(told)
  await may(...read, 's3:GetObjectTagging')
  expect([await seen(latest), await seen(version)]).toEqual([told.slice(0, 1), []])
  await may(...read, 's3:GetObjectVersionTagging', 's3:GetObjectRetention')
  expect([await seen(latest), await seen(version)]).toEqual([told.slice(1, 2), told.slice(0, 2)])
  await may(...read, 's3:GetObjectLegalHold')
  expect(await seen(latest)).toEqual(told.slice(2))
})

it('who may write by the bucket’s list locks and tags nothing', async () => {
  await s3.send(new PutBucketAclCommand({ Bucket, ACL: 'public-read-write' }))
  const put = (headers: Record<string, string>) =>
    test.send({ method: 'PUT', path: `/${Bucket}/evil`, headers, body: 'x' })
  const until = new Date(Date.now() + 9e10).toISOString()
  const lock = { 'x-amz-object-lock-mode': 'COMPLIANCE', 'x-amz-object-lock-retain-until-date': until }
  expect((await put(lock)).code).toBe('AccessDenied')
  expect((await put({ 'x-amz-object-lock-legal-hold': 'ON' })).code).toBe('AccessDenied')
  expect((await put({ 'x-amz-tagging': 'a=b' })).code).toBe('AccessDenied')
  expect((await put({ 'x-amz-acl': 'public-read' })).status).toBe(200)
})

it('a form is judged by its fields, and not by the headers beside it', async () => {
  await s3.send(new PutBucketAclCommand({ Bucket, ACL: 'public-read-write' }))
  await policy({
    Effect: 'Deny',
    Principal: '*',
    Action: 's3:PutObject',
    Resource: arn(),
    Condition: { StringEquals: { 's3:x-amz-acl': 'public-read' } },
  })
  const form = (acl: string, headers: Record<string, string> = {}) => {
    const field = (name: string, value: string) =>
      `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`
    const body = `${field('key', 'k')}${field('acl', acl)}${field('file', 'x')}--b--\r\n`
    return test.send({
      method: 'POST',
      path: `/${Bucket}`,
      headers: {
        'content-type': 'multipart/form-data; boundary=b',
        'content-length': String(body.length),
        ...headers,
      },
      body,
    })
  }
  expect((await form('public-read')).code).toBe('AccessDenied')
  expect((await form('public-read', { 'x-amz-acl': 'private' })).code).toBe('AccessDenied')
  expect((await form('private', { 'x-amz-acl': 'public-read' })).status).toBe(204)
})

it('tags go with a copy only to who may read them', async () => {
  await s3.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'x', Tagging: 'secret=42' }))
  await policy({ Effect: 'Allow', Principal: them, Action: 's3:GetObject', Resource: arn() })
  const mine = `theirs-${number}`
  await theirs.send(new CreateBucketCommand({ Bucket: mine }))
  const copy = (more: object) =>
    theirs.send(new CopyObjectCommand({ Bucket: mine, Key: 'k', CopySource: `${Bucket}/k`, ...more }))
  await expect(copy({})).rejects.toMatchObject(denied)
  await copy({ TaggingDirective: 'REPLACE' })
  const tags = await theirs.send(new GetObjectTaggingCommand({ Bucket: mine, Key: 'k' }))
  expect(tags.TagSet).toEqual([])
})

it('an upload is its initiator’s, and nobody’s who only may write', async () => {
  await s3.send(new PutBucketAclCommand({ Bucket, ACL: 'public-read-write' }))
  expect((await test.send({ method: 'POST', path: `/${Bucket}/m?uploads` })).code).toBe('AccessDenied')
  const { UploadId } = await theirs.send(new CreateMultipartUploadCommand({ Bucket, Key: 'm' }))
  const at = { Bucket, Key: 'm', UploadId: UploadId! }
  const stranger = (method: string, query: string, body?: string) =>
    test.send({
      method,
      path: `/${Bucket}/m?${query}uploadId=${UploadId}`,
      ...(body === undefined ? {} : { body }),
    })
  expect((await stranger('PUT', 'partNumber=1&', 'x')).code).toBe('AccessDenied')
  expect((await stranger('DELETE', '')).code).toBe('AccessDenied')
  expect((await test.send({ path: `/${Bucket}/m?uploadId=${UploadId}` })).code).toBe('AccessDenied')
  const { ETag } = await theirs.send(new UploadPartCommand({ ...at, PartNumber: 1, Body: 'theirs' }))
  const parts = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${ETag}</ETag></Part></CompleteMultipartUpload>`
  expect((await stranger('POST', '', parts)).code).toBe('AccessDenied')
  expect((await theirs.send(new ListPartsCommand(at))).Parts).toHaveLength(1)
  await theirs.send(
    new CompleteMultipartUploadCommand({
      ...at,
      MultipartUpload: { Parts: [{ PartNumber: 1, ETag: ETag! }] },
    }),
  )
  const other = await theirs.send(new CreateMultipartUploadCommand({ Bucket, Key: 'n' }))
  await theirs.send(new AbortMultipartUploadCommand({ Bucket, Key: 'n', UploadId: other.UploadId! }))
})

it('an older signed address takes no second spelling of a header', async () => {
  const expires = Math.floor(Date.now() / 1000) + 60
  await eventually(async () => {
    const date = new Date().toUTCString()
    const authorization = signS3SigV2({ method: 'GET', rawPath: '/', rawQuery: '', headers: { date } }, alice)
    return (await test.send({ path: '/', headers: { date, authorization } })).status === 200
  })
  const { createHmac } = await import('node:crypto')
  const text = `PUT\n\n\n${expires}\nx-amz-acl:private\n/${Bucket}/k`
  const signature = encodeURIComponent(
    createHmac('sha1', alice.secretAccessKey).update(text).digest('base64'),
  )
  const signed = `AWSAccessKeyId=${alice.accessKeyId}&Expires=${expires}&Signature=${signature}&x-amz-acl=private`
  const put = (query: string) => test.send({ method: 'PUT', path: `/${Bucket}/k?${query}`, body: 'x' })
  expect((await put(`X-Amz-Acl=public-read&${signed}`)).code).toBe('AuthorizationQueryParametersError')
  expect((await put(signed)).status).toBe(200)
})

it('a condition tells nothing of what one may not read', async () => {
  await s3.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'guess me' }))
  await policy({
    Effect: 'Allow',
    Principal: them,
    Action: ['s3:PutObject', 's3:DeleteObject'],
    Resource: arn(),
  })
  const etag = createHash('md5').update('guess me').digest('hex')
  for (const IfMatch of [`"${etag}"`, '"0123456789abcdef0123456789abcdef"']) {
    await expect(
      theirs.send(
        new PutObjectCommand({
          Bucket,
          Key: 'k',
          Body: 'x',
          IfMatch,
          ContentMD5: 'AAAAAAAAAAAAAAAAAAAAAA==',
        }),
      ),
    ).rejects.toMatchObject(denied)
    await expect(theirs.send(new DeleteObjectCommand({ Bucket, Key: 'k', IfMatch }))).rejects.toMatchObject(
      denied,
    )
  }
})

it('whom a policy lets write may write a key twice, and delete it', async () => {
  await policy({
    Effect: 'Allow',
    Principal: them,
    Action: ['s3:PutObject', 's3:DeleteObject'],
    Resource: arn(),
  })
  await theirs.send(new PutObjectCommand({ Bucket, Key: 'k', Body: '1' }))
  await theirs.send(new PutObjectCommand({ Bucket, Key: 'k', Body: '2' }))
  await theirs.send(new DeleteObjectCommand({ Bucket, Key: 'k' }))
})

it('strangers set no headers of what is public, and nothing that a header cannot hold hangs', async () => {
  await policy({ Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: arn() })
  await s3.send(new PutObjectCommand({ Bucket, Key: 'p', Body: 'x'.repeat(100_000) }))
  const odd = `/${Bucket}/p?response-content-type=${encodeURIComponent('日本')}`
  expect((await test.send({ path: odd })).code).toBe('InvalidRequest')
  expect((await test.signed({ path: odd })).code).toBe('InvalidArgument')
  expect((await test.send({ path: `/${Bucket}/p` })).status).toBe(200)
  const cors =
    '<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin><ExposeHeader>日本</ExposeHeader></CORSRule></CORSConfiguration>'
  expect((await test.signed({ method: 'PUT', path: `/${Bucket}?cors`, body: cors })).code).toBe(
    'MalformedXML',
  )
})

it('a key under a bucket that the host names is a key, whatever it looks like', async () => {
  const headers = { host: `${Bucket}.s3.cloud.example` }
  const put = { method: 'PUT', path: '/services/Walrus/x', headers, body: 'x' }
  expect((await test.signed(put)).status).toBe(200)
  expect((await test.signed({ path: `/${Bucket}/services/Walrus/x` })).text).toBe('x')
})

it('a policy whose values are no strings is none', async () => {
  const conditions = [['eq', '$key', { toString: 1 }], { bucket: Bucket }]
  const document = { expiration: new Date(Date.now() + 60_000).toISOString(), conditions }
  const Policy = Buffer.from(JSON.stringify(document)).toString('base64')
  const { createHmac } = await import('node:crypto')
  const fields = {
    key: 'k',
    AWSAccessKeyId: alice.accessKeyId,
    Policy,
    Signature: createHmac('sha1', alice.secretAccessKey).update(Policy).digest('base64'),
    file: 'x',
  }
  const body = `${Object.entries(fields)
    .map(([name, value]) => `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`)
    .join('')}--b--\r\n`
  const answer = await test.send({
    method: 'POST',
    path: `/${Bucket}`,
    headers: { 'content-type': 'multipart/form-data; boundary=b', 'content-length': String(body.length) },
    body,
  })
  expect(answer.code).toBe('InvalidPolicyDocument')
})
