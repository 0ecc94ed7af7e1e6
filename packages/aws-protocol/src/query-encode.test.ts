import { describe, expect, it } from 'vitest'
import { sampleModel } from '../test/sample-model.ts'
import { AwsError } from './aws-error.ts'
import { encodeErrorFor, QueryEncoder } from './query-encode.ts'
import { escapeXml, escapeXmlAttribute, escapeXmlKeepingControls } from './xml-text.ts'

const body = (xml: string): string => xml.replace('<?xml version="1.0" encoding="UTF-8"?>\n', '')
const output = {
  Id: 'a<b',
  Tags: [{ Key: 'k', Value: '' }, { Key: 'l' }],
  Nested: { Nested: { Value: 'v' }, Value: undefined },
  At: new Date('2024-02-29T12:00:00Z'),
  Data: Buffer.from([0, 255, 10]),
  Count: 0,
}

describe('EC2 answers', () => {
  const encoder = new QueryEncoder(sampleModel('ec2Query'))

  it('have their members in the root, empty lists, and no absent structs', () => {
    expect(body(encoder.encode({ operation: 'Make', output, requestId: 'r', version: '2015-10-01' }))).toBe(
      '<MakeResponse xmlns="http://ec2.amazonaws.com/doc/2015-10-01/"><requestId>r</requestId><id>a&lt;b</id>' +
        '<tagSet><item><key>k</key><value/></item><item><key>l</key></item></tagSet>' +
        '<nested><nested><value>v</value></nested></nested><at>2024-02-29T12:00:00.000Z</at>' +
        '<data>AP8K</data><count>0</count><nameSet/></MakeResponse>',
    )
  })

  it('say true when there is nothing to say', () => {
    expect(body(encoder.encode({ operation: 'Ping', output: undefined, requestId: 'r' }))).toBe(
      '<PingResponse xmlns="http://sample/doc/"><requestId>r</requestId><return>true</return></PingResponse>',
    )
  })

  it('put no version into the namespace that is not one', () => {
    const xml = encoder.encode({ operation: 'Ping', output: {}, requestId: 'r', version: '"><x' })
    expect(xml).toContain('xmlns="http://sample/doc/"')
  })

  it('refuse an operation that is not there', () => {
    expect(() => encoder.encode({ operation: 'No', output: {}, requestId: 'r' })).toThrow('no operation No')
  })
})

describe('query answers', () => {
  const encoder = new QueryEncoder(sampleModel('awsQuery'))

  it('wrap the result, even an empty one, but for operations without output', () => {
    expect(body(encoder.encode({ operation: 'Make', output: {}, requestId: 'r' }))).toBe(
      '<MakeResponse xmlns="http://sample/doc/"><MakeResult><tagSet/><nameSet/></MakeResult>' +
        '<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></MakeResponse>',
    )
    expect(body(encoder.encode({ operation: 'Ping', output: {}, requestId: 'r' }))).toBe(
      '<PingResponse xmlns="http://sample/doc/"><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></PingResponse>',
    )
  })
})

describe('errors', () => {
  const error = new AwsError('Some.Code', 'a & b', 404)

  it('have an envelope for each protocol', () => {
    expect(body(encodeErrorFor(sampleModel('ec2Query'), error, 'r'))).toBe(
      '<Response><Errors><Error><Code>Some.Code</Code><Message>a &amp; b</Message></Error></Errors><RequestID>r</RequestID></Response>',
    )
    expect(body(encodeErrorFor(sampleModel('awsQuery'), error, 'r'))).toBe(
      '<ErrorResponse xmlns="http://sample/doc/"><Error><Type>Sender</Type><Code>Some.Code</Code><Message>a &amp; b</Message></Error><RequestId>r</RequestId></ErrorResponse>',
    )
    const ours = new AwsError('InternalFailure', 'x', 500)
    expect(encodeErrorFor(sampleModel('awsQuery'), ours, 'r')).toContain('<Type>Receiver</Type>')
  })
})

describe('XML text', () => {
  it('escapes what must be, and what XML cannot hold', () => {
    expect(escapeXml('a\n\t"é😀\'')).toBe('a\n\t"é😀\'')
    expect(escapeXml('<&>\r\u0001\uFFFE\uD800')).toBe('&lt;&amp;&gt;&#xD;\uFFFD\uFFFD\uFFFD')
    expect(escapeXmlKeepingControls('\u0001\uFFFF\uDC00<')).toBe('&#x1;&#xFFFF;\uFFFD&lt;')
    expect(escapeXmlAttribute('a"\n\t\r')).toBe('a&quot;&#xA;&#x9;&#xD;')
  })
})
