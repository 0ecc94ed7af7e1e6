import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { crc32 } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import {
  announcedTrailers,
  AwsChunkedDecoder,
  decodedContentLength,
  encodeAwsChunked,
} from './aws-chunked.ts'
import type { AwsChunkedOptions } from './aws-chunked.ts'
import { ChunkSignatures } from './chunk-signatures.ts'
import { createPayloadHashCheck } from './payload-hash.ts'
import { sha256Hex, signingKeyOf } from './sigv4-canonical.ts'

// The example of AWS's documentation: 66,560 bytes of "a" in chunks of 64 KiB.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
const scope = { date: '20130524', region: 'us-east-1', service: 's3' }
const signingKey = signingKeyOf('wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', scope)
const seedSignature = '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9'
const trailerSeed = '106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e'
const object = Buffer.alloc(66_560, 'a')
const documented =
  `10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n` +
  `${'a'.repeat(65_536)}\r\n` +
  `400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n` +
  `${'a'.repeat(1024)}\r\n` +
  `0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n`
const documentedWithTrailer =
  `10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n` +
  `${'a'.repeat(65_536)}\r\n` +
  `400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n` +
  `${'a'.repeat(1024)}\r\n` +
  `0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n` +
  `x-amz-checksum-crc32c:sOO8/Q==\r\n` +
  `x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n`

const chain = (seed: string): ChunkSignatures =>
  new ChunkSignatures({ signingKey, scope, amzDate: '20130524T000000Z', seedSignature: seed })

const signed = (): AwsChunkedOptions => ({
  payload: { signed: true, trailer: false, chunkSignatures: chain(seedSignature) },
  decodedLengthBytes: object.length,
  trailerNames: [],
})

const signedTrailer = (): AwsChunkedOptions => ({
  payload: { signed: true, trailer: true, chunkSignatures: chain(trailerSeed) },
  decodedLengthBytes: object.length,
  trailerNames: ['x-amz-checksum-crc32c'],
})

const unsigned = (length: number): AwsChunkedOptions => ({
  payload: { signed: false, trailer: true, chunkSignatures: undefined },
  decodedLengthBytes: length,
  trailerNames: ['x-amz-checksum-crc32'],
})

function* pieces(body: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < body.length; at += size) yield body.subarray(at, at + size)
}

async function decode(body: string | Buffer, options: AwsChunkedOptions, size = 4096) {
  const decoder = new AwsChunkedDecoder(options)
  const source = Readable.from(pieces(Buffer.from(body), size))
  source.on('error', (error) => decoder.destroy(error))
  const data = await buffer(source.pipe(decoder))
  return { data, trailers: decoder.trailers }
}

describe("AWS's documented bodies", () => {
  it.each([1, 7, 8192, 1 << 20])('decode when fed by %i bytes', async (size) => {
    expect((await decode(documented, signed(), size)).data.equals(object)).toBe(true)
    const { data, trailers } = await decode(documentedWithTrailer, signedTrailer(), size)
    expect(data.equals(object)).toBe(true)
    expect([...trailers]).toEqual([['x-amz-checksum-crc32c', 'sOO8/Q==']])
  })

  it('are what our own encoder writes', () => {
    const options = { chunkSizeBytes: 65_536, chunkSignatures: chain(seedSignature) }
    expect(encodeAwsChunked(object, options).toString()).toBe(documented)
    const trailers = [['x-amz-checksum-crc32c', 'sOO8/Q==']] as const
    const withTrailer = { chunkSizeBytes: 65_536, chunkSignatures: chain(trailerSeed), trailers }
    expect(encodeAwsChunked(object, withTrailer).toString()).toBe(documentedWithTrailer)
  })
})

