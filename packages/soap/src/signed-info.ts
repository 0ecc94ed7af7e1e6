/** What a signature says it covers, and how: read strictly, since every freedom of XML-Signature has been an attack. */
import { invalidSecurity, isNamed } from './envelope.ts'
import { digestAlgorithms, exclusiveC14n, signatureAlgorithms } from './names.ts'
import { elementsOf, textOf, type XmlElement } from './strict-xml.ts'

export interface SignedInfo {
  readonly element: XmlElement
  readonly algorithm: 'RSA-SHA1' | 'RSA-SHA256'
  /** The PrefixList of its own canonical form. */
  readonly inclusive: readonly string[]
  readonly references: readonly SignedReference[]
  readonly signature: Buffer
  /** The id that KeyInfo names. */
  readonly tokenId: string
}

export interface SignedReference {
  readonly id: string
  readonly digest: 'sha1' | 'sha256'
  readonly value: Buffer
  readonly inclusive: readonly string[]
}

/** Two are needed: Body and Timestamp. */
const maxReferences = 4
/** Each listed prefix costs a look at every element of what is signed; clients list those of the message, a few. */
const maxPrefixes = 32

export function readSignature(signature: XmlElement): SignedInfo {
  const [info, value, keyInfo] = inOrder(signature, ['SignedInfo', 'SignatureValue', 'KeyInfo'])
  const [c14n, method, ...references] = elementsOf(info)
  if (!c14n || !isNamed(c14n, 'ds', 'CanonicalizationMethod'))
    throw invalidSecurity('SignedInfo has no canonical form.')
  if (!method || !isNamed(method, 'ds', 'SignatureMethod'))
    throw invalidSecurity('SignedInfo names no algorithm.')
  const algorithm = named(signatureAlgorithms, algorithmOf(method))
  if (elementsOf(method).length > 0 || !algorithm)
    throw invalidSecurity('the algorithm of the signature is not allowed.')
  if (references.length > maxReferences) throw invalidSecurity(`it signs more than ${maxReferences} parts.`)
  const read = references.map(readReference)
  if (new Set(read.map(({ id }) => id)).size !== read.length)
    throw invalidSecurity('it signs one part twice.')
  return {
    element: info,
    algorithm,
    inclusive: prefixList(c14n),
    references: read,
    signature: base64(value),
    tokenId: tokenIdOf(keyInfo),
  }
}

function readReference(reference: XmlElement): SignedReference {
  if (!isNamed(reference, 'ds', 'Reference')) throw invalidSecurity('SignedInfo holds more than references.')
  const [transforms, method, value] = inOrder(reference, ['Transforms', 'DigestMethod', 'DigestValue'])
  const [transform, ...more] = elementsOf(transforms)
  if (!transform || more.length > 0 || !isNamed(transform, 'ds', 'Transform'))
    throw invalidSecurity('a reference must have one transform.')
  const digest = named(digestAlgorithms, algorithmOf(method))
  if (elementsOf(method).length > 0 || !digest)
    throw invalidSecurity('the algorithm of a digest is not allowed.')
  return { id: idNamed(reference), digest, value: base64(value), inclusive: prefixList(transform) }
}

/** Exactly these children of the signature's namespace, in this order. */
function inOrder(
  parent: XmlElement,
  names: readonly [string, string, string],
): [XmlElement, XmlElement, XmlElement] {
  const children = elementsOf(parent)
  const fits =
    children.length === 3 && children.every((child, index) => isNamed(child, 'ds', names[index] ?? ''))
  if (!fits) throw invalidSecurity(`${parent.local} must hold ${names.join(', ')} and nothing else.`)
  return children as [XmlElement, XmlElement, XmlElement]
}

/** Only exclusive canonicalization, as transform and as canonical form; its one option is a list of prefixes. */
function prefixList(method: XmlElement): string[] {
  if (algorithmOf(method) !== exclusiveC14n)
    throw invalidSecurity('only exclusive canonicalization is allowed.')
  const [option, ...more] = elementsOf(method)
  if (!option) return []
  const isList = option.local === 'InclusiveNamespaces' && option.namespace === exclusiveC14n
  if (!isList || more.length > 0 || elementsOf(option).length > 0)
    throw invalidSecurity('a canonical form has an option that is not allowed.')
  const list = attribute(option, 'PrefixList') ?? ''
  const prefixes = new Set(list.split(/[ \t\n\r]+/).filter((prefix) => prefix !== ''))
  if (prefixes.size > maxPrefixes)
    throw invalidSecurity(`a canonical form lists more than ${maxPrefixes} prefixes.`)
  return [...prefixes]
}

/** KeyInfo / SecurityTokenReference / Reference URI="#…" */
function tokenIdOf(keyInfo: XmlElement): string {
  const [pointer, ...more] = elementsOf(keyInfo)
  const [reference, ...others] =
    pointer && isNamed(pointer, 'wsse', 'SecurityTokenReference') ? elementsOf(pointer) : []
  const fits =
    reference && isNamed(reference, 'wsse', 'Reference') && more.length === 0 && others.length === 0
  if (!fits) throw invalidSecurity('KeyInfo must refer to the BinarySecurityToken.')
  return idNamed(reference)
}

function idNamed(reference: XmlElement): string {
  const uri = attribute(reference, 'URI') ?? ''
  if (!/^#[A-Za-z_][\w.-]{0,255}$/.test(uri)) throw invalidSecurity('a reference must name an id.')
  return uri.slice(1)
}

const algorithmOf = (element: XmlElement): string => attribute(element, 'Algorithm') ?? ''

function attribute(element: XmlElement, name: string): string | undefined {
  return element.attributes.find(({ local, namespace }) => local === name && namespace === '')?.value
}

function named<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined
}

/** White space apart strictly base64: what is decoded has one spelling. */
export function base64(element: XmlElement): Buffer {
  const text = textOf(element).replaceAll(/[ \t\n\r]/g, '')
  const bytes = Buffer.from(text, 'base64')
  if (text === '' || bytes.toString('base64') !== text)
    throw invalidSecurity(`${element.local} is not base64.`)
  return bytes
}
