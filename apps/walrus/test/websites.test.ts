import {
  CreateBucketCommand,
  PutBucketPolicyCommand,
  PutBucketWebsiteCommand,
  PutObjectCommand,
  type S3Client,
  type WebsiteConfiguration,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { WalrusUnderTest } from './walrus-under-test.ts'

let test: WalrusUnderTest
let s3: S3Client
let Bucket = ''
let number = 0

beforeAll(async () => {
  test = await WalrusUnderTest.start()
  s3 = test.sdk()
})
afterAll(() => test.stop())
beforeEach(async () => {
  number += 1
  Bucket = `site-${number}`
  await s3.send(new CreateBucketCommand({ Bucket }))
  const Statement = {
    Effect: 'Allow',
    Principal: '*',
    Action: 's3:GetObject',
    Resource: `arn:aws:s3:::${Bucket}/*`,
  }
  await s3.send(
    new PutBucketPolicyCommand({ Bucket, Policy: JSON.stringify({ Version: '2012-10-17', Statement }) }),
  )
  await put('index.html', '<h1>home</h1>')
  await put('docs/index.html', 'docs')
  await put('error.html', 'sorry')
})

const put = (Key: string, Body: string, more: object = {}) =>
  s3.send(new PutObjectCommand({ Bucket, Key, Body, ContentType: 'text/html', ...more }))
const configure = (WebsiteConfiguration: WebsiteConfiguration) =>
  s3.send(new PutBucketWebsiteCommand({ Bucket, WebsiteConfiguration }))
const visit = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
  test.send({ method, path, headers: { host: `${Bucket}.s3-website-us-east-1.cloud.example`, ...headers } })

it('serves documents, index documents and the page for errors', async () => {
  expect((await visit('/')).code ?? (await visit('/')).text).toContain('NoSuchWebsiteConfiguration')
  await configure({ IndexDocument: { Suffix: 'index.html' }, ErrorDocument: { Key: 'error.html' } })
  const home = await visit('/')
  expect([home.status, home.text, home.headers['content-type']]).toEqual([200, '<h1>home</h1>', 'text/html'])
  expect((await visit('/docs/')).text).toBe('docs')
  const folder = await visit('/docs')
  expect([folder.status, folder.headers.location]).toEqual([302, '/docs/'])
  const missing = await visit('/none')
  expect([missing.status, missing.text]).toEqual([404, 'sorry'])
  expect((await visit('/index.html', { range: 'bytes=1-2' })).text).toBe('h1')
  expect((await visit('/', { 'if-none-match': home.headers.etag as string })).status).toBe(304)
  const head = await visit('/', {}, 'HEAD')
  expect([head.status, head.text]).toEqual([200, ''])
  expect((await visit('/', {}, 'PUT')).status).toBe(405)
})

it('without a page of its own, says what is wrong and escapes it', async () => {
  await configure({ IndexDocument: { Suffix: 'index.html' } })
  const missing = await visit('/%3Cscript%3E')
  expect(missing.status).toBe(404)
  expect(missing.headers['content-type']).toBe('text/html; charset=utf-8')
  expect(missing.text).toContain('Code: NoSuchKey')
  expect(missing.text).not.toContain('<script>')
})

it('shows nobody what is not public', async () => {
  await configure({ IndexDocument: { Suffix: 'index.html' } })
  await s3.send(
    new PutBucketPolicyCommand({
      Bucket,
      Policy: JSON.stringify({
        Version: '2012-10-17',
        Statement: {
          Effect: 'Allow',
          Principal: '*',
          Action: 's3:GetObject',
          Resource: `arn:aws:s3:::${Bucket}/docs/*`,
        },
      }),
    }),
  )
  expect((await visit('/docs/')).status).toBe(200)
  expect((await visit('/')).status).toBe(403)
})

it('sends visitors elsewhere by object, by rule and altogether', async () => {
  await configure({
    IndexDocument: { Suffix: 'index.html' },
    RoutingRules: [
      {
        Condition: { KeyPrefixEquals: 'old/' },
        Redirect: { ReplaceKeyPrefixWith: 'docs/', HttpRedirectCode: '302' },
      },
      {
        Condition: { HttpErrorCodeReturnedEquals: '404' },
        Redirect: { HostName: 'elsewhere.example', Protocol: 'https', ReplaceKeyWith: 'lost é' },
      },
    ],
  })
  await put('moved', '', { WebsiteRedirectLocation: '/docs/' })
  const to = async (path: string) => {
    const answer = await visit(path)
    return [answer.status, answer.headers.location]
  }
  expect(await to('/moved')).toEqual([301, '/docs/'])
  expect(await to('/old/a/b')).toEqual([302, `http://${Bucket}.s3-website-us-east-1.cloud.example/docs/a/b`])
  expect(await to('/none')).toEqual([301, 'https://elsewhere.example/lost%20%C3%A9'])
  await configure({ RedirectAllRequestsTo: { HostName: 'new.example', Protocol: 'https' } })
  expect(await to('/any/thing')).toEqual([301, 'https://new.example/any/thing'])
  await expect(put('bad', '', { WebsiteRedirectLocation: 'javascript:alert(1)' })).rejects.toMatchObject({
    name: 'InvalidRedirectLocation',
  })
})
