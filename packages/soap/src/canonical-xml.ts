/**
 * Exclusive XML Canonicalization 1.0 without comments, the only form in which we take or make signatures.
 * https://www.w3.org/TR/xml-exc-c14n/
 */
import { nameOf, type XmlElement } from './strict-xml.ts'

/** The subtree as text; its UTF-8 is what is hashed. `inclusive`: the PrefixList, `#default` for no prefix. */
export function canonicalXml(element: XmlElement, inclusive: readonly string[] = []): string {
  const listed = inclusive.map((prefix) => (prefix === '#default' ? '' : prefix))
  const parts: string[] = []
  write(parts, element, new Map(), listed)
  return parts.join('')
}

/** Namespaces are written where they are first used, or first in scope for those that are listed. */
function write(
  parts: string[],
  element: XmlElement,
  rendered: ReadonlyMap<string, string>,
  listed: readonly string[],
): void {
  const now = new Map(rendered)
  const used = [
    element.prefix,
    ...element.attributes.map(({ prefix }) => prefix).filter((prefix) => prefix !== ''),
  ]
  for (const prefix of new Set([...used, ...listed])) {
    const namespace = prefix === 'xml' ? undefined : inScope(element, prefix)
    if (namespace === undefined || (namespace === '' && (now.get('') ?? '') === '')) continue
    now.set(prefix, namespace)
  }
  const declarations = [...now]
    .filter(([prefix, namespace]) => rendered.get(prefix) !== namespace)
    .toSorted(([a], [b]) => compare(a, b))
    .map(([prefix, namespace]) => ` xmlns${prefix === '' ? '' : `:${prefix}`}="${attributeText(namespace)}"`)
  const attributes = element.attributes
    .toSorted((a, b) => compare(a.namespace, b.namespace) || compare(a.local, b.local))
    .map((attribute) => ` ${nameOf(attribute)}="${attributeText(attribute.value)}"`)
  const name = nameOf(element)
  parts.push('<', name, ...declarations, ...attributes, '>')
  for (const child of element.children) {
    if (typeof child === 'string') parts.push(contentText(child))
    else write(parts, child, now, listed)
  }
  parts.push('</', name, '>')
}

/** Undefined for a prefix that nobody declared; empty for no default namespace. */
function inScope(element: XmlElement, prefix: string): string | undefined {
  for (let at: XmlElement | null = element; at; at = at.parent) {
    const namespace = at.declared.get(prefix)
    if (namespace !== undefined) return namespace
  }
  return prefix === '' ? '' : undefined
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
