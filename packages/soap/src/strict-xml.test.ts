import { describe, expect, test } from 'vitest'
import { parseStrictXml, textOf, XmlRefused, xmlLimits } from './strict-xml.ts'

const parse = (text: string) => parseStrictXml(Buffer.from(text))

test('what it reads: namespaces, attributes, references, text', () => {
  const root = parse(
    `<?xml version="1.0" encoding="utf-8"?>\n<a:r xmlns:a="urn:a" xmlns="urn:d"><b a:x='1' y="&lt;&#65;&#x42;&quot;\n"/>\r\n&amp;é</a:r>\n`,
  )
  expect([root.namespace, root.local, root.children.length]).toEqual(['urn:a', 'r', 2])
  const [child, text] = root.children
  expect(child).toMatchObject({ namespace: 'urn:d', local: 'b' })
  expect((child as typeof root).attributes).toMatchObject([
    { namespace: 'urn:a', local: 'x', value: '1' },
    { namespace: '', local: 'y', value: '<AB" ' },
  ])
  expect(text).toBe('\n&é')
  expect(textOf(parse('<a>x&#13;y</a>'))).toBe('x\ry')
})

test('namespaces are found however far up they were declared, and no element holds those of its parents', () => {
  const declarations = (level: number) =>
    Array.from({ length: 32 }, (_, index) => ` xmlns:p${level}.${index}="urn:${level}.${index}"`).join('')
  const opening = Array.from({ length: 30 }, (_, level) => `<a${declarations(level)}>`).join('')
  const root = parse(`${opening}${'<b xmlns:z="u"/>'.repeat(4000)}<p0.7:c p29.31:d=""/>${'</a>'.repeat(30)}`)
  let inmost = root
  for (let level = 1; level < 30; level += 1) inmost = inmost.children[0] as typeof root
  const last = inmost.children.at(-1) as typeof root
  expect([last.namespace, last.attributes[0]?.namespace]).toEqual(['urn:0.7', 'urn:29.31'])
  expect((inmost.children[0] as typeof root).declared.size).toBe(1)
  expect(last).not.toHaveProperty('scope')
})

describe('what it refuses', () => {
  test.each([
    '',
    'text',
    '<a>',
    '<a></b>',
    '<a></a><b/>',
    '<a/>x',
    '<a b=c/>',
    '<a b="1"c="2"/>',
    '<a b="1" b="2"/>',
    '<a b="<"/>',
    '<a xmlns:p="urn:p" xmlns:q="urn:p" p:b="1" q:b="2"/>',
    '<p:a/>',
    '<a p:b=""/>',
    '<a xmlns:p=""/>',
    '<a xmlns:xml="urn:x"/>',
    '<a xmlns:xmlns="urn:x"/>',
    '<a xmlns="http://www.w3.org/2000/xmlns/"/>',
    '<a xmlns="urn: x"/>',
    '<a>&nbsp;</a>',
    '<a>&</a>',
    '<a>&#0;</a>',
    '<a>&#xD800;</a>',
    '<a>&#x110000;</a>',
    '<a>]]></a>',
    '<a>\u0001</a>',
    '<a>\uFFFE</a>',
    '<a\u00A0b="1"/>',
    '<!DOCTYPE a><a/>',
    '<a><!-- --></a>',
    '<a><![CDATA[x]]></a>',
    '<a><?x ?></a>',
    '<?x?><a/>',
    '<?xml version="1.1"?><a/>',
    '<?xml version="1.0" encoding="UTF-16"?><a/>',
    ' <?xml version="1.0"?><a/>',
    '<a:b:c xmlns:a="urn:a"/>',
    '<1/>',
  ])('%j', (text) => {
    expect(() => parse(text)).toThrow(XmlRefused)
  })
  test('bytes that are not UTF-8, and more than the limits', () => {
    expect(() => parseStrictXml(Buffer.from([0x3c, 0x61, 0x3e, 0xff, 0x3c, 0x2f, 0x61, 0x3e]))).toThrow(
      XmlRefused,
    )
    const deep = (levels: number) => '<a>'.repeat(levels) + '</a>'.repeat(levels)
    expect(parse(deep(xmlLimits.maxDepth)).local).toBe('a')
    expect(() => parse(deep(xmlLimits.maxDepth + 1))).toThrow('deeper')
    expect(() => parse(`<a>${'<b/>'.repeat(xmlLimits.maxElements)}</a>`)).toThrow('more than')
    const many = Array.from({ length: xmlLimits.maxAttributes + 1 }, (_, index) => `b${index}=""`)
    expect(() => parse(`<a ${many.join(' ')}/>`)).toThrow('attributes')
  })
})
