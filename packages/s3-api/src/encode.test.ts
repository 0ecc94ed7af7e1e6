import { describe, expect, it } from 'vitest'
import { encodeS3Error, S3Encoder } from './encode.ts'
import { noSuchKey, s3Error, s3ErrorTable } from './errors.ts'
import { s3Model } from './s3-model.ts'

const encoder = new S3Encoder(s3Model())
const head = '<?xml version="1.0" encoding="UTF-8"?>\n'
const space = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'

describe('S3 answers', () => {
  it('of lists have their root name and their containers', () => {
    const body = `${head}<ListAllMyBucketsResult ${space}><Buckets/></ListAllMyBucketsResult>`
    expect(encoder.encode('ListBuckets', {})).toEqual({
      status: 200,
      headers: { 'Content-Type': 'application/xml' },
      body,
    })
    const output = {
      Name: 'b',
      KeyCount: 1,
      IsTruncated: false,
      Contents: [{ Key: 'a&\u0001', Size: 3, LastModified: new Date('2024-02-29T00:00:00Z'), ETag: '"x"' }],
      CommonPrefixes: [{ Prefix: 'p/' }, { Prefix: 'q/' }],
    }
    expect(encoder.encode('ListObjectsV2', output).body).toBe(
      `${head}<ListBucketResult ${space}><IsTruncated>false</IsTruncated><Contents><Key>a&amp;&#x1;</Key>` +
        '<LastModified>2024-02-29T00:00:00.000Z</LastModified><ETag>"x"</ETag><Size>3</Size></Contents>' +
        '<Name>b</Name><CommonPrefixes><Prefix>p/</Prefix></CommonPrefixes><CommonPrefixes><Prefix>q/</Prefix></CommonPrefixes>' +
        '<KeyCount>1</KeyCount></ListBucketResult>',
    )
  })

  it('of objects are headers only, and cannot be broken out of', () => {
    const output = {
      ETag: '"x"',
      ContentLength: 3,
      LastModified: new Date('2024-02-29T00:00:00.9Z'),
      Metadata: { a: 'b\r\nSet-Cookie: c' },
      DeleteMarker: false,
      Body: Buffer.from('abc'),
    }
    expect(encoder.encode('GetObject', output)).toEqual({
      status: 200,
      headers: {
        ETag: '"x"',
        'Content-Length': '3',
        'Last-Modified': 'Thu, 29 Feb 2024 00:00:00 GMT',
        'x-amz-meta-a': 'b  Set-Cookie: c',
        'x-amz-delete-marker': 'false',
      },
      body: undefined,
    })
    expect(encoder.encode('DeleteObject', {})).toEqual({ status: 204, headers: {}, body: undefined })
    expect(encoder.encode('DeleteBucket', {}).status).toBe(204)
  })

  it('of payloads are that document; of a location, bare text', () => {
    expect(encoder.encode('CopyObject', { CopyObjectResult: { ETag: 'e' } }).body).toBe(
      `${head}<CopyObjectResult ${space}><ETag>e</ETag></CopyObjectResult>`,
    )
    expect(encoder.encode('GetBucketPolicy', { Policy: '{}' })).toMatchObject({
      body: '{}',
      headers: { 'Content-Type': 'application/json' },
    })
    expect(encoder.encode('GetBucketLocation', { LocationConstraint: 'eu' }).body).toBe(
      `${head}<LocationConstraint ${space}>eu</LocationConstraint>`,
    )
    expect(encoder.encode('GetBucketLocation', {}).body).toBe(
      `${head}<LocationConstraint ${space}></LocationConstraint>`,
    )
  })

  it('write attributes with their namespace', () => {
    const grant = { Grantee: { Type: 'CanonicalUser', ID: 'i' }, Permission: 'READ' }
    expect(encoder.encode('GetBucketAcl', { Grants: [grant] }).body).toContain(
      '<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"><ID>i</ID></Grantee>',
    )
  })
})

describe('S3 errors', () => {
  it('are a document with what is known', () => {
    const error = noSuchKey('a<b')
    expect(error).toMatchObject({ code: 'NoSuchKey', status: 404 })
    expect(encodeS3Error(error, { requestId: 'r', hostId: 'h', resource: '/b/a' })).toBe(
      `${head}<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message><Key>a&lt;b</Key>` +
        '<Resource>/b/a</Resource><RequestId>r</RequestId><HostId>h</HostId></Error>',
    )
  })

  it('have a status each', () => {
    for (const [status] of Object.values(s3ErrorTable)) expect(status).toBeGreaterThanOrEqual(301)
    expect(s3Error('InvalidRange').status).toBe(416)
  })
})
