import { randomBytes } from 'node:crypto'
import { request as httpsRequest } from 'node:https'
import { connect } from 'node:net'
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { encodeAwsChunked, presignRequest, signRequest, signStreamingRequest } from '@mallee/aws-protocol'
import { issueCertificate, walrusServerName } from '@mallee/pki'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startChecksum } from '../src/objects/checksums.ts'
import { alice, eventually, mallory, WalrusUnderTest } from './walrus-under-test.ts'

let test: WalrusUnderTest
beforeAll(async () => {
  test = await WalrusUnderTest.start()
  await test.sdk().send(new CreateBucketCommand({ Bucket: 'alices' }))
  await test.sdk().send(new PutObjectCommand({ Bucket: 'alices', Key: 'secret', Body: 'hers' }))
})
afterAll(() => test.stop())

describe('signatures', () => {
  it('are needed, right, fresh, and for S3', async () => {
    const path = '/alices/secret'
    expect((await test.send({ path })).code).toBe('AccessDenied')
    expect((await test.signed({ path, as: { ...alice, secretAccessKey: 'x' } })).code).toBe(
      'SignatureDoesNotMatch',
    )
    expect((await test.signed({ path, as: { ...alice, accessKeyId: 'AKIANOBODY' } })).code).toBe(
      'InvalidAccessKeyId',
    )
    expect((await test.signed({ path, now: new Date(Date.now() - 3_600_000) })).code).toBe(
      'RequestTimeTooSkewed',
    )
    expect((await test.signed({ path, now: new Date(Date.now() + 3_600_000) })).code).toBe(
      'RequestTimeTooSkewed',
    )
    expect((await test.signed({ path, service: 'ec2' })).status).toBe(400)
    const older = {
      authorization: `AWS ${alice.accessKeyId}:${'a'.repeat(27)}=`,
      date: new Date().toUTCString(),
    }
    expect((await test.send({ path, headers: older })).code).toBe('InvalidRequest')
    const head = await test.send({ method: 'HEAD', path })
    expect([head.status, head.body.length]).toEqual([403, 0])
    test.cloud.putKey({ ...mallory, accessKeyId: 'AKIADISABLED', enabled: false })
    await eventually(() => test.cloud.observed('access-key', 'AKIADISABLED'))
    expect((await test.signed({ path: '/', as: { ...mallory, accessKeyId: 'AKIADISABLED' } })).code).toBe(
      'InvalidAccessKeyId',
    )
  })

  it('in the query work until they expire', async () => {
    const host = new URL(test.url).host
    const query = (now: Date) =>
      presignRequest(
        { method: 'GET', rawPath: '/alices/secret', headers: { host } },
        { credentials: alice, region: 'us-east-1', service: 's3', now, expiresSeconds: 60 },
      )
    expect((await test.send({ path: `/alices/secret?${query(new Date())}` })).text).toBe('hers')
    const late = await test.send({ path: `/alices/secret?${query(new Date(Date.now() - 61_000))}` })
    expect([late.status, late.code]).toEqual([403, 'AccessDenied'])
  })

  it('bind the body: another one is refused and leaves nothing', async () => {
    const before = await test.files()
    const put = (headers: Record<string, string>, body: string) =>
      test.signed({
        method: 'PUT',
        path: '/alices/bad',
        headers,
        body: 'signed',
        payloadHash: '0'.repeat(64),
        ...(body ? { body } : {}),
      })
    expect((await put({}, 'other')).code).toBe('XAmzContentSHA256Mismatch')
    const unsigned = (headers: Record<string, string>) =>
      test.signed({ method: 'PUT', path: '/alices/bad', headers, body: 'x', payloadHash: 'UNSIGNED-PAYLOAD' })
    expect((await unsigned({ 'content-md5': 'AAAAAAAAAAAAAAAAAAAAAA==' })).code).toBe('BadDigest')
    expect((await unsigned({ 'content-md5': 'AAAA' })).code).toBe('InvalidDigest')
    expect((await unsigned({ 'x-amz-checksum-crc32c': 'AAAAAA==' })).code).toBe('BadDigest')
    expect(
      (await unsigned({ 'x-amz-checksum-crc32c': 'AAAAAA==', 'x-amz-checksum-crc32': 'AAAAAA==' })).code,
    ).toBe('InvalidRequest')
    expect((await unsigned({ 'x-amz-checksum-sha512': 'AA==' })).code).toBe('NotImplemented')
    expect((await test.signed({ path: '/alices/bad' })).code).toBe('NoSuchKey')
    expect(await test.files()).toEqual(before)
  })
})

