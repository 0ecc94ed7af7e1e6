/**
 * A parser of the XML that a signed message needs, and of nothing else: elements, attributes, namespaces, text, the five
 * entities that XML has by itself and character references. What else XML can be is refused, above all what has been
 * used to make a verifier and a reader see two different documents: document types, entities, comments, processing
 * instructions, CDATA. The very tree that is verified is the one that is read.
 */
export interface XmlAttribute {
  readonly prefix: string
  readonly local: string
  /** Empty for an attribute without prefix. */
  readonly namespace: string
  readonly value: string
}

export interface XmlElement {
  readonly prefix: string
  readonly local: string
  /** Empty where it is in none. */
  readonly namespace: string
  readonly parent: XmlElement | null
  /** Prefix (empty for the default) to namespace, of the declarations on this very element. */
  readonly declared: ReadonlyMap<string, string>
  readonly attributes: readonly XmlAttribute[]
  readonly children: ReadonlyArray<XmlElement | string>
}

export class XmlRefused extends Error {
  override readonly name = 'XmlRefused'
}

export const xmlLimits = { maxDepth: 32, maxElements: 5_000, maxAttributes: 32 } as const
export const xmlNamespace = 'http://www.w3.org/XML/1998/namespace'

const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }
// eslint-disable-next-line no-control-regex
const notXml = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u

interface Open extends XmlElement {
  readonly children: Array<XmlElement | string>
}

/** Where a prefix is looked up: here, then in the parents. No map of all that is in scope is made for each element. */
type Scope = Pick<XmlElement, 'declared' | 'parent'>

/** The root element. Throws XmlRefused, with a reason for people. */
export function parseStrictXml(bytes: Uint8Array): XmlElement {
  return new Parser(decode(bytes)).document()
}

function decode(bytes: Uint8Array): string {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new XmlRefused('It is not UTF-8.')
  }
  if (notXml.test(text)) throw new XmlRefused('It holds a character that XML cannot hold.')
  return text.replaceAll(/\r\n?/g, '\n')
}

class Parser {
  readonly #text: string
  #at = 0
  #elements = 0

  constructor(text: string) {
    this.#text = text
  }

  document(): XmlElement {
    const declaration =
      /<\?xml[ \t\n]+version=(["'])1\.0\1(?:[ \t\n]+encoding=(["'])(?<encoding>[A-Za-z0-9._-]+)\2)?(?:[ \t\n]+standalone=(["'])(?:yes|no)\4)?[ \t\n]*\?>/y
    const head = this.#match(declaration)
    const encoding = head?.groups?.['encoding']
    if (encoding !== undefined && encoding.toLowerCase() !== 'utf-8')
      throw new XmlRefused('It must be in UTF-8.')
    this.#match(/[ \t\n]*/y)
    const root = this.#element()
    this.#match(/[ \t\n]*/y)
    if (this.#at !== this.#text.length) throw this.#unexpected()
    return root
  }

  /** One element with all that is in it, without recursion, so that depth costs no stack. */
  #element(): XmlElement {
    const root = this.#open(null)
    let current: Open | null = root.element
    if (root.empty) return root.element
    let depth = 1
    while (current) {
      this.#text_(current)
      const closing = this.#match(/<\/((?:[A-Za-z_][\w.-]*:)?[A-Za-z_][\w.-]*)[ \t\n]*>/y)
      if (closing) {
        if (closing[1] !== nameOf(current))
          throw new XmlRefused(`</${closing[1]}> closes <${nameOf(current)}>.`)
        current = current.parent as Open | null
        depth -= 1
        continue
      }
      const opened = this.#open(current)
      current.children.push(opened.element)
      if (opened.empty) continue
      depth += 1
      if (depth > xmlLimits.maxDepth)
        throw new XmlRefused(`It is deeper than ${xmlLimits.maxDepth} elements.`)
      current = opened.element
    }
    return root.element
  }

  #text_(into: Open): void {
    const raw = this.#match(/[^<]+/y)?.[0]
    if (raw === undefined) return
    if (raw.includes(']]>')) throw new XmlRefused('The text holds "]]>".')
    into.children.push(this.#resolved(raw))
  }

  #open(parent: Open | null): { element: Open; empty: boolean } {
    const tag = this.#match(/<((?:([A-Za-z_][\w.-]*):)?([A-Za-z_][\w.-]*))/y)
    if (!tag) throw this.#unexpected()
    this.#elements += 1
    if (this.#elements > xmlLimits.maxElements)
      throw new XmlRefused(`It has more than ${xmlLimits.maxElements} elements.`)
    const given = this.#attributes()
    const empty = this.#match(/[ \t\n]*(\/?)>/y)
    if (!empty) throw this.#unexpected()
    const scope: Scope = { declared: declarations(given), parent }
    const [prefix, local] = [tag[2] ?? '', tag[3] ?? '']
    const element: Open = {
      prefix,
      local,
      namespace: boundTo(scope, prefix),
      ...scope,
      attributes: attributesOf(given, scope),
      children: [],
    }
    return { element, empty: empty[1] === '/' }
  }

  #attributes(): RawAttribute[] {
    const found: RawAttribute[] = []
    for (;;) {
      const match = this.#match(
        /[ \t\n]+(?:([A-Za-z_][\w.-]*):)?([A-Za-z_][\w.-]*)[ \t\n]*=[ \t\n]*(?:"([^"<]*)"|'([^'<]*)')/y,
      )
      if (!match) return found
      if (found.length >= xmlLimits.maxAttributes)
        throw new XmlRefused(`An element has more than ${xmlLimits.maxAttributes} attributes.`)
      const text = match[3] ?? match[4] ?? ''
      const value = this.#resolved(text.replaceAll(/[\t\n]/g, ' '))
      found.push({ prefix: match[1] ?? '', local: match[2] ?? '', value })
    }
  }

  #resolved(raw: string): string {
    if (!raw.includes('&')) return raw
    return raw.replaceAll(
      /&(?:#(\d{1,7});|#x([0-9A-Fa-f]{1,6});|([A-Za-z]{1,8});)?/g,
      (_all, decimal, hex, name) => {
        if (name !== undefined && Object.hasOwn(entities, name)) return entities[name] as string
        const code = decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal)
        const char = code > 0 && code <= 0x10_ffff ? String.fromCodePoint(code) : '\0'
        if (notXml.test(char)) throw new XmlRefused('It holds an entity or a reference that is not allowed.')
        return char
      },
    )
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at
    const match = pattern.exec(this.#text)
    if (match) this.#at = pattern.lastIndex
    return match
  }

  #unexpected(): XmlRefused {
    const rest = this.#text.slice(this.#at, this.#at + 9)
    if (rest === '<!DOCTYPE') return new XmlRefused('A document type is not allowed.')
    if (rest.startsWith('<!')) return new XmlRefused('Comments, CDATA and declarations are not allowed.')
    if (rest.startsWith('<?')) return new XmlRefused('Processing instructions are not allowed.')
    return new XmlRefused(`It is not well-formed at character ${this.#at}.`)
  }
}

