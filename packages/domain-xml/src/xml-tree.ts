/**
 * XML as a tree that keeps the order of children, which both instance.xml and libvirt's device lists need.
 * Reading is xml2js (entities other than XML's five are refused, nothing is ever fetched); writing is ours,
 * because the builder of xml2js groups equal names together.
 */
import { Parser } from 'xml2js'

export interface XmlElement {
  name: string
  attributes: Record<string, string>
  /** Elements, and text as strings; white space between elements is not kept. */
  children: (XmlElement | string)[]
}

/** Why a text is not the XML it should be. */
export type XmlFault = 'truncated' | 'trailing-data' | 'not-well-formed' | 'too-large'

export class XmlError extends Error {
  override readonly name = 'XmlError'
  readonly fault: XmlFault
  /** For 'trailing-data': how many characters the complete document before it has. */
  readonly documentLength: number | undefined

  constructor(fault: XmlFault, message: string, documentLength?: number) {
    super(message)
    this.fault = fault
    this.documentLength = documentLength
  }
}

/** Larger documents are not looked at: libvirt itself takes no string of more than 4 MiB. */
const MAX_LENGTH = 4 * 1024 * 1024

type ParsedNode = { '#name': string; $?: Record<string, string>; _?: string; $$?: ParsedNode[] }

function fromParsed(node: ParsedNode): XmlElement {
  const children = (node.$$ ?? []).map((child) =>
    child['#name'] === '__text__' ? child._! : fromParsed(child),
  )
  return { name: node['#name'], attributes: { ...node.$ }, children }
}

/** After the document: white space, comments and processing instructions only. */
const AFTER_DOCUMENT = /^(?:\s|<!--[\s\S]*?-->|<\?[\s\S]*?\?>)*$/

/** Reads one document. @throws XmlError */
export function parseXml(text: string): XmlElement {
  if (text.length > MAX_LENGTH) throw new XmlError('too-large', `document of ${text.length} characters`)
  const parser = new Parser({
    explicitRoot: false,
    explicitChildren: true,
    preserveChildrenOrder: true,
    charsAsChildren: true,
  })
  let root: ParsedNode | null = null
  let length = 0
  let error: Error | null = null
  parser.on('end', (result: ParsedNode | null) => {
    // Called again for a second document behind the first, which the check below finds.
    if (root !== null) return
    root = result
    length = positionOf(parser)
  })
  // After the document's end an error says only that something follows, which the check below finds.
  const note = (cause: unknown) => {
    if (root === null) error ??= cause as Error
  }
  parser.on('error', note)
  try {
    parser.parseString(text)
  } catch (cause) {
    note(cause)
  }
  if (root === null || error !== null) {
    const message = firstLine(error) ?? 'no document'
    throw new XmlError(
      /^no document|Unclosed|Unexpected end/.test(message) ? 'truncated' : 'not-well-formed',
      message,
    )
  }
  if (!AFTER_DOCUMENT.test(text.slice(length))) {
    throw new XmlError('trailing-data', `something follows the document at ${length}`, length)
  }
  try {
    return fromParsed(typeof root === 'string' ? { '#name': '', _: root } : root)
  } catch (cause) {
    throw new XmlError('not-well-formed', `nested too deeply: ${(cause as Error).message}`)
  }
}

/** Where xml2js's own reader stands; it has no public name for that. */
function positionOf(parser: Parser): number {
  return (parser as unknown as { saxParser: { position: number } }).saxParser.position
}

function firstLine(error: Error | null): string | undefined {
  return error?.message.split('\n').slice(0, 3).join(' ')
}

/** Makes an element. */
export function element(
  name: string,
  attributes: Record<string, string> = {},
  children: (XmlElement | string)[] = [],
): XmlElement {
  return { name, attributes, children }
}

/** The element children, all or those with this name. */
export function elements(parent: XmlElement | undefined, name?: string): XmlElement[] {
  const found = (parent?.children ?? []).filter((child): child is XmlElement => typeof child !== 'string')
  return name === undefined ? found : found.filter((child) => child.name === name)
}

/** The first element reached by the names, one level each. */
export function find(parent: XmlElement | undefined, ...names: string[]): XmlElement | undefined {
  return names.reduce<XmlElement | undefined>((at, name) => elements(at, name)[0], parent)
}

/** The text directly in an element; empty where there is none. */
export function textOf(at: XmlElement | undefined): string {
  return (at?.children ?? []).filter((child) => typeof child === 'string').join('')
}

// What XML 1.0 cannot carry, not even escaped.
// oxlint-disable-next-line no-control-regex
const IMPOSSIBLE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/

function escape(text: string, pattern: RegExp): string {
  if (IMPOSSIBLE.test(text) || !text.isWellFormed()) {
    throw new XmlError('not-well-formed', 'text holds a character that XML cannot carry')
  }
  return text.replace(pattern, (character) => `&#${character.codePointAt(0)};`)
}
const escapeText = (text: string) => escape(text, /[&<>\r]/g)
// Line breaks and tabs in an attribute would be read back as spaces.
const escapeAttribute = (text: string) => escape(text, /[&<>"\r\n\t]/g)

/** An element as text, two spaces a level; elements with text in them are not broken up. */
export function serializeXml(root: XmlElement, indent = ''): string {
  const attributes = Object.entries(root.attributes).map(
    ([name, value]) => ` ${name}="${escapeAttribute(value)}"`,
  )
  const open = `<${root.name}${attributes.join('')}`
  if (root.children.length === 0) return `${indent}${open}/>`
  const mixed = root.children.some((child) => typeof child === 'string')
  const parts = root.children.map((child) => {
    if (typeof child === 'string') return escapeText(child)
    return serializeXml(child, mixed ? '' : `${indent}  `)
  })
  if (mixed) return `${indent}${open}>${parts.join('')}</${root.name}>`
  return `${indent}${open}>\n${parts.join('\n')}\n${indent}</${root.name}>`
}

/** A whole document, with declaration. */
export function serializeDocument(root: XmlElement): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${serializeXml(root)}\n`
}

/**
 * One form for all documents that say the same: attributes sorted, no comments, no white space around text.
 */
export function canonicalXml(text: string): string {
  const canonical = ({ name, attributes, children }: XmlElement): XmlElement => ({
    name,
    attributes: Object.fromEntries(Object.entries(attributes).toSorted(([a], [b]) => (a < b ? -1 : 1))),
    children: children
      .map((child) => (typeof child === 'string' ? child.trim() : canonical(child)))
      .filter((child) => child !== ''),
  })
  return serializeDocument(canonical(parseXml(text)))
}