describe('streamed uploads', () => {
  const data = randomBytes(300_000)
  const send = async (kind: string, change: (body: Buffer) => Buffer = (body) => body) => {
    const trailer = kind.endsWith('TRAILER')
    const running = startChecksum('CRC32')
    running.update(data)
    const trailers = [['x-amz-checksum-crc32', running.digest().toString('base64')]] as const
    const headers: Record<string, string> = {
      host: new URL(test.url).host,
      'content-encoding': 'aws-chunked',
      'x-amz-decoded-content-length': String(data.length),
      ...(trailer ? { 'x-amz-trailer': 'x-amz-checksum-crc32' } : {}),
    }
    const request = { method: 'PUT', rawPath: '/alices/streamed', headers, payloadHash: kind }
    const options = { credentials: alice, region: 'us-east-1', service: 's3', now: new Date() }
    const { headers: added, chunkSignatures } = signStreamingRequest(request, options)
    const body = encodeAwsChunked(data, {
      chunkSizeBytes: 65_536,
      ...(kind.includes('UNSIGNED') ? {} : { chunkSignatures }),
      ...(trailer ? { trailers } : {}),
    })
    const sent = change(body)
    return test.send({
      method: 'PUT',
      path: '/alices/streamed',
      headers: { ...headers, ...added, 'content-length': String(sent.length) },
      body: sent,
    })
  }

  it.each([
    'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
    'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER',
    'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
  ])('of %s arrive', async (kind) => {
    expect((await send(kind)).status).toBe(200)
    const got = await test.signed({ path: '/alices/streamed' })
    expect(got.body.equals(data)).toBe(true)
    expect(got.headers['content-encoding']).toBeUndefined()
    await test.signed({ method: 'DELETE', path: '/alices/streamed' })
  })

  it('that were tampered with are refused and leave nothing', async () => {
    const before = await test.files()
    const flipped = (at: number) => (body: Buffer) => {
      const copy = Buffer.from(body)
      copy[at] = (copy[at] ?? 0) ^ 1
      return copy
    }
    expect((await send('STREAMING-AWS4-HMAC-SHA256-PAYLOAD', flipped(1000))).code).toBe(
      'SignatureDoesNotMatch',
    )
    expect((await send('STREAMING-UNSIGNED-PAYLOAD-TRAILER', flipped(1000))).code).toBe('BadDigest')
    const short = (body: Buffer) => body.subarray(0, 100_000)
    expect((await send('STREAMING-AWS4-HMAC-SHA256-PAYLOAD', short)).code).toBe('IncompleteBody')
    expect((await test.signed({ path: '/alices/streamed' })).code).toBe('NoSuchKey')
    expect(await test.files()).toEqual(before)
  })

  it('wait for our word, and are refused before a byte is sent', async () => {
    const ask = (as: typeof alice) =>
      new Promise<string>((resolve, reject) => {
        const headers: Record<string, string> = { host: new URL(test.url).host, 'content-length': '5' }
        const added = signRequest(
          { method: 'PUT', rawPath: '/alices/waited', headers, payloadHash: 'UNSIGNED-PAYLOAD' },
          { credentials: as, region: 'us-east-1', service: 's3', now: new Date() },
        )
        const lines = Object.entries({ ...headers, ...added, expect: '100-continue', connection: 'close' })
        const socket = connect(Number(new URL(test.url).port), '127.0.0.1')
        let seen = ''
        socket.write(
          `PUT /alices/waited HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`,
        )
        socket.on('data', (chunk) => {
          seen += chunk.toString()
          if (seen === 'HTTP/1.1 100 Continue\r\n\r\n') socket.write('hello')
        })
        socket.on('close', () => resolve(seen))
        socket.on('error', reject)
      })
    expect(await ask(alice)).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK/)
    expect(await ask({ ...alice, secretAccessKey: 'wrong' })).toMatch(/^HTTP\/1\.1 403 /)
    expect((await test.signed({ path: '/alices/waited' })).text).toBe('hello')
  })

  it('that break off leave nothing', async () => {
    const before = await test.files()
    const headers: Record<string, string> = { host: new URL(test.url).host, 'content-length': '1000000' }
    const added = signRequest(
      { method: 'PUT', rawPath: '/alices/broken', headers, payloadHash: 'UNSIGNED-PAYLOAD' },
      { credentials: alice, region: 'us-east-1', service: 's3', now: new Date() },
    )
    const socket = connect(Number(new URL(test.url).port), '127.0.0.1')
    const lines = Object.entries({ ...headers, ...added })
    socket.write(
      `PUT /alices/broken HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${'some'.repeat(20_000)}`,
    )
    await eventually(async () => (await test.files()).length > before.length)
    socket.destroy()
    await eventually(async () => (await test.files()).length === before.length)
  })
})

