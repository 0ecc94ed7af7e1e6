import { describe, expect, it } from 'vitest'
import { S3Decoder } from './decode.ts'
import { s3Model, s3OpenEnums } from './s3-model.ts'
import { maxXmlBodyBytes, parseXmlBody } from './xml-body.ts'

const decoder = new S3Decoder(s3Model(), { openEnums: s3OpenEnums })
const coded = (code: string) => expect.objectContaining({ code })

function decode(
  operation: string,
  over: { query?: Record<string, string>; headers?: Record<string, string>; body?: string } = {},
): Record<string, unknown> {
  const { query = {}, headers = {}, body } = over
  const address = { bucket: 'b', key: 'k' }
  return decoder.decode({ operation, address, query: new Map(Object.entries(query)), headers, body })
}

describe('what comes in headers and parameters', () => {
  it('is bound, typed, and unknown ones ignored', () => {
    const headers = {
      'content-type': 'text/plain',
      'content-length': '7',
      'x-amz-meta-a': '1',
      'x-amz-meta-b-c': 'd',
      expires: 'never',
      'x-amz-object-lock-retain-until-date': '2024-02-29T00:00:00Z',
      'x-unheard-of': 'x',
    }
    expect(decode('PutObject', { headers })).toEqual({
      Bucket: 'b',
      Key: 'k',
      ContentType: 'text/plain',
      ContentLength: 7,
      Expires: 'never',
      Metadata: { a: '1', 'b-c': 'd' },
      ObjectLockRetainUntilDate: new Date('2024-02-29T00:00:00Z'),
    })
    expect(
      decode('ListObjectsV2', { query: { 'list-type': '2', 'max-keys': '5', 'fetch-owner': 'true' } }),
    ).toEqual({
      Bucket: 'b',
      MaxKeys: 5,
      FetchOwner: true,
    })
  })

  it.each([
    ['aws-chunked', undefined],
    ['aws-chunked,gzip', 'gzip'],
    ['gzip, AWS-Chunked', 'gzip'],
    ['gzip', 'gzip'],
  ])('takes %s for an encoding of the object of %s', (text, encoding) => {
    const input = decode('PutObject', { headers: { 'content-encoding': text } })
    expect(input['ContentEncoding']).toBe(encoding)
  })

  it('ignores empty numbers and dates that are none', () => {
    expect(decode('ListObjects', { query: { 'max-keys': '' } })).toEqual({ Bucket: 'b' })
    expect(decode('GetObject', { headers: { 'if-modified-since': 'soon' } })).toEqual({
      Bucket: 'b',
      Key: 'k',
    })
  })

  it('is refused when it is not of its kind, or missing', () => {
    expect(() => decode('ListObjects', { query: { 'max-keys': 'x' } })).toThrow(coded('InvalidArgument'))
    expect(() => decode('PutObject', { headers: { 'x-amz-object-lock-mode': 'all' } })).toThrow(
      coded('InvalidArgument'),
    )
    expect(() => decode('UploadPart', { query: { uploadId: 'u' } })).toThrow(coded('MissingRequestParameter'))
  })
})

describe('what comes in a body', () => {
  it('is told apart from object bytes', () => {
    expect(decoder.needsBody('PutObject')).toBe(false)
    expect(decoder.needsBody('UploadPart')).toBe(false)
    expect(decoder.needsBody('GetObject')).toBe(false)
    expect(decoder.needsBody('DeleteObjects')).toBe(true)
    expect(decoder.needsBody('PutBucketPolicy')).toBe(true)
  })

  it('is decoded: prefixes, entities, CDATA, lists', () => {
    const body =
      '<?xml version="1.0"?>\n<s3:Delete xmlns:s3="http://s3.amazonaws.com/doc/2006-03-01/">\n' +
      '<s3:Object><s3:Key>a&lt;&#xE9;&#10;&amp;amp; </s3:Key></s3:Object>' +
      '<s3:Object><s3:Key><![CDATA[&lt;b]]></s3:Key><s3:VersionId>1</s3:VersionId></s3:Object><s3:Quiet> true</s3:Quiet></s3:Delete>'
    expect(decode('DeleteObjects', { body })['Delete']).toEqual({
      Objects: [{ Key: 'a<é\n&amp; ' }, { Key: '&lt;b', VersionId: '1' }],
      Quiet: true,
    })
  })

  it('may have attributes, be text, or be absent', () => {
    const body =
      '<AccessControlPolicy><AccessControlList><Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"><ID>i</ID></Grantee>' +
      '<Permission>READ</Permission></Grant></AccessControlList></AccessControlPolicy>'
    expect(decode('PutBucketAcl', { body })['AccessControlPolicy']).toEqual({
      Grants: [{ Grantee: { Type: 'CanonicalUser', ID: 'i' }, Permission: 'READ' }],
    })
    expect(decode('PutBucketPolicy', { body: '{"é":1}' })['Policy']).toBe('{"é":1}')
    expect(decode('CreateBucket')).toEqual({ Bucket: 'b' })
    const region =
      '<CreateBucketConfiguration><LocationConstraint>my-region</LocationConstraint></CreateBucketConfiguration>'
    expect(decode('CreateBucket', { body: region })['CreateBucketConfiguration']).toEqual({
      LocationConstraint: 'my-region',
    })
  })

  const entity = '<!DOCTYPE Delete [<!ENTITY x "y">]><Delete><Object><Key>&x;</Key></Object></Delete>'
  it.each([
    ['text', 'not xml'],
    ['an unclosed element', '<Delete><Object>'],
    ['two roots', '<Delete></Delete><Delete></Delete>'],
    ['another root', '<Create></Create>'],
    ['an unknown element', '<Delete><Object><Key>a</Key><Color>r</Color></Object></Delete>'],
    ['a missing element', '<Delete><Object></Object></Delete>'],
    ['nothing of what is required', '<Delete></Delete>'],
    ['an element twice', '<Delete><Object><Key>a</Key><Key>b</Key></Object></Delete>'],
    ['a value of another kind', '<Delete><Object><Key>a</Key></Object><Quiet>perhaps</Quiet></Delete>'],
    ['an element inside text', '<Delete><Object><Key>a<b/></Key></Object></Delete>'],
    ['a DOCTYPE', entity],
    ['an unknown entity', '<Delete><Object><Key>&x;</Key></Object></Delete>'],
    ['a bare ampersand', '<Delete><Object><Key>a & b</Key></Object></Delete>'],
    ['a character that is none', '<Delete><Object><Key>&#xD800;</Key></Object></Delete>'],
    ['prototype tricks', '<Delete><Object><Key>a</Key><__proto__><x>1</x></__proto__></Object></Delete>'],
    ['great depth', `${'<a>'.repeat(100_000)}${'</a>'.repeat(100_000)}`],
  ])('is MalformedXML with %s', (_name, body) => {
    expect(() => decode('DeleteObjects', { body })).toThrow(coded('MalformedXML'))
  })

  it('must be there when required, not too long, and UTF-8', () => {
    expect(() => decode('DeleteObjects')).toThrow(coded('MissingRequestBodyError'))
    const long = `<Delete>${' '.repeat(maxXmlBodyBytes)}</Delete>`
    expect(() => decode('DeleteObjects', { body: long })).toThrow(coded('MaxMessageLengthExceeded'))
    expect(() => parseXmlBody(Buffer.from([0x3c, 0x61, 0x3e, 0xff]))).toThrow(coded('MalformedXML'))
  })
})
