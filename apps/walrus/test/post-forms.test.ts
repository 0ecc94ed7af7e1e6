import { createHmac } from 'node:crypto'
import {
  CreateBucketCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { alice, mallory, WalrusUnderTest } from './walrus-under-test.ts'

let test: WalrusUnderTest
let s3: S3Client
const Bucket = 'forms'

beforeAll(async () => {
  test = await WalrusUnderTest.start()
  s3 = test.sdk()
  await s3.send(new CreateBucketCommand({ Bucket }))
})
afterAll(() => test.stop())

const boundary = 'the-boundary'
type Fields = Record<string, string>

function post(fields: Fields, file: string | null, more: { bucket?: string; after?: Fields } = {}) {
  const part = (name: string, value: string, extra = '') =>
    `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${extra}\r\n\r\n${value}\r\n`
  const body =
    Object.entries(fields)
      .map(([name, value]) => part(name, value))
      .join('') +
    (file === null ? '' : part('file', file, '; filename="C:\\dir\\photo.jpg"\r\nContent-Type: image/jpeg')) +
    Object.entries(more.after ?? {})
      .map(([name, value]) => part(name, value))
      .join('') +
    `--${boundary}--\r\n`
  return test.send({
    method: 'POST',
    path: `/${more.bucket ?? Bucket}`,
    headers: {
      'content-type': `multipart/form-data; boundary=${boundary}`,
      'content-length': String(Buffer.byteLength(body)),
    },
    body,
  })
}

const inAnHour = () => new Date(Date.now() + 3_600_000).toISOString()

/** The fields that a signed form has, by Version 4. */
function signed(
  conditions: unknown[],
  fields: Fields,
  over: { expiration?: string; key?: typeof alice } = {},
): Fields {
  const { accessKeyId, secretAccessKey } = over.key ?? alice
  const amzDate = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '')
  const day = amzDate.slice(0, 8)
  const credential = `${accessKeyId}/${day}/us-east-1/s3/aws4_request`
  const own = {
    'x-amz-algorithm': 'AWS4-HMAC-SHA256',
    'x-amz-credential': credential,
    'x-amz-date': amzDate,
  }
  const all = [...conditions, ...Object.entries(own).map(([name, value]) => ({ [name]: value }))]
  const policy = Buffer.from(
    JSON.stringify({ expiration: over.expiration ?? inAnHour(), conditions: all }),
  ).toString('base64')
  const hmac = (key: Buffer | string, text: string) => createHmac('sha256', key).update(text).digest()
  const signingKey = hmac(hmac(hmac(hmac(`AWS4${secretAccessKey}`, day), 'us-east-1'), 's3'), 'aws4_request')
  return { ...fields, ...own, policy, 'x-amz-signature': hmac(signingKey, policy).toString('hex') }
}

const conditions = [
  { bucket: Bucket },
  ['starts-with', '$key', 'user/'],
  ['content-length-range', 1, 20],
  ['starts-with', '$x-amz-meta-tag', ''],
]

it('stores the file as the form says', async () => {
  const fields = signed(conditions, { key: 'user/${filename}', 'x-amz-meta-tag': 'blue' })
  const answer = await post(fields, 'the picture', { after: { submit: 'now' } })
  expect([answer.status, answer.text]).toEqual([204, ''])
  const got = await s3.send(new GetObjectCommand({ Bucket, Key: 'user/photo.jpg' }))
  expect(await got.Body!.transformToString()).toBe('the picture')
  // What the file part says of its type is covered by no condition, and not believed.
  expect(got).toMatchObject({ Metadata: { tag: 'blue' }, ContentType: 'binary/octet-stream' })
})

