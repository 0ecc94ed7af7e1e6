/**
 * Exclusive XML Canonicalization 1.0 without comments, the only form in which we take or make signatures.
 * https://www.w3.org/TR/xml-exc-c14n/
 */
import { namespaceInScope, nameOf, type XmlElement } from './strict-xml.ts'

/** The subtree as text; its UTF-8 is what is hashed. `inclusive`: the PrefixList, `#default` for no prefix. */
export function canonicalXml(element: XmlElement, inclusive: readonly string[] = []): string {
  const listed = new Set(inclusive.map((prefix) => (prefix === '#default' ? '' : prefix)))
  const writing: Writing = { parts: [], rendered: new Map(), listed }
  write(writing, element, listed)
  return writing.parts.join('')
}

interface Writing {
  readonly parts: string[]
  /** What is written around the element at hand, put back when it closes: a copy for each would cost by its size. */
  readonly rendered: Map<string, string>
  readonly listed: ReadonlySet<string>
}

/**
 * Namespaces are written where they are first used, or first in scope for those that are listed. `fresh`: the listed
 * ones that may be otherwise here than in the parent, which are all at the top and below it those declared anew.
 */
function write(writing: Writing, element: XmlElement, fresh: Iterable<string>): void {
  const { parts, rendered, listed } = writing
  const before = renderNamespaces(rendered, element, fresh)
  const declarations = [...before.keys()]
    .toSorted(compare)
    .map(
      (prefix) => ` xmlns${prefix === '' ? '' : `:${prefix}`}="${attributeText(rendered.get(prefix) ?? '')}"`,
    )
  const attributes = element.attributes
    .toSorted((a, b) => compare(a.namespace, b.namespace) || compare(a.local, b.local))
    .map((attribute) => ` ${nameOf(attribute)}="${attributeText(attribute.value)}"`)
  const name = nameOf(element)
  parts.push('<', name, ...declarations, ...attributes, '>')
  for (const child of element.children) {
    if (typeof child === 'string') parts.push(contentText(child))
    else
      write(
        writing,
        child,
        [...child.declared.keys()].filter((prefix) => listed.has(prefix)),
      )
  }
  parts.push('</', name, '>')
  for (const [prefix, namespace] of before) {
    if (namespace === undefined) rendered.delete(prefix)
    else rendered.set(prefix, namespace)
  }
}

/** Sets what this element must declare; gives the prefixes with what they were before. */
function renderNamespaces(
  rendered: Map<string, string>,
  element: XmlElement,
  fresh: Iterable<string>,
): Map<string, string | undefined> {
  const used = element.attributes.map(({ prefix }) => prefix).filter((prefix) => prefix !== '')
  const before = new Map<string, string | undefined>()
  for (const prefix of new Set([element.prefix, ...used, ...fresh])) {
    const namespace = prefix === 'xml' ? undefined : namespaceInScope(element, prefix)
    const outer = rendered.get(prefix)
    if (namespace === undefined || namespace === (prefix === '' ? (outer ?? '') : outer)) continue
    before.set(prefix, outer)
    rendered.set(prefix, namespace)
  }
  return before
}

function compare(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

const references: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\t': '&#x9;',
  '\n': '&#xA;',
  '\r': '&#xD;',
}

const attributeText = (text: string): string =>
  text.replaceAll(/[&<"\t\n\r]/g, (char) => references[char] ?? char)
const contentText = (text: string): string => text.replaceAll(/[&<>\r]/g, (char) => references[char] ?? char)
