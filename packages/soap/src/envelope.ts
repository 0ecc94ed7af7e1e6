/**
 * The one shape of message that we take. Everything that counts has one place and may be nowhere else in the document,
 * so that there is nothing to wrap a signed part in: a second Body, a moved one, a second header are refused before any
 * signature is looked at.
 */
import { AwsError } from '@mallee/aws-protocol'
import { namespaces } from './names.ts'
import { allElements, elementsOf, nameOf, type XmlElement } from './strict-xml.ts'

export interface SecuredEnvelope {
  readonly body: XmlElement
  readonly timestamp: XmlElement
  readonly token: XmlElement
  readonly signature: XmlElement
  /** Every element that has an id, by it; no id is there twice. */
  readonly ids: ReadonlyMap<string, XmlElement>
}

export function invalidSoap(message: string): AwsError {
  return new AwsError('InvalidSOAPRequest', message)
}

export function invalidSecurity(message: string): AwsError {
  return new AwsError('InvalidSecurity', `The security header of the message is not accepted: ${message}`)
}

export function readEnvelope(root: XmlElement): SecuredEnvelope {
  if (root.local === 'Envelope' && root.namespace !== namespaces.soap)
    throw new AwsError('VersionMismatch', 'Only SOAP 1.1 is spoken here.')
  const [header, body, ...more] = isNamed(root, 'soap', 'Envelope') ? elementsOf(root) : []
  if (
    !header ||
    !body ||
    more.length > 0 ||
    !isNamed(header, 'soap', 'Header') ||
    !isNamed(body, 'soap', 'Body')
  ) {
    if (header && !body && isNamed(header, 'soap', 'Body')) throw missingHeader()
    throw invalidSoap('The message must be an Envelope of one Header and one Body.')
  }
  const headers = elementsOf(header)
  const security = headers.filter((element) => isNamed(element, 'wsse', 'Security'))
  if (security.length === 0) throw missingHeader()
  for (const element of headers) if (!security.includes(element)) refuseNeeded(element)
  refuseSecondOnes(root)
  const parts = securityParts(security[0]!)
  return { body, ...parts, ids: idsOf(root) }
}

function missingHeader(): AwsError {
  return new AwsError('MissingSecurityHeader', 'The SOAP request is missing a security header')
}

export function isNamed(element: XmlElement, space: keyof typeof namespaces, local: string): boolean {
  return element.local === local && element.namespace === namespaces[space]
}

/** Headers of other specifications are not read; one that must be understood cannot be passed over. */
function refuseNeeded(element: XmlElement): void {
  const must = element.attributes.find(
    ({ local, namespace }) => local === 'mustUnderstand' && namespace === namespaces.soap,
  )
  if (must && must.value !== '0' && must.value !== 'false')
    throw new AwsError('MustUnderstand', `The header ${nameOf(element).slice(0, 80)} is not understood.`)
}

const single: ReadonlyArray<readonly [space: keyof typeof namespaces, local: string]> = [
  ['soap', 'Envelope'],
  ['soap', 'Header'],
  ['soap', 'Body'],
  ['wsse', 'Security'],
  ['wsse', 'BinarySecurityToken'],
  ['wsu', 'Timestamp'],
  ['ds', 'Signature'],
  ['ds', 'SignedInfo'],
  ['ds', 'SignatureValue'],
  ['ds', 'KeyInfo'],
]

function refuseSecondOnes(root: XmlElement): void {
  const seen = new Set<string>()
  for (const element of allElements(root)) {
    const found = single.find(([space, local]) => isNamed(element, space, local))
    if (!found) continue
    if (seen.has(found.join())) throw invalidSecurity(`there is more than one ${found[1]}.`)
    seen.add(found.join())
  }
}

function securityParts(security: XmlElement): Pick<SecuredEnvelope, 'timestamp' | 'token' | 'signature'> {
  const children = elementsOf(security)
  const one = (space: keyof typeof namespaces, local: string): XmlElement => {
    const found = children.find((element) => isNamed(element, space, local))
    if (!found) throw invalidSecurity(`it has no ${local}.`)
    return found
  }
  const parts = {
    timestamp: one('wsu', 'Timestamp'),
    token: one('wsse', 'BinarySecurityToken'),
    signature: one('ds', 'Signature'),
  }
  if (children.length !== 3)
    throw invalidSecurity('it holds more than a Timestamp, a certificate and a Signature.')
  return parts
}

/** `wsu:Id` and plain `Id`, in any case and namespace: whatever some reader may take for an id counts as one. */
function idsOf(root: XmlElement): Map<string, XmlElement> {
  const ids = new Map<string, XmlElement>()
  for (const element of allElements(root)) {
    const own = element.attributes.filter(({ local }) => /^(?:id|assertionid)$/i.test(local))
    if (own.length > 1) throw invalidSecurity('an element has more than one id.')
    const id = own[0]?.value
    if (id === undefined) continue
    if (ids.has(id)) throw invalidSecurity('two elements have the same id.')
    ids.set(id, element)
  }
  return ids
}
