import { createHash, randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  UploadPartCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually, WalrusUnderTest } from './walrus-under-test.ts'

let test: WalrusUnderTest
let s3: S3Client
const Bucket = 'hostile'

beforeAll(async () => {
  test = await WalrusUnderTest.start()
  s3 = test.sdk()
  await s3.send(new CreateBucketCommand({ Bucket }))
})
afterAll(() => test.stop())

const put = (path: string, more: { headers?: Record<string, string>; body?: string } = {}) =>
  test.signed({ method: 'PUT', path: `/${Bucket}/${path}`, body: 'x', ...more })

describe('keys', () => {
  it('are text and never paths: each comes back as itself, and none leaves the data folder', async () => {
    const keys = [
      '../../../etc/passwd',
      '/absolute',
      '//',
      './a/../b',
      'a/./b',
      '..',
      '.',
      ' leading and trailing ',
      'a\\b',
      'C:\\con',
      'q?x=1#y',
      '%2e%2e%2f',
      'é', // composed
      'e\u0301', // the same to the eye
      'Ω',
      '\u2126',
      'K',
      '\u212a',
      '\u202edrowssap',
      '𐍈',
      'k'.repeat(1024),
      'é'.repeat(512),
    ]
    for (const Key of keys) await s3.send(new PutObjectCommand({ Bucket, Key, Body: Key }))
    for (const Key of keys) {
      const answer = await s3.send(new GetObjectCommand({ Bucket, Key }))
      expect(await answer.Body!.transformToString()).toBe(Key)
    }
    const listed = await s3.send(new ListObjectsV2Command({ Bucket }))
    const wanted = keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    expect(listed.Contents?.map((one) => one.Key)).toEqual(wanted)
    for (const name of await test.files()) expect(name).toMatch(/^(?:[a-z2-7]{32}|small-[0-9a-z]{32})$/)
  })

  it('that are too long, not UTF-8 or hold what XML cannot are refused or escaped', async () => {
    expect((await put('k'.repeat(1025))).code).toBe('KeyTooLongError')
    expect((await put(encodeURIComponent('é'.repeat(513)))).code).toBe('KeyTooLongError')
    expect((await put('%ff')).code).toBe('InvalidURI')
    expect((await put('%00')).status).toBeLessThan(500)
    expect((await put('%01')).status).toBe(200)
    const encoded = await test.signed({ path: `/${Bucket}?encoding-type=url&max-keys=1` })
    expect(encoded.text).toMatch(/<Key>%0[01]<\/Key>/)
    const plain = await test.signed({ path: `/${Bucket}?max-keys=1` })
    expect(plain.status).toBe(200)
    // eslint-disable-next-line no-control-regex
    expect(/[\u0000-\u0008]/.test(plain.text)).toBe(false)
  })
})

