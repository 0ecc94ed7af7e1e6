import { createHmac } from 'node:crypto'
import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { signS3SigV2 } from '@mallee/aws-protocol'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { alice, eventually, mallory, WalrusUnderTest } from './walrus-under-test.ts'

let test: WalrusUnderTest

beforeAll(async () => {
  test = await WalrusUnderTest.start()
  test.cloud.putKey({ ...alice, legacySignatures: true })
  const s3 = test.sdk()
  await s3.send(new CreateBucketCommand({ Bucket: 'old' }))
  await s3.send(new PutObjectCommand({ Bucket: 'old', Key: 'a b', Body: 'hers' }))
  await eventually(async () => (await ask({ path: '/old' })).status === 200)
})
afterAll(() => test.stop())

function ask(options: {
  method?: string
  path: string
  /** What is signed, where it is not what is asked. */
  signedPath?: string
  headers?: Record<string, string>
  body?: string
  as?: typeof alice
}) {
  const { method = 'GET', as = alice } = options
  const [rawPath = '', rawQuery = ''] = (options.signedPath ?? options.path).split('?', 2)
  const headers: Record<string, string> = {
    date: new Date().toUTCString().replace('GMT', '-0000'),
    ...(options.body === undefined ? {} : { 'content-length': String(options.body.length) }),
    ...options.headers,
  }
  const authorization = signS3SigV2({ method, rawPath, rawQuery, headers }, as)
  return test.send({
    method,
    path: options.path,
    headers: { ...headers, authorization },
    ...(options.body === undefined ? {} : { body: options.body }),
  })
}

it('are taken of accounts that may use them, and of no others', async () => {
  expect((await ask({ path: '/old/a%20b' })).text).toBe('hers')
  expect((await ask({ path: '/', as: mallory })).code).toBe('InvalidRequest')
  expect((await ask({ path: '/', as: { ...mallory, accessKeyId: 'AKIANOBODY' } })).code).toBe(
    'InvalidRequest',
  )
  expect((await ask({ path: '/', as: { ...alice, secretAccessKey: 'wrong' } })).code).toBe(
    'SignatureDoesNotMatch',
  )
})

it('cover path, method, date, amz headers, type, MD5 and the parameters that count', async () => {
  const put = { method: 'PUT', path: '/old/new', body: 'new' }
  const headers = {
    'x-amz-meta-b': '2',
    'x-amz-meta-a': '1',
    'x-amz-acl': 'private',
    'content-type': 'text/x',
  }
  expect((await ask({ ...put, headers })).status).toBe(200)
  expect((await ask({ path: '/old/new' })).headers['x-amz-meta-a']).toBe('1')
  expect((await ask({ path: '/old?prefix=n&acl=&max-keys=1' })).text).toContain('AccessControlPolicy')
  expect((await ask({ path: '/old?acl', signedPath: '/old' })).code).toBe('SignatureDoesNotMatch')
  expect((await ask({ path: '/old/a%20b', signedPath: '/old/new' })).code).toBe('SignatureDoesNotMatch')
  const late = new Date(Date.now() - 20 * 60_000).toUTCString()
  expect((await ask({ path: '/old', headers: { date: late } })).code).toBe('RequestTimeTooSkewed')
  const amz = { date: 'long ago', 'x-amz-date': new Date().toUTCString() }
  expect((await ask({ path: '/old', headers: amz })).status).toBe(200)
})

it('are made relative to Eucalyptus’ path by its tools', async () => {
  const path = '/services/objectstorage/old/a%20b'
  expect((await ask({ path })).text).toBe('hers')
  expect((await ask({ path, signedPath: '/old/a%20b' })).text).toBe('hers')
})

it('in the query work until they expire', async () => {
  const query = (expires: number, secret = alice.secretAccessKey) => {
    const text = `GET\n\n\n${expires}\n/old/a%20b`
    const signature = createHmac('sha1', secret).update(text).digest('base64')
    return new URLSearchParams({
      AWSAccessKeyId: alice.accessKeyId,
      Expires: String(expires),
      Signature: signature,
    }).toString()
  }
  const now = Math.floor(Date.now() / 1000)
  expect((await test.send({ path: `/old/a%20b?${query(now + 60)}` })).text).toBe('hers')
  expect((await test.send({ path: `/old/a%20b?${query(now - 60)}` })).code).toBe('AccessDenied')
  expect((await test.send({ path: `/old/a%20b?${query(now + 60, 'x')}` })).code).toBe('SignatureDoesNotMatch')
  expect((await test.send({ path: `/old/a%20b?${query(now + 60)}&Signature=x` })).code).toMatch(
    /AuthorizationQueryParametersError/,
  )
  const both = { authorization: 'AWS a:b' }
  expect((await test.send({ path: `/old/a%20b?${query(now + 60)}`, headers: both })).code).toBe(
    'InvalidArgument',
  )
})
