import { describe, expect, it } from 'vitest'
import { presignRequest, signRequest, signStreamingRequest } from './sigv4-sign.ts'
import type { SignOptions } from './sigv4-sign.ts'
import { emptySha256, sha256Hex, SigningKeyCache } from './sigv4-canonical.ts'
import { verifySignature } from './sigv4-verify.ts'
import type { SignedRequest, VerifyOptions } from './sigv4-verify.ts'

// Examples of AWS's documentation, with its example keys.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
const exampleKey = 'AKIAIOSFODNN7EXAMPLE'
const exampleSecret = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'
const exampleNow = new Date('2013-05-24T00:00:00Z')
const exampleScope = `${exampleKey}/20130524/us-east-1/s3/aws4_request`

function options(over: Partial<VerifyOptions> = {}): VerifyOptions {
  return {
    dialect: 's3',
    now: exampleNow,
    secretOf: async (id) => (id === exampleKey ? exampleSecret : undefined),
    ...over,
  }
}

function example(over: {
  method?: string
  rawPath?: string
  rawQuery?: string
  headers: Record<string, string>
  signature: string
}): SignedRequest {
  const headers: Record<string, string> = {
    host: 'examplebucket.s3.amazonaws.com',
    'x-amz-date': '20130524T000000Z',
    'x-amz-content-sha256': emptySha256,
    ...over.headers,
  }
  const names = Object.keys(headers).toSorted().join(';')
  headers['authorization'] =
    `AWS4-HMAC-SHA256 Credential=${exampleScope},SignedHeaders=${names},Signature=${over.signature}`
  return {
    method: over.method ?? 'GET',
    rawPath: over.rawPath ?? '/',
    rawQuery: over.rawQuery ?? '',
    headers,
  }
}

const documented = {
  'GET with a range': example({
    rawPath: '/test.txt',
    headers: { range: 'bytes=0-9' },
    signature: 'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
  }),
  'PUT of an object': example({
    method: 'PUT',
    rawPath: '/test$file.text',
    headers: {
      date: 'Fri, 24 May 2013 00:00:00 GMT',
      'x-amz-storage-class': 'REDUCED_REDUNDANCY',
      'x-amz-content-sha256': '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072',
    },
    signature: '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
  }),
  'GET of a subresource': example({
    rawQuery: 'lifecycle',
    headers: {},
    signature: 'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
  }),
  'GET of a list': example({
    rawQuery: 'prefix=J&max-keys=2',
    headers: {},
    signature: '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
  }),
}

const presignedQuery =
  `X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=${encodeURIComponent(exampleScope)}` +
  `&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host` +
  `&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404`
const presigned: SignedRequest = {
  method: 'GET',
  rawPath: '/test.txt',
  rawQuery: presignedQuery,
  headers: { host: 'examplebucket.s3.amazonaws.com' },
}

const at = (text: string) => verifySignature(presigned, options({ now: new Date(text) }))
const iamSecretOf = async (): Promise<string> => 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'

describe("AWS's documented signatures", () => {
  it.each(Object.entries(documented))('accept: %s', async (_name, request) => {
    const verified = await verifySignature(request, options())
    expect(verified).toMatchObject({
      kind: 'header',
      accessKeyId: exampleKey,
      scope: { date: '20130524', region: 'us-east-1', service: 's3' },
    })
    expect(verified.signedHeaders.has('host')).toBe(true)
  })

  it('accept: presigned for a day, and not a moment longer', async () => {
    expect(await at('2013-05-24T23:59:59Z')).toMatchObject({
      kind: 'presigned',
      payload: { kind: 'unsigned' },
    })
    await expect(at('2013-05-25T00:00:01Z')).rejects.toMatchObject({
      code: 'AccessDenied',
      status: 403,
      fault: 'expired',
    })
    await expect(at('2013-05-23T23:40:00Z')).rejects.toMatchObject({ fault: 'skewed' })
  })

  it('accept: an IAM query request', async () => {
    const headers = {
      host: 'iam.amazonaws.com',
      'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
      'x-amz-date': '20150830T123600Z',
      authorization:
        'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7',
    }
    const rawQuery = 'Action=ListUsers&Version=2010-05-08'
    const request = { method: 'GET', rawPath: '/', rawQuery, headers, body: '' }
    const now = new Date('2015-08-30T12:40:00Z')
    expect(await verifySignature(request, { dialect: 'query', secretOf: iamSecretOf, now })).toMatchObject({
      accessKeyId: 'AKIDEXAMPLE',
    })
  })
})

