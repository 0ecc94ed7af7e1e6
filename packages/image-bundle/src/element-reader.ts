import { XMLParser, XMLValidator } from 'fast-xml-parser'
import { BundleRefused } from './bundle-refused.ts'

/**
 * XML from outside, read one element after the other in the order that is expected: nothing unknown, nothing twice, no
 * document types, entities, comments, CDATA or processing instructions.
 */
export class ElementReader {
  private readonly name: string
  private readonly attributes: Readonly<Record<string, string>>
  private readonly children: readonly Node[]
  private at = 0

  private constructor(node: Node) {
    this.name = nameOf(node)
    this.attributes = node[':@'] ?? {}
    this.children = node[this.name] as Node[]
  }

  /** The root element, which must have this name. */
  static parse(bytes: Uint8Array, rootName: string, what: string): ElementReader {
    const refused = (why: string) => new BundleRefused(`${what} ${why}`)
    let text: string
    try {
      text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    } catch {
      throw refused('is not UTF-8.')
    }
    const body = text.replace(/^\s*<\?xml [^?<>]{0,100}\?>/, '')
    if (/<[!?]/.test(body)) throw refused('holds a document type, a comment or an instruction.')
    let nodes: Node[]
    try {
      if (XMLValidator.validate(body) !== true) throw refused('is no well-formed XML.')
      nodes = (parser.parse(body) as Node[]).filter((node) => !isSpace(node))
    } catch (error) {
      // The parser throws plain errors of many kinds; all of them mean that the document is no good.
      throw error instanceof BundleRefused ? error : refused('is no well-formed XML.')
    }
    const [root] = nodes
    if (!root || nodes.length > 1 || nameOf(root) !== rootName)
      throw refused(`is no document of the kind <${rootName}>.`)
    return new ElementReader(root)
  }

  /** The next element, which must have this name. */
  element(name: string): ElementReader {
    const found = this.optional(name)
    if (!found) throw new BundleRefused(`<${this.name}> lacks <${name}> at its place.`)
    return found
  }

  /** The next element if it has this name, else null. */
  optional(name: string): ElementReader | null {
    while (this.at < this.children.length && isSpace(this.children[this.at]!)) this.at += 1
    const next = this.children[this.at]
    if (!next || isText(next) || nameOf(next) !== name) return null
    this.at += 1
    return new ElementReader(next)
  }

  /** All that follow with this name. */
  all(name: string): ElementReader[] {
    const found: ElementReader[] = []
    for (let next = this.optional(name); next; next = this.optional(name)) found.push(next)
    return found
  }

  /** The text of the next element, which must have this name. */
  text(name: string, form: RegExp, attribute: readonly [string, string] | null = null): string {
    return this.element(name).value(form, attribute)
  }

  optionalText(name: string, form: RegExp): string | null {
    return this.optional(name)?.value(form) ?? null
  }

  /** Its own text. Elements in it, a text of another form, and an attribute that says something else are refused. */
  value(form: RegExp, attribute: readonly [string, string] | null = null): string {
    if (!this.children.every(isText)) throw new BundleRefused(`<${this.name}> holds an element.`)
    const text = this.children
      .map((node) => resolved(String(node['#text'])))
      .join('')
      .trim()
    if (!form.test(text)) throw new BundleRefused(`The value of <${this.name}> is none that it can have.`)
    if (attribute && this.attributes[attribute[0]] !== attribute[1])
      throw new BundleRefused(`<${this.name}> must say ${attribute[0]}="${attribute[1]}".`)
    return text
  }

  attribute(name: string): string | undefined {
    return Object.hasOwn(this.attributes, name) ? this.attributes[name] : undefined
  }

  /** Nothing may follow. */
  end(): void {
    const rest = this.children.slice(this.at).find((node) => !isSpace(node))
    if (!rest) return
    const what = isText(rest) ? 'text' : `<${nameOf(rest).slice(0, 40)}>`
    throw new BundleRefused(`<${this.name}> holds ${what} where none may be.`)
  }
}

type Node = { [name: string]: unknown } & { ':@'?: Record<string, string> }

const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: false,
  processEntities: false,
  maxNestedTags: 8,
})

const isText = (node: Node): boolean => '#text' in node
const isSpace = (node: Node): boolean => isText(node) && String(node['#text']).trim() === ''
const nameOf = (node: Node): string => Object.keys(node).find((key) => key !== ':@') ?? ''

const named: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

function resolved(text: string): string {
  return text.replaceAll(/&([^;&]{0,10};?)/g, (_all, name: string) => {
    const plain =
      Object.hasOwn(named, name.slice(0, -1)) && name.endsWith(';') ? named[name.slice(0, -1)] : null
    if (plain === null || plain === undefined)
      throw new BundleRefused('The document holds an entity that is not allowed.')
    return plain
  })
}