describe('lies', () => {
  it('about digests and checksums are refused and leave nothing', async () => {
    const before = await test.files()
    const wrong = createHash('md5').update('other').digest('base64')
    expect((await put('lie', { headers: { 'content-md5': wrong } })).code).toBe('BadDigest')
    expect((await put('lie', { headers: { 'content-md5': 'short' } })).code).toBe('InvalidDigest')
    expect((await put('lie', { headers: { 'x-amz-checksum-crc32': 'AAAAAA==' } })).code).toBe('BadDigest')
    expect((await put('lie', { headers: { 'x-amz-checksum-sha256': 'AAAA' } })).code).toBe('InvalidRequest')
    const two = { 'x-amz-checksum-crc32': 'AAAAAA==', 'x-amz-checksum-crc32c': 'AAAAAA==' }
    expect((await put('lie', { headers: two })).code).toBe('InvalidRequest')
    const document = '<Delete><Object><Key>lie</Key></Object></Delete>'
    const many = (headers: Record<string, string>) =>
      test.signed({ method: 'POST', path: `/${Bucket}?delete`, headers, body: document })
    expect((await many({ 'content-md5': wrong })).code).toBe('BadDigest')
    expect((await many({ 'x-amz-checksum-crc32': 'AAAAAA==' })).code).toBe('BadDigest')
    expect((await test.signed({ path: `/${Bucket}/lie` })).code).toBe('NoSuchKey')
    expect(await test.files()).toEqual(before)
  })

  it('about lengths end in nothing', async () => {
    const before = (await test.files()).toSorted()
    const { host, hostname, port } = new URL(test.url)
    for (const [claimed, sent] of [
      [100, 10],
      [1_000_000, 999_999],
    ] as const) {
      await new Promise<void>((resolve) => {
        const socket = connect(Number(port), hostname, () => {
          socket.write(
            `PUT /${Bucket}/short HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${claimed}\r\nAuthorization: x\r\n\r\n`,
          )
          socket.end(Buffer.alloc(sent))
        })
        socket.on('close', () => resolve())
        socket.on('error', () => resolve())
        socket.resume()
      })
    }
    expect(
      (await put('e', { headers: { 'content-length': 'ten' } }).catch(() => ({ status: 400 }))).status,
    ).toBe(400)
    await eventually(async () => (await test.files()).length === before.length)
  })

  it('in headers add no header and no line to anything', async () => {
    await s3.send(
      new PutObjectCommand({
        Bucket,
        Key: 'headers',
        Body: 'x',
        Metadata: { a: 'b' },
        ContentDisposition: 'attachment; filename="a"',
      }),
    )
    const hostile = encodeURIComponent('x\r\nSet-Cookie: stolen=1')
    for (const name of ['content-type', 'content-disposition', 'cache-control', 'expires']) {
      const answer = await test.signed({ path: `/${Bucket}/headers?response-${name}=${hostile}` })
      expect(answer.headers['set-cookie']).toBeUndefined()
      expect(answer.status).toBeLessThan(500)
    }
  })
})

describe('documents', () => {
  const bomb = `<!DOCTYPE d [<!ENTITY a "${'x'.repeat(100)}">${Array.from({ length: 20 }, (_v, at) => `<!ENTITY b${at} "&a;&a;">`).join('')}]><Delete><Object><Key>&b19;</Key></Object></Delete>`
  it.each([
    ['an entity bomb', bomb],
    [
      'an external entity',
      '<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&x;</Key></Object></Delete>',
    ],
    ['depth', `${'<Delete>'.repeat(50_000)}`],
    ['a thousand and one keys', `<Delete>${'<Object><Key>k</Key></Object>'.repeat(1001)}</Delete>`],
    ['nothing', '<Delete></Delete>'],
  ])('with %s are malformed', async (_name, body) => {
    const answer = await test.signed({ method: 'POST', path: `/${Bucket}?delete`, body })
    expect([answer.status, answer.code]).toEqual([400, 'MalformedXML'])
  })

  it('of many megabytes are refused before they are read', async () => {
    const answer = await test.signed({
      method: 'POST',
      path: `/${Bucket}?delete`,
      body: ' '.repeat(5_000_000),
    })
    expect(answer.code).toBe('MaxMessageLengthExceeded')
  })
})

describe('copies', () => {
  it.each([
    ['', 'InvalidArgument'],
    ['/', 'InvalidArgument'],
    [Bucket, 'InvalidArgument'],
    [`${Bucket}/`, 'InvalidArgument'],
    [`${Bucket}/%ff`, 'InvalidArgument'],
    [`${Bucket}/none`, 'NoSuchKey'],
    ['none-such/k', 'NoSuchBucket'],
    [`${Bucket}/none?versionId=x`, 'NoSuchVersion'],
  ])('of %s are refused', async (source, code) => {
    const answer = await test.signed({
      method: 'PUT',
      path: `/${Bucket}/copy`,
      headers: { 'x-amz-copy-source': source },
    })
    expect(answer.code).toBe(code)
  })

  it('to oneself need a change', async () => {
    await s3.send(new PutObjectCommand({ Bucket, Key: 'self', Body: 'x' }))
    const self = (headers: Record<string, string>) =>
      test.signed({
        method: 'PUT',
        path: `/${Bucket}/self`,
        headers: { 'x-amz-copy-source': `/${Bucket}/self`, ...headers },
      })
    expect((await self({})).code).toBe('InvalidRequest')
    expect((await self({ 'x-amz-metadata-directive': 'REPLACE', 'x-amz-meta-a': 'b' })).status).toBe(200)
  })
})