interface RawAttribute {
  readonly prefix: string
  readonly local: string
  readonly value: string
}

/** Without what canonicalizers write in different ways. */
const namespaceName = /^[!#-%'-;=?-~]*$/

const declares = ({ prefix, local }: RawAttribute): boolean =>
  prefix === 'xmlns' || (prefix === '' && local === 'xmlns')

function declarations(given: readonly RawAttribute[]): Map<string, string> {
  const declared = new Map<string, string>()
  for (const attribute of given.filter(declares)) {
    const prefix = attribute.prefix === '' ? '' : attribute.local
    if (declared.has(prefix)) throw new XmlRefused('A namespace is declared twice on one element.')
    const isReserved =
      prefix === 'xml' ||
      prefix === 'xmlns' ||
      /^http:\/\/www\.w3\.org\/(?:XML\/1998\/namespace|2000\/xmlns\/)$/.test(attribute.value)
    if (isReserved || (prefix !== '' && attribute.value === '') || !namespaceName.test(attribute.value))
      throw new XmlRefused('A namespace declaration is not allowed.')
    declared.set(prefix, attribute.value)
  }
  return declared
}

function attributesOf(given: readonly RawAttribute[], scope: Scope): XmlAttribute[] {
  const seen = new Set<string>()
  return given
    .filter((attribute) => !declares(attribute))
    .map((attribute) => {
      const namespace = attribute.prefix === '' ? '' : boundTo(scope, attribute.prefix)
      const key = `${namespace}\n${attribute.local}`
      if (seen.has(key)) throw new XmlRefused('An element has one attribute twice.')
      seen.add(key)
      return { ...attribute, namespace }
    })
}

/** Undefined for a prefix that nobody declared; empty for no default namespace. */
export function namespaceInScope(scope: Scope, prefix: string): string | undefined {
  for (let at: Scope | null = scope; at; at = at.parent) {
    const namespace = at.declared.get(prefix)
    if (namespace !== undefined) return namespace
  }
  return prefix === '' ? '' : undefined
}

function boundTo(scope: Scope, prefix: string): string {
  const namespace = prefix === 'xml' ? xmlNamespace : namespaceInScope(scope, prefix)
  if (namespace === undefined) throw new XmlRefused(`The prefix ${prefix} is not declared.`)
  return namespace
}

/** As it is written: with its prefix. */
export function nameOf({ prefix, local }: { readonly prefix: string; readonly local: string }): string {
  return prefix === '' ? local : `${prefix}:${local}`
}

/** The elements in it. Text beside them, other than white space, throws XmlRefused. */
export function elementsOf(element: XmlElement): XmlElement[] {
  return element.children.filter((child): child is XmlElement => {
    if (typeof child !== 'string') return true
    if (/[^ \t\n\r]/.test(child))
      throw new XmlRefused(`<${nameOf(element)}> holds text where only elements may be.`)
    return false
  })
}

/** Its text. An element in it throws XmlRefused. */
export function textOf(element: XmlElement): string {
  return element.children
    .map((child) => {
      if (typeof child === 'string') return child
      throw new XmlRefused(`<${nameOf(element)}> holds an element where only text may be.`)
    })
    .join('')
}

export function* allElements(root: XmlElement): Generator<XmlElement> {
  const waiting = [root]
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    yield next
    for (const child of next.children) if (typeof child !== 'string') waiting.push(child)
  }
}