it('answers as the form wishes, and takes its tags', async () => {
  const tagging = '<Tagging><TagSet><Tag><Key>a b</Key><Value>c=d</Value></Tag></TagSet></Tagging>'
  const more = [...conditions, ['starts-with', '$success_action_status', ''], ['starts-with', '$tagging', '']]
  const created = await post(
    signed(more, { key: 'user/x', 'x-amz-meta-tag': '', success_action_status: '201', tagging }),
    'x',
  )
  expect(created.status).toBe(201)
  expect(created.text).toContain('<Bucket>forms</Bucket><Key>user/x</Key>')
  const tags = await s3.send(new GetObjectTaggingCommand({ Bucket, Key: 'user/x' }))
  expect(tags.TagSet).toEqual([{ Key: 'a b', Value: 'c=d' }])
  const redirect = 'http://pages.example/done?from=form'
  const sent = await post(
    signed([...conditions, { success_action_redirect: redirect }], {
      key: 'user/y',
      'x-amz-meta-tag': '',
      success_action_redirect: redirect,
    }),
    'y',
  )
  expect([sent.status, sent.headers.location]).toEqual([
    303,
    expect.stringContaining(`${redirect}&bucket=forms&key=user%2Fy&etag=`),
  ])
})

it('takes the older signature of upload policies', async () => {
  const policy = Buffer.from(
    JSON.stringify({
      expiration: inAnHour(),
      conditions: [{ acl: 'ec2-bundle-read' }, { bucket: Bucket }, ['starts-with', '$key', 'img.part']],
    }),
  ).toString('base64')
  const signature = createHmac('sha1', alice.secretAccessKey).update(policy).digest('base64')
  const fields = { key: 'img.part.00', acl: 'ec2-bundle-read', AWSAccessKeyId: alice.accessKeyId, policy }
  expect((await post({ ...fields, signature }, 'part')).status).toBe(204)
  expect((await post({ ...fields, signature: signature.toLowerCase() }, 'part')).code).toBe(
    'SignatureDoesNotMatch',
  )
})

it('refuses what the policy does not cover', async () => {
  const good = { key: 'user/z', 'x-amz-meta-tag': '' }
  const refused = async (fields: Fields, file: string | null, bucket?: string) =>
    (await post(fields, file, bucket === undefined ? {} : { bucket })).code
  expect(await refused(signed(conditions, { ...good, key: 'other/z' }), 'z')).toBe('AccessDenied')
  expect(await refused(signed(conditions, { ...good, acl: 'public-read' }), 'z')).toBe('AccessDenied')
  expect(await refused(signed(conditions, good), 'z'.repeat(21))).toBe('EntityTooLarge')
  expect(await refused(signed(conditions, good), '')).toBe('EntityTooSmall')
  expect(await refused(signed(conditions, good, { expiration: '2020-01-01T00:00:00Z' }), 'z')).toBe(
    'AccessDenied',
  )
  expect(await refused(signed(conditions, good, { key: mallory }), 'z')).toBe('AccessDenied')
  expect(await refused({ ...signed(conditions, good), policy: 'e30=' }, 'z')).toBe('SignatureDoesNotMatch')
  expect(await refused(signed(['what'], good), 'z')).toBe('InvalidPolicyDocument')
  expect(await refused(signed(conditions, { 'x-amz-meta-tag': '' }), 'z')).toBe('AccessDenied')
  expect(await refused(signed(conditions, good), null)).toBe('MalformedPOSTRequest')
  expect(await refused({ key: 'user/z' }, 'z')).toBe('AccessDenied')
  expect(await refused(signed(conditions, good), 'z', 'none-such')).toBe('AccessDenied')
  expect(await refused({ key: 'k' }, 'z', 'none-such')).toBe('NoSuchBucket')
  expect(await refused({ filler: 'x'.repeat(30_000), ...good }, 'z')).toBe(
    'MaxPostPreDataLengthExceededError',
  )
  const list = await test.signed({ path: `/${Bucket}?prefix=user/z` })
  expect(list.text).not.toContain('<Key>')
  expect((await test.files()).length).toBe(4)
})

it('of nobody writes where everybody may', async () => {
  await s3.send(new CreateBucketCommand({ Bucket: 'open-forms', ACL: 'public-read-write' }))
  expect((await post({ key: 'k' }, 'from anybody', { bucket: 'open-forms' })).status).toBe(204)
})
