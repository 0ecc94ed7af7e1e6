/**
 * XML that comes from outside, made into a plain tree: no DOCTYPE, no entities but XML's own five and character
 * references, bounded in size and depth. Every fault is MalformedXML.
 */
import { XMLParser, XMLValidator } from 'fast-xml-parser'
import { s3Error } from './errors.ts'

export interface XmlElement {
  /** without namespace prefix */
  name: string
  /** names without prefix; text of each */
  attributes: ReadonlyMap<string, string>
  /** all text directly within */
  text: string
  children: readonly XmlElement[]
}

/** DeleteObjects with 1,000 long keys and CompleteMultipartUpload with 10,000 parts stay well below. */
export const maxXmlBodyBytes = 4 * 1024 * 1024
const maxDepth = 40

const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  removeNSPrefix: true,
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: false,
  processEntities: false,
  cdataPropName: '#cdata',
  ignoreDeclaration: true,
  ignorePiTags: true,
  maxNestedTags: maxDepth,
})

type ParsedNode = Record<string, unknown>

/** The root element. Throws MalformedXML, MaxMessageLengthExceeded. */
export function parseXmlBody(body: Uint8Array | string): XmlElement {
  const size = typeof body === 'string' ? Buffer.byteLength(body) : body.length
  if (size > maxXmlBodyBytes) throw s3Error('MaxMessageLengthExceeded')
  const roots = parsed(textOf(body)).filter((node) => !('#text' in node) && !('#cdata' in node))
  const root = roots.length === 1 ? roots[0] : undefined
  if (!root) throw s3Error('MalformedXML')
  return elementOf(root, 0)
}

function textOf(body: Uint8Array | string): string {
  if (typeof body === 'string') return body
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body)
  } catch {
    throw s3Error('MalformedXML')
  }
}

function parsed(text: string): ParsedNode[] {
  if (/<!DOCTYPE/i.test(text)) throw s3Error('MalformedXML')
  try {
    if (XMLValidator.validate(text) !== true) throw s3Error('MalformedXML')
    return parser.parse(text) as ParsedNode[]
  } catch {
    // The parser throws plain errors of many kinds; all of them mean that the document is no good.
    throw s3Error('MalformedXML')
  }
}

function elementOf(node: ParsedNode, depth: number): XmlElement {
  if (depth > maxDepth) throw s3Error('MalformedXML')
  const name = Object.keys(node).find((key) => key !== ':@') ?? ''
  const attributes = Object.entries((node[':@'] ?? {}) as Record<string, string>)
  let text = ''
  const children: XmlElement[] = []
  for (const child of node[name] as ParsedNode[]) {
    if ('#text' in child) text += unescaped(String(child['#text']))
    else if ('#cdata' in child) text += cdataOf(child['#cdata'])
    else children.push(elementOf(child, depth + 1))
  }
  const decoded = attributes.map(([key, value]): [string, string] => [key, unescaped(value)])
  return { name, attributes: new Map(decoded), text, children }
}

function cdataOf(parts: unknown): string {
  return (parts as ParsedNode[]).map((part) => String(part['#text'] ?? '')).join('')
}

const named: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

function unescaped(text: string): string {
  if (!text.includes('&')) return text
  return text.replaceAll(/&([^;&]*)(;?)/g, (_whole, name: string, end: string) => {
    const plain = Object.hasOwn(named, name) ? named[name] : characterOf(name)
    if (plain === undefined || end === '') throw s3Error('MalformedXML')
    return plain
  })
}

function characterOf(name: string): string | undefined {
  const [, hex, decimal] = /^#(?:x([0-9a-fA-F]{1,6})|(\d{1,7}))$/.exec(name) ?? []
  const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16)
  const valid = code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff)
  return valid ? String.fromCodePoint(code) : undefined
}
