import { expect, test } from 'vitest'
import { canonicalXml } from './canonical-xml.ts'
import { elementsOf, parseStrictXml } from './strict-xml.ts'

const parse = (text: string) => parseStrictXml(Buffer.from(text))

/** Expected values made by libxml2 2.9.14 (xmllint --exc-c14n; lxml for prefix lists and subtrees). */
test.each([
  ['<a  b = "1"\n c=\'2\' />', '<a b="1" c="2"></a>'],
  ['<a z="1" b="2" xmlns:q="urn:q" q:a="3"/>', '<a xmlns:q="urn:q" b="2" z="1" q:a="3"></a>'],
  ['<n:a xmlns:n="urn:n" xmlns:unused="urn:u"><n:b/></n:a>', '<n:a xmlns:n="urn:n"><n:b></n:b></n:a>'],
  ['<a xmlns="urn:d"><b xmlns=""/></a>', '<a xmlns="urn:d"><b xmlns=""></b></a>'],
  [
    '<a xmlns:p="urn:1"><p:b xmlns:p="urn:2"/><p:b/></a>',
    '<a><p:b xmlns:p="urn:2"></p:b><p:b xmlns:p="urn:1"></p:b></a>',
  ],
  [
    '<a b="&lt;&amp;&#9;&#10;&#13;&quot;>">&lt;&gt;&amp;&#13;"</a>',
    '<a b="&lt;&amp;&#x9;&#xA;&#xD;&quot;>">&lt;&gt;&amp;&#xD;"</a>',
  ],
  ['<a>x\r\ny\rz</a>', '<a>x\ny\nz</a>'],
  ['<a xml:lang="de"/>', '<a xml:lang="de"></a>'],
])('%j', (text, expected) => {
  expect(canonicalXml(parse(text))).toBe(expected)
})

test('a part of a document brings the namespaces that it uses, and those that are listed', () => {
  const [, inner] = elementsOf(
    parse('<r xmlns="urn:d" xmlns:a="urn:a" xmlns:b="urn:b"><x/><b:y><z/></b:y></r>'),
  )
  expect(canonicalXml(inner!)).toBe('<b:y xmlns:b="urn:b"><z xmlns="urn:d"></z></b:y>')
  expect(canonicalXml(inner!, ['a'])).toBe('<b:y xmlns:a="urn:a" xmlns:b="urn:b"><z xmlns="urn:d"></z></b:y>')
  expect(canonicalXml(inner!, ['#default', 'none'])).toBe('<b:y xmlns="urn:d" xmlns:b="urn:b"><z></z></b:y>')
})

test('a listed namespace is written again where it is declared anew, and once more behind that', () => {
  const text = '<r xmlns:a="urn:1"><x xmlns:a="urn:2"><y/></x><z xmlns:a="urn:1"/><w/></r>'
  expect(canonicalXml(parse(text), ['a'])).toBe(
    '<r xmlns:a="urn:1"><x xmlns:a="urn:2"><y></y></x><z></z><w></w></r>',
  )
  expect(canonicalXml(parse('<r xmlns="urn:1"><x xmlns=""><y/></x><z/></r>'), ['#default'])).toBe(
    '<r xmlns="urn:1"><x xmlns=""><y></y></x><z></z></r>',
  )
})

test('what is canonical stays as it is', () => {
  const text = '<b:y xmlns:b="urn:b" b:k="&quot;"><z xmlns="urn:d">&#xD;&amp;</z></b:y>'
  expect(canonicalXml(parse(text))).toBe(text)
})
