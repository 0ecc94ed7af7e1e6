import { createHash, createHmac, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { alice, eventually, WalrusUnderTest, type Reply } from './walrus-under-test.ts'

/**
 * The S3 and bundle commands of euca2ools 3.4, sent as that client sends them: `AWS key:signature` over the path behind the
 * S3 URL, a date with `-0000`, few parameters in the signature, ACLs of bundles; and with s3-force-sigv4.
 */
let test: WalrusUnderTest
const s3Path = '/services/objectstorage'

beforeAll(async () => {
  test = await WalrusUnderTest.start()
  test.cloud.putKey({ ...alice, legacySignatures: true })
  await eventually(async () => (await euca('GET', '/')).status === 200)
})
afterAll(() => test.stop())

/** Parameters that requestbuilder's HmacV1 signs. */
const hashed = new Set(
  'acl lifecycle location logging notification partNumber policy requestPayment torrent uploadId uploads versionId versioning versions website'.split(
    ' ',
  ),
)

function euca(
  method: string,
  target: string,
  more: { headers?: Record<string, string>; body?: string } = {},
) {
  const [path = '', query = ''] = target.split('?', 2)
  const headers: Record<string, string> = {
    'user-agent': 'euca2ools/3.4.1 (Python 2.7.5)',
    'accept-encoding': 'identity',
    accept: '*/*',
    date: new Date().toUTCString().replace('GMT', '-0000'),
    ...(more.body === undefined ? {} : { 'content-length': String(more.body.length) }),
    ...more.headers,
  }
  const signed = query.split('&').filter((part) => hashed.has(part.split('=')[0]!))
  const amz = Object.entries(headers)
    .filter(([name]) => name.startsWith('x-amz-'))
    .toSorted()
    .map(([name, value]) => `${name}:${value}\n`)
  const text = [
    method,
    headers['content-md5'] ?? '',
    headers['content-type'] ?? '',
    headers['date'],
    `${amz.join('')}${path}${signed.length > 0 ? `?${signed.toSorted().join('&')}` : ''}`,
  ].join('\n')
  const signature = createHmac('sha1', alice.secretAccessKey).update(text).digest('base64')
  return test.send({
    method,
    path: `${s3Path}${target}`,
    headers: { ...headers, authorization: `AWS ${alice.accessKeyId}:${signature}` },
    ...(more.body === undefined ? {} : { body: more.body }),
  })
}

/** The client's way to read an error: root, perhaps Errors, Error, Code and Message. */
const codeOf = ({ text }: Reply) =>
  /^(?:<\?xml[^>]*>)?\s*<Error>.*<Code>(\w+)<\/Code>.*<Message>[^<]+<\/Message>/s.exec(text)?.[1]

const bucket = '/bundles'
const part = randomBytes(50_000)
  .toString('latin1')
  .replaceAll(/[^\x20-\x7e]/g, '.')

it('euca-upload-bundle: looks for the bucket, makes it, puts parts and manifest', async () => {
  const looked = await euca('GET', `${bucket}?max-keys=0`)
  expect([looked.status, codeOf(looked)]).toEqual([404, 'NoSuchBucket'])
  expect((await euca('PUT', bucket)).status).toBe(200)
  expect((await euca('GET', `${bucket}?max-keys=0`)).status).toBe(200)
  for (const acl of ['aws-exec-read', 'public-read', 'ec2-bundle-read'])
    for (const name of ['image.part.00', 'image.part.01', 'image.manifest.xml']) {
      const put = await euca('PUT', `${bucket}/${name}`, { headers: { 'x-amz-acl': acl }, body: part })
      expect(put.status).toBe(200)
      expect(put.headers.etag).toBe(`"${createHash('md5').update(part).digest('hex')}"`)
    }
})

it('euca-upload-bundle --policy: sends forms', async () => {
  const policy = Buffer.from(
    JSON.stringify({
      expiration: new Date(Date.now() + 86_400_000).toISOString().replace(/\.\d+/, ''),
      conditions: [{ acl: 'ec2-bundle-read' }, { bucket: 'bundles' }, ['starts-with', '$key', 'image']],
    }),
  ).toString('base64')
  const signature = createHmac('sha1', alice.secretAccessKey).update(policy).digest('base64')
  const fields = {
    acl: 'ec2-bundle-read',
    key: 'image.part.02',
    AWSAccessKeyId: alice.accessKeyId,
    Policy: policy,
    Signature: signature,
  }
  const body =
    Object.entries(fields)
      .map(([name, value]) => `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`)
      .join('') +
    `--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n${part}\r\n--b--\r\n`
  const sent = await test.send({
    method: 'POST',
    path: `${s3Path}${bucket}`,
    headers: { 'content-type': 'multipart/form-data; boundary=b', 'content-length': String(body.length) },
    body,
  })
  expect(sent.status).toBe(204)
})

it('euca-download-bundle: lists, looks and gets', async () => {
  const list = await euca('GET', `${bucket}?prefix=image`)
  expect([...list.text.matchAll(/<Key>([^<]*)<\/Key>/g)].map((match) => match[1])).toEqual([
    'image.manifest.xml',
    'image.part.00',
    'image.part.01',
    'image.part.02',
  ])
  const head = await euca('HEAD', `${bucket}/image.part.02`)
  expect([head.status, head.headers['content-length']]).toEqual([200, String(part.length)])
  expect((await euca('GET', `${bucket}/image.part.02`)).body.toString('latin1')).toBe(part)
  expect(codeOf(await euca('GET', `${bucket}/none`))).toBe('NoSuchKey')
})

it('euca-delete-bundle: removes parts, manifest and bucket', async () => {
  expect(codeOf(await euca('DELETE', bucket))).toBe('BucketNotEmpty')
  for (const name of ['image.part.00', 'image.part.01', 'image.part.02', 'image.manifest.xml'])
    expect((await euca('DELETE', `${bucket}/${name}`)).status).toBe(204)
  expect((await euca('DELETE', bucket)).status).toBe(204)
  expect(await test.files()).toEqual([])
})

it('with s3-force-sigv4 the same path is signed by Version 4', async () => {
  const put = await test.signed({ method: 'PUT', path: `${s3Path}/by-four` })
  expect(put.status).toBe(200)
  expect((await test.signed({ path: `${s3Path}/by-four?max-keys=0` })).status).toBe(200)
})