const now = new Date('2026-01-31T23:59:59Z')
const sign: SignOptions = {
  credentials: { accessKeyId: exampleKey, secretAccessKey: exampleSecret },
  region: 'us-east-1',
  service: 'ec2',
  now,
}
const ec2 = options({ dialect: 'ec2', now })

function ec2Request(over: Partial<SignedRequest> = {}, signOver: Partial<SignOptions> = {}): SignedRequest {
  const request = {
    method: 'POST',
    rawPath: '/services/compute//x/../',
    rawQuery: 'b=%7e2&a=1+x&a=%31',
    headers: {
      host: '127.0.0.1:8773',
      'content-type': 'application/x-www-form-urlencoded',
      accept: '  a   b ',
    },
    body: 'Action=DescribeInstances',
  }
  return {
    ...request,
    headers: { ...request.headers, ...signRequest(request, { ...sign, ...signOver }) },
    ...over,
  }
}

describe('requests that we sign', () => {
  it('are accepted, whatever region they name', async () => {
    const verified = await verifySignature(ec2Request({}, { region: '127' }), ec2)
    expect(verified.scope).toEqual({ date: '20260131', region: '127', service: 'ec2' })
    expect(verified.payload).toEqual({ kind: 'sha256', sha256: sha256Hex('Action=DescribeInstances') })
  })

  it('carry a session token that is signed', async () => {
    const credentials = { ...sign.credentials, sessionToken: 'tok/en=' }
    const request = ec2Request({}, { credentials })
    expect((await verifySignature(request, ec2)).sessionToken).toBe('tok/en=')
    const stolen = { ...request, headers: { ...request.headers, 'x-amz-security-token': 'other' } }
    await expect(verifySignature(stolen, ec2)).rejects.toMatchObject({ fault: 'mismatch' })
  })

  const s3 = { ...sign, service: 's3' }
  it.each(["/b/a b+c/é~*'()!;:@&=$,[]%41.txt", '/b//x//../y', '/'])('for S3 path %s verify', async (path) => {
    const rawPath = encodeURI(path).replaceAll('+', '%2B')
    const request = { method: 'PUT', rawPath, headers: { host: 'h' }, payloadHash: 'UNSIGNED-PAYLOAD' }
    const headers = { host: 'h', ...signRequest(request, s3) }
    const verified = await verifySignature({ ...request, rawQuery: '', headers }, options({ now }))
    expect(verified.payload).toEqual({ kind: 'unsigned' })
    const query = presignRequest(request, { ...s3, expiresSeconds: 60 })
    const byQuery = { method: 'PUT', rawPath, rawQuery: query, headers: { host: 'h' } }
    expect((await verifySignature(byQuery, options({ now }))).kind).toBe('presigned')
    const elsewhere = { ...byQuery, rawPath: `${rawPath}x` }
    await expect(verifySignature(elsewhere, options({ now }))).rejects.toMatchObject({ fault: 'mismatch' })
  })

  it('give the chain that checks their chunks', async () => {
    const payloadHash = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER'
    const request = { method: 'PUT', rawPath: '/b/k', headers: { host: 'h' }, payloadHash }
    const { headers, chunkSignatures } = signStreamingRequest(request, s3)
    const all = { host: 'h', ...headers }
    const { payload } = await verifySignature({ ...request, rawQuery: '', headers: all }, options({ now }))
    if (payload.kind !== 'chunked') throw new Error('the payload is not chunked')
    expect(payload).toMatchObject({ signed: true, trailer: true })
    expect(payload.chunkSignatures?.nextChunk(emptySha256)).toBe(chunkSignatures.nextChunk(emptySha256))
    expect(JSON.stringify(payload)).not.toContain(exampleSecret)
  })

  it('verify with a cache of signing keys, which notices a changed secret', async () => {
    const signingKeys = new SigningKeyCache({ maxEntries: 1 })
    await verifySignature(ec2Request(), { ...ec2, signingKeys })
    await verifySignature(ec2Request(), { ...ec2, signingKeys })
    const changed = { ...ec2, signingKeys, secretOf: async () => 'another' }
    await expect(verifySignature(ec2Request(), changed)).rejects.toMatchObject({ fault: 'mismatch' })
  })
})