describe('accounts', () => {
  it('see nothing of each other', async () => {
    const hers = (method: string, path: string, more: object = {}) =>
      test.signed({ method, path, as: mallory, ...more })
    for (const [method, path] of [
      ['GET', '/alices/secret'],
      ['HEAD', '/alices/secret'],
      ['DELETE', '/alices/secret'],
      ['GET', '/alices'],
      ['HEAD', '/alices'],
      ['DELETE', '/alices'],
      ['POST', '/alices/new?uploads'],
      ['GET', '/alices?uploads'],
      ['GET', '/alices?location'],
    ] as const) {
      expect([method, path, (await hers(method, path)).status]).toEqual([method, path, 403])
    }
    expect((await hers('PUT', '/alices/new', { body: 'x' })).code).toBe('AccessDenied')
    expect((await hers('PUT', '/alices')).code).toBe('BucketAlreadyExists')
    expect((await hers('PUT', '/mallorys')).status).toBe(200)
    const copy = await hers('PUT', '/mallorys/copy', { headers: { 'x-amz-copy-source': '/alices/secret' } })
    expect(copy.code).toBe('AccessDenied')
    expect((await hers('GET', '/')).text).not.toContain('alices')
    expect((await test.signed({ path: '/alices/secret' })).text).toBe('hers')
    const owner = await test.signed({
      path: '/alices/secret',
      headers: { 'x-amz-expected-bucket-owner': '1' },
    })
    expect(owner.code).toBe('AccessDenied')
  })
})

describe('what is not built', () => {
  it('says so by name', async () => {
    const cases: [string, string, Record<string, string>][] = [
      ['GET', '/alices?inventory', {}],
      ['GET', '/alices/secret?torrent', {}],
      ['PUT', '/alices/k', { 'x-amz-server-side-encryption': 'aws:kms' }],
      ['PUT', '/alices/k', { 'x-amz-storage-class': 'GLACIER' }],
      ['PUT', '/alices/k', { 'x-amz-write-offset-bytes': '3' }],
    ]
    for (const [method, path, headers] of cases) {
      const answer = await test.signed({ method, path, headers, body: '' })
      expect([path, headers, answer.status, answer.code]).toEqual([path, headers, 501, 'NotImplemented'])
    }
    expect((await test.signed({ path: '/none/k' })).code).toBe('NoSuchBucket')
    expect((await test.signed({ path: '/services/objectstorage/alices/secret' })).text).toBe('hers')
    expect((await test.signed({ path: '/services/Walrus/alices/secret' })).text).toBe('hers')
    const odd = await test.signed({
      method: 'PUT',
      path: '/alices/odd',
      headers: { 'content-type': 'no type/at all' },
      body: 'x',
    })
    expect(odd.status).toBe(200)
    expect((await test.signed({ path: '/alices/odd' })).headers['content-type']).toBe('no type/at all')
  })
})