describe('parts', () => {
  const start = async (Key: string) =>
    (await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }))).UploadId!
  const part = async (Key: string, UploadId: string, PartNumber: number, size: number) =>
    (await s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body: randomBytes(size) })))
      .ETag!
  const complete = (Key: string, UploadId: string, Parts: { PartNumber: number; ETag: string }[]) =>
    s3.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }))

  it('are numbered from 1 to 10,000, in order, and big enough', async () => {
    const UploadId = await start('order')
    for (const number of [0, -1, 10_001, 1.5])
      await expect(part('order', UploadId, number, 1)).rejects.toMatchObject({ name: 'InvalidArgument' })
    const first = { PartNumber: 1, ETag: await part('order', UploadId, 1, 10) }
    const last = { PartNumber: 10_000, ETag: await part('order', UploadId, 10_000, 10) }
    await expect(complete('order', UploadId, [last, first])).rejects.toMatchObject({
      name: 'InvalidPartOrder',
    })
    await expect(complete('order', UploadId, [first, first])).rejects.toMatchObject({
      name: 'InvalidPartOrder',
    })
    await expect(complete('order', UploadId, [first, last])).rejects.toMatchObject({ name: 'EntityTooSmall' })
    await expect(complete('order', UploadId, [{ PartNumber: 1, ETag: last.ETag }])).rejects.toMatchObject({
      name: 'InvalidPart',
    })
    await expect(complete('order', UploadId, [{ PartNumber: 2, ETag: first.ETag }])).rejects.toMatchObject({
      name: 'InvalidPart',
    })
    const many = Array.from({ length: 10_001 }, (_value, at) => ({ PartNumber: at + 1, ETag: first.ETag }))
    await expect(complete('order', UploadId, many)).rejects.toMatchObject({ name: 'MalformedXML' })
    await s3.send(new AbortMultipartUploadCommand({ Bucket, Key: 'order', UploadId }))
    await expect(s3.send(new ListPartsCommand({ Bucket, Key: 'order', UploadId }))).rejects.toMatchObject({
      name: 'NoSuchUpload',
    })
  })

  it('of two completions at once become one object, and an abort beside it loses nothing half', async () => {
    for (let round = 0; round < 10; round += 1) {
      const Key = `twice-${round}`
      const UploadId = await start(Key)
      const Parts = [{ PartNumber: 1, ETag: await part(Key, UploadId, 1, 100) }]
      const outcomes = await Promise.allSettled([
        complete(Key, UploadId, Parts),
        complete(Key, UploadId, Parts),
        s3.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId })),
      ])
      const done = outcomes.slice(0, 2).filter((one) => one.status === 'fulfilled').length
      const present = await test.signed({ path: `/${Bucket}/${Key}` })
      expect([done > 0, present.status]).toEqual([present.status === 200, present.status])
      if (present.status === 200) expect(present.body).toHaveLength(100)
    }
  })

  it('cannot be put into another’s upload', async () => {
    const UploadId = await start('mine')
    await expect(part('other', UploadId, 1, 1)).rejects.toMatchObject({ name: 'NoSuchUpload' })
    await expect(part('mine', '../../x', 1, 1)).rejects.toMatchObject({ name: 'NoSuchUpload' })
  })
})
