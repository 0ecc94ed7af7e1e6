import { describe, expect, it } from 'vitest'
import { parseForm, structNamed } from '@mallee/aws-protocol'
import { parseS3Address } from './address.ts'
import { S3Router } from './router.ts'
import { s3Model } from './s3-model.ts'

const router = new S3Router(s3Model())

function route(line: string, headers: Record<string, string> = {}): string {
  const [method = '', target = ''] = line.split(' ')
  const [path = '', query = ''] = target.split('?')
  return router.route({
    method,
    address: parseS3Address('h', path),
    query: new Map(parseForm(query)),
    headers,
  })
}

describe('S3Router', () => {
  it.each([
    ['GET /', 'ListBuckets'],
    ['GET /?x-id=ListBuckets', 'ListBuckets'],
    ['PUT /b', 'CreateBucket'],
    ['PUT /b/', 'CreateBucket'],
    ['HEAD /b', 'HeadBucket'],
    ['DELETE /b', 'DeleteBucket'],
    ['GET /b?location', 'GetBucketLocation'],
    ['GET /b?location=', 'GetBucketLocation'],
    ['GET /b', 'ListObjects'],
    ['GET /b?prefix=x&delimiter=/', 'ListObjects'],
    ['GET /b?list-type=2&prefix=acl', 'ListObjectsV2'],
    ['GET /b?versions', 'ListObjectVersions'],
    ['GET /b?uploads', 'ListMultipartUploads'],
    ['POST /b?delete', 'DeleteObjects'],
    ['PUT /b/k', 'PutObject'],
    ['PUT /b/k?x-id=PutObject', 'PutObject'],
    ['GET /b/k/', 'GetObject'],
    ['GET /b/k?versionId=1&response-content-type=x', 'GetObject'],
    ['GET /b/k?X-Amz-Signature=f&X-Amz-Date=x', 'GetObject'],
    ['HEAD /b/k?partNumber=1', 'HeadObject'],
    ['DELETE /b/k', 'DeleteObject'],
    ['DELETE /b/k?tagging', 'DeleteObjectTagging'],
    ['POST /b/k?uploads', 'CreateMultipartUpload'],
    ['PUT /b/k?partNumber=1&uploadId=u', 'UploadPart'],
    ['POST /b/k?uploadId=u', 'CompleteMultipartUpload'],
    ['DELETE /b/k?uploadId=u', 'AbortMultipartUpload'],
    ['GET /b/k?uploadId=u', 'ListParts'],
    ['GET /b/k?attributes', 'GetObjectAttributes'],
    ['GET /b?analytics', 'ListBucketAnalyticsConfigurations'],
    ['GET /b?analytics&id=x', 'GetBucketAnalyticsConfiguration'],
    ['GET /services/objectstorage/b/k', 'GetObject'],
  ])('%s is %s', (line, operation) => expect(route(line)).toBe(operation))

  it('knows copies by their header', () => {
    const headers = { 'x-amz-copy-source': '/a/b' }
    expect(route('PUT /b/k', headers)).toBe('CopyObject')
    expect(route('PUT /b/k?partNumber=1&uploadId=u', headers)).toBe('UploadPartCopy')
  })

  it.each([
    ['DELETE /b/k?acl', 'MethodNotAllowed'],
    ['DELETE /b?acl', 'MethodNotAllowed'],
    ['PUT /b?versions', 'MethodNotAllowed'],
    ['PUT /b/k?uploads', 'MethodNotAllowed'],
    ['PUT /b/k?uploadId=u', 'InvalidArgument'],
    ['PUT /b/k?partNumber=1', 'InvalidArgument'],
    ['POST /b', 'MethodNotAllowed'],
    ['POST /', 'MethodNotAllowed'],
    ['BREW /b/k', 'MethodNotAllowed'],
  ])('%s is refused', (line, code) => {
    expect(() => route(line)).toThrow(expect.objectContaining({ code }))
  })

  it('leads to every operation but those of other endpoints', () => {
    const reached = new Set<string>()
    for (const [operation, { http, in: input }] of Object.entries(s3Model().operations)) {
      const [method, uri] = http ?? ['', '']
      const members = input === undefined ? [] : Object.values(structNamed(s3Model(), input).members)
      const needed = members.flatMap(([, , traits]) => (traits?.required ? [traits] : []))
      const query = new URLSearchParams(uri.split('?')[1])
      for (const { queryKey } of needed) if (queryKey !== undefined) query.set(queryKey, '1')
      const headers = needed.flatMap(({ header }) => (header === undefined ? [] : [[header, 'x']]))
      const labels = members.filter(([, , traits]) => traits?.label).length
      const target = ['/', '/b', '/b/k'][labels] ?? ''
      try {
        const found = route(`${method} ${target}?${query.toString()}`, Object.fromEntries(headers))
        if (found === operation) reached.add(found)
      } catch {
        // refused: then it is missing below
      }
    }
    const missing = Object.keys(s3Model().operations).filter((name) => !reached.has(name))
    expect(missing).toEqual(['ListDirectoryBuckets', 'WriteGetObjectResponse'])
  })
})

describe('parseS3Address', () => {
  it.each([
    ['h', '/', undefined, undefined],
    ['h', '/b', 'b', undefined],
    ['h', '/b/', 'b', undefined],
    ['h', '/b//x//../y', 'b', '/x//../y'],
    ['h', '/b/a%20b+c%2Fd%C3%A9', 'b', 'a b+c/dé'],
    ['b.s3.local:8773', '/k/l', 'b', 'k/l'],
    ['B.S3.local', '/', 'b', undefined],
    ['s3.local', '/b/k', 'b', 'k'],
    ['h', '/services/Walrus/b/k', 'b', 'k'],
    ['h', '/services/objectstorage', undefined, undefined],
  ])('%s %s', (host, path, bucket, key) => {
    expect(parseS3Address(host, path, { baseHosts: ['s3.local'] })).toEqual({ bucket, key })
  })

  it('refuses bad escapes and long keys', () => {
    expect(() => parseS3Address('h', '/b/%zz')).toThrow(expect.objectContaining({ code: 'InvalidURI' }))
    expect(() => parseS3Address('h', '/b/%ff')).toThrow(expect.objectContaining({ code: 'InvalidURI' }))
    expect(() => parseS3Address('h', '//k')).toThrow(expect.objectContaining({ code: 'InvalidURI' }))
    const long = `/b/${'é'.repeat(513)}`
    expect(() => parseS3Address('h', encodeURI(long))).toThrow(
      expect.objectContaining({ code: 'KeyTooLongError' }),
    )
  })
})