const minutes = (count: number): VerifyOptions => ({
  ...ec2,
  now: new Date(now.getTime() + count * 60_000),
})

describe('requests that are refused', () => {
  const good = ec2Request()
  const authorization = String(good.headers['authorization'])
  const withAuth = (text: string): SignedRequest => ({
    ...good,
    headers: { ...good.headers, authorization: text },
  })
  const without = (name: string): SignedRequest => ({
    ...good,
    headers: Object.fromEntries(Object.entries(good.headers).filter(([key]) => key !== name)),
  })

  it.each<[string, SignedRequest, string, number]>([
    ['another body', { ...good, body: 'Action=TerminateInstances' }, 'SignatureDoesNotMatch', 403],
    ['another query', { ...good, rawQuery: 'a=2' }, 'SignatureDoesNotMatch', 403],
    ['another method', { ...good, method: 'GET' }, 'SignatureDoesNotMatch', 403],
    [
      'another signed header',
      { ...good, headers: { ...good.headers, host: 'evil' } },
      'SignatureDoesNotMatch',
      403,
    ],
    ['a signed header gone', without('accept'), 'SignatureDoesNotMatch', 403],
    [
      'a lying payload hash',
      { ...good, headers: { ...good.headers, 'x-amz-content-sha256': emptySha256 } },
      'SignatureDoesNotMatch',
      403,
    ],
    ['no signature', without('authorization'), 'MissingAuthenticationToken', 403],
    ['another scheme', withAuth('Basic YTpi'), 'IncompleteSignature', 400],
    ['no date', without('x-amz-date'), 'IncompleteSignature', 400],
    ['an unknown key', withAuth(authorization.replace(exampleKey, 'AKIAOTHER')), 'AuthFailure', 401],
    [
      'the scope of another day',
      withAuth(authorization.replace('20260131', '20260130')),
      'IncompleteSignature',
      400,
    ],
    ['host not signed', withAuth(authorization.replace('host;', '')), 'IncompleteSignature', 400],
    [
      'no SignedHeaders',
      withAuth(authorization.replace(/SignedHeaders=[^,]+, /, '')),
      'IncompleteSignature',
      400,
    ],
    ['a field twice', withAuth(`${authorization}, Signature=${'0'.repeat(64)}`), 'IncompleteSignature', 400],
    ['a short signature', withAuth(authorization.slice(0, -1)), 'IncompleteSignature', 400],
    [
      'signatures in both places',
      { ...good, rawQuery: 'X-Amz-Algorithm=AWS4-HMAC-SHA256' },
      'IncompleteSignature',
      400,
    ],
    [
      'an unknown payload hash',
      { ...good, headers: { ...good.headers, 'x-amz-content-sha256': 'STREAMING-X' } },
      'IncompleteSignature',
      400,
    ],
  ])('by EC2: %s', async (_name, request, code, status) => {
    await expect(verifySignature(request, ec2)).rejects.toMatchObject({ code, status })
  })

  it('by EC2: 15 minutes early or late', async () => {
    await verifySignature(good, minutes(14.9))
    await verifySignature(good, minutes(-14.9))
    await expect(verifySignature(good, minutes(15.1))).rejects.toMatchObject({
      code: 'RequestExpired',
      status: 400,
    })
    await expect(verifySignature(good, minutes(-15.1))).rejects.toMatchObject({ code: 'RequestExpired' })
  })

  it('by the query services, in their own words', async () => {
    const query = options({ dialect: 'query', now })
    const unknown = withAuth(authorization.replace(exampleKey, 'AKIAOTHER'))
    await expect(verifySignature(unknown, query)).rejects.toMatchObject({
      code: 'InvalidClientTokenId',
      status: 403,
    })
  })

  const s3Now = options()
  const list = documented['GET of a list']
  const edited = (name: string, value: string | undefined): SignedRequest => ({
    ...list,
    headers: { ...list.headers, [name]: value },
  })
  it.each<[string, SignedRequest, string, number]>([
    ['no signature', edited('authorization', undefined), 'AccessDenied', 403],
    ['a wrong signature', { ...list, rawPath: '/x' }, 'SignatureDoesNotMatch', 403],
    [
      'another key',
      edited('authorization', String(list.headers['authorization']).replace(exampleKey, 'NO')),
      'InvalidAccessKeyId',
      403,
    ],
    ['an older signature', edited('authorization', 'AWS AKID:c2ln'), 'InvalidRequest', 400],
    [
      'an older presigned request',
      { ...presigned, rawQuery: 'AWSAccessKeyId=A&Signature=x&Expires=1' },
      'InvalidRequest',
      400,
    ],
    ['no payload hash', edited('x-amz-content-sha256', undefined), 'InvalidRequest', 400],
    ['an x-amz- header that is not signed', edited('x-amz-acl', 'public-read'), 'AccessDenied', 403],
    [
      'a malformed header',
      edited('authorization', 'AWS4-HMAC-SHA256 x'),
      'AuthorizationHeaderMalformed',
      400,
    ],
    ['the body not as signed', { ...list, body: 'x' }, 'XAmzContentSHA256Mismatch', 400],
    [
      'a presigned week and a second',
      { ...presigned, rawQuery: presignedQuery.replace('86400', '604801') },
      'AuthorizationQueryParametersError',
      400,
    ],
    [
      'presigned without expiry',
      { ...presigned, rawQuery: presignedQuery.replace('X-Amz-Expires=86400&', '') },
      'AuthorizationQueryParametersError',
      400,
    ],
    [
      'a presigned parameter twice',
      { ...presigned, rawQuery: `${presignedQuery}&X-Amz-Expires=1` },
      'AuthorizationQueryParametersError',
      400,
    ],
    [
      'a parameter added to a presigned request',
      { ...presigned, rawQuery: `${presignedQuery}&acl` },
      'SignatureDoesNotMatch',
      403,
    ],
  ])('by S3: %s', async (_name, request, code, status) => {
    await expect(verifySignature(request, s3Now)).rejects.toMatchObject({ code, status })
  })

  it('by S3: a clock that is off', async () => {
    const late = options({ now: new Date('2013-05-24T00:16:00Z') })
    await expect(verifySignature(list, late)).rejects.toMatchObject({
      code: 'RequestTimeTooSkewed',
      status: 403,
    })
  })

  it('by S3: a payload hash that nobody defines, though it is signed', async () => {
    const request = {
      method: 'PUT',
      rawPath: '/b/k',
      headers: { host: 'h' },
      payloadHash: 'STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD',
    }
    const headers = { host: 'h', ...signRequest(request, { ...sign, service: 's3' }) }
    const verdict = verifySignature({ ...request, rawQuery: '', headers }, options({ now }))
    await expect(verdict).rejects.toMatchObject({ code: 'InvalidArgument', status: 400 })
  })
})