describe('nodes', () => {
  const ask = async (
    kind: string | null,
    path: string,
    options: { method?: string; range?: string; authority?: typeof test.authority } = {},
  ) => {
    const authority = options.authority ?? test.authority
    const own = kind
      ? await issueCertificate({
          authority,
          commonName: 'n',
          names: { uri: [`mallee://${kind}/agent-9`] },
          nowMs: Date.now(),
        })
      : null
    return new Promise<{ status: number; text: string }>((resolve, reject) => {
      const outgoing = httpsRequest(
        {
          host: '127.0.0.1',
          port: new URL(test.url).port,
          path,
          method: options.method ?? 'GET',
          headers: options.range ? { range: options.range } : {},
          servername: walrusServerName,
          ca: test.authority.certificate,
          agent: false,
          ...(own ? { key: own.key, cert: own.certificate } : {}),
        },
        (incoming) => {
          let text = ''
          incoming.on('data', (chunk) => (text += String(chunk)))
          incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, text }))
        },
      )
      outgoing.on('error', reject)
      outgoing.end()
    })
  }

  it('read the objects of images with their certificate, and nothing else', async () => {
    const put = (Key: string) =>
      test.sdk().send(new PutObjectCommand({ Bucket: 'alices', Key, Body: `bytes of ${Key}` }))
    await put('disk image.raw')
    await put('private')
    test.cloud.putImage({
      imageId: 'ami-1',
      accountId: alice.accountId,
      bucket: 'alices',
      key: 'disk image.raw',
      kind: 'machine',
    })
    test.cloud.putImage({
      imageId: 'ami-2',
      accountId: mallory.accountId,
      bucket: 'alices',
      key: 'secret',
      kind: 'machine',
    })
    await eventually(() => test.cloud.observed('image-object', 'ami-2'))
    const path = '/alices/disk%20image.raw'
    expect(await ask('node', path)).toEqual({ status: 200, text: 'bytes of disk image.raw' })
    expect(await ask('node', path, { range: 'bytes=0-4' })).toEqual({ status: 206, text: 'bytes' })
    expect(await ask('node', path, { method: 'HEAD' })).toEqual({ status: 200, text: '' })
    for (const [kind, target, method] of [
      ['node', '/alices/private', 'GET'],
      ['node', '/alices/secret', 'GET'],
      ['node', '/alices', 'GET'],
      ['node', '/', 'GET'],
      ['node', path, 'PUT'],
      ['node', path, 'DELETE'],
      ['node', `${path}?acl`, 'GET'],
      ['storage', path, 'GET'],
      ['walrus', path, 'GET'],
      [null, path, 'GET'],
    ] as const) {
      expect([kind, target, method, (await ask(kind, target, { method })).status]).toEqual([
        kind,
        target,
        method,
        403,
      ])
    }
  })

  it('of another cloud are strangers, and signatures work over TLS too', async () => {
    const { createAuthority } = await import('@mallee/pki')
    const authority = await createAuthority('another cloud', Date.now())
    expect((await ask('node', '/alices/disk%20image.raw', { authority })).status).toBe(403)
    expect(
      (await test.sdk().send(new GetObjectCommand({ Bucket: 'alices', Key: 'secret' }))).ContentLength,
    ).toBe(4)
  })
})

it('a signed address may carry headers in its query, and they count', async () => {
  const host = new URL(test.url).host
  const query = presignRequest(
    {
      method: 'PUT',
      rawPath: '/alices/addressed',
      rawQuery: 'x-amz-meta-color=blue&x-amz-acl=public-read',
      headers: { host },
    },
    { credentials: alice, region: 'us-east-1', service: 's3', now: new Date(), expiresSeconds: 60 },
  )
  const put = await test.send({ method: 'PUT', path: `/alices/addressed?${query}`, body: 'x' })
  expect(put.status).toBe(200)
  const open = await test.send({ path: '/alices/addressed' })
  expect([open.text, open.headers['x-amz-meta-color']]).toEqual(['x', 'blue'])
  const stranger = await test.send({
    method: 'PUT',
    path: '/alices/addressed?x-amz-acl=public-read-write',
    body: 'y',
  })
  expect(stranger.status).toBe(403)
})