describe('tampering', () => {
  it.each([
    ['a byte of the data', documented.replace('\r\naaaa', '\r\nbaaa'), 'SignatureDoesNotMatch'],
    ['a signature', documented.replace('signature=0', 'signature=1'), 'SignatureDoesNotMatch'],
    ['the order of things', documented.replace('signature=b6', 'signature=b7'), 'SignatureDoesNotMatch'],
    ['a size', documented.replace('400;', '3ff;'), 'SignatureDoesNotMatch'],
    ['a missing signature', documented.replace(/;chunk-signature=0055\w+/, ''), 'InvalidRequest'],
    ['no size', documented.replace('10000;', 'zz;'), 'InvalidRequest'],
    ['a huge line', `${'1'.repeat(5000)}\r\n`, 'InvalidRequest'],
    [
      'the last chunk gone',
      documented.slice(0, documented.indexOf('0;chunk-signature=b6')),
      'IncompleteBody',
    ],
    ['the middle cut', documented.slice(0, 40_000), 'IncompleteBody'],
    ['something after the end', `${documented}x`, 'InvalidRequest'],
  ])('with %s is refused', async (_name, body, code) => {
    await expect(decode(body, signed())).rejects.toMatchObject({ code })
  })

  it.each([
    ['the checksum changed', documentedWithTrailer.replace('sOO8', 'sOO9'), 'SignatureDoesNotMatch'],
    [
      'its signature gone',
      documentedWithTrailer.replace(/x-amz-trailer-sig.*\r\n/, ''),
      'MalformedTrailerError',
    ],
    ['the checksum gone', documentedWithTrailer.replace(/x-amz-check.*\r\n/, ''), 'SignatureDoesNotMatch'],
    [
      'a header that nobody announced',
      documentedWithTrailer.replace('x-amz-check', 'x-amz-meta-x: 1\r\nx-amz-check'),
      'MalformedTrailerError',
    ],
  ])('of a signed trailer, %s, is refused', async (_name, body, code) => {
    await expect(decode(body, signedTrailer())).rejects.toMatchObject({ code })
  })

  it('refuses a body shorter or longer than announced', async () => {
    const short = { ...signed(), decodedLengthBytes: 66_561 }
    await expect(decode(documented, short)).rejects.toMatchObject({ code: 'IncompleteBody', status: 400 })
    const long = { ...signed(), decodedLengthBytes: 10 }
    await expect(decode(documented, long)).rejects.toMatchObject({ code: 'IncompleteBody' })
  })
})

describe('unsigned chunks with a trailer', () => {
  const data = Buffer.from('some bytes that arrive in pieces')
  const sum = Buffer.alloc(4)
  sum.writeUInt32BE(crc32(data))
  const trailers = [['x-amz-checksum-crc32', sum.toString('base64')]] as const

  it.each([1, 3, 1000])('decode when fed by %i bytes', async (size) => {
    const body = encodeAwsChunked(data, { chunkSizeBytes: 10, trailers })
    const result = await decode(body, unsigned(data.length), size)
    expect(result.data.equals(data)).toBe(true)
    expect(result.trailers.get('x-amz-checksum-crc32')).toBe(sum.toString('base64'))
  })

  it('of an empty object decode to nothing', async () => {
    const body = encodeAwsChunked(Buffer.alloc(0), { chunkSizeBytes: 10, trailers })
    expect((await decode(body, unsigned(0))).data).toHaveLength(0)
  })

  it('must not carry signatures, and must bring what was announced', async () => {
    await expect(decode(documented, unsigned(66_560))).rejects.toMatchObject({ code: 'InvalidRequest' })
    const bare = encodeAwsChunked(data, { chunkSizeBytes: 10, trailers: [] })
    await expect(decode(bare, unsigned(data.length))).rejects.toMatchObject({ code: 'MalformedTrailerError' })
  })
})

describe('headers of a chunked request', () => {
  it('tell the length and the trailers', () => {
    expect(decodedContentLength({ 'x-amz-decoded-content-length': '66560' })).toBe(66_560)
    expect(announcedTrailers({ 'x-amz-trailer': 'X-Amz-Checksum-CRC32, b' })).toEqual([
      'x-amz-checksum-crc32',
      'b',
    ])
    expect(announcedTrailers({})).toEqual([])
    expect(() => decodedContentLength({})).toThrow(expect.objectContaining({ status: 411 }))
    const bad = { 'x-amz-decoded-content-length': '-1' }
    expect(() => decodedContentLength(bad)).toThrow(expect.objectContaining({ code: 'InvalidArgument' }))
  })
})

describe('createPayloadHashCheck', () => {
  it('passes the right bytes and fails on others', async () => {
    const right = Readable.from([Buffer.from('ab'), Buffer.from('c')])
    expect(String(await buffer(right.pipe(createPayloadHashCheck(sha256Hex('abc')))))).toBe('abc')
    const wrong = Readable.from([Buffer.from('abd')])
    await expect(buffer(wrong.pipe(createPayloadHashCheck(sha256Hex('abc'))))).rejects.toMatchObject({
      code: 'XAmzContentSHA256Mismatch',
    })
  })
})
