/** Makes signed messages, as clients of the SOAP era do; for our own tests and tools. */
import { createHash, sign, X509Certificate } from 'node:crypto'
import { escapeXmlAttribute } from '@mallee/aws-protocol'
import { canonicalXml } from './canonical-xml.ts'
import { digestAlgorithms, exclusiveC14n, namespaces, signatureAlgorithms, tokenTypes } from './names.ts'
import { allElements, parseStrictXml, type XmlElement } from './strict-xml.ts'

export interface MessageSigner {
  /** PKCS#8 private key, PEM */
  readonly key: string
  /** PEM */
  readonly certificate: string
}

export interface MessageOptions {
  readonly createdMs: number
  /** Milliseconds after that; five minutes where not said */
  readonly lifeMs?: number
  readonly hash?: 'sha1' | 'sha256'
  /** Ids of what is signed. */
  readonly signedIds?: readonly string[]
}

/** An envelope around this content of the Body, with Timestamp (id `ts`) and Body (id `body`) signed. */
export function signMessage(content: string, signer: MessageSigner, options: MessageOptions): string {
  const { createdMs, lifeMs = 300_000 } = options
  const time = (atMs: number) => new Date(atMs).toISOString()
  const der = new X509Certificate(signer.certificate).raw.toString('base64')
  const unsigned = `<soapenv:Envelope xmlns:soapenv="${namespaces.soap}"><soapenv:Header><wsse:Security xmlns:wsse="${namespaces.wsse}" xmlns:wsu="${namespaces.wsu}" soapenv:mustUnderstand="1"><wsse:BinarySecurityToken EncodingType="${tokenTypes.base64}" ValueType="${tokenTypes.certificate}" wsu:Id="cert">${der}</wsse:BinarySecurityToken><wsu:Timestamp wsu:Id="ts"><wsu:Created>${time(createdMs)}</wsu:Created><wsu:Expires>${time(createdMs + lifeMs)}</wsu:Expires></wsu:Timestamp></wsse:Security></soapenv:Header><soapenv:Body xmlns:wsu="${namespaces.wsu}" wsu:Id="body">${content}</soapenv:Body></soapenv:Envelope>`
  return signEnvelope(unsigned, signer, options)
}

/** Adds a Signature at the end of the Security header of a message that has one, over the elements with these ids. */
export function signEnvelope(
  unsigned: string,
  signer: MessageSigner,
  { hash = 'sha1', signedIds = ['ts', 'body'] }: Pick<MessageOptions, 'hash' | 'signedIds'>,
): string {
  const root = parseStrictXml(Buffer.from(unsigned))
  const uri = (table: Readonly<Record<string, string>>, name: string) =>
    Object.keys(table).find((key) => table[key] === name) ?? ''
  const c14n = (name: string) => `<ds:${name} Algorithm="${exclusiveC14n}"></ds:${name}>`
  const references = signedIds.map((id) => {
    const digest = createHash(hash)
      .update(canonicalXml(withId(root, id)))
      .digest('base64')
    return `<ds:Reference URI="#${escapeXmlAttribute(id)}"><ds:Transforms>${c14n('Transform')}</ds:Transforms><ds:DigestMethod Algorithm="${uri(digestAlgorithms, hash)}"></ds:DigestMethod><ds:DigestValue>${digest}</ds:DigestValue></ds:Reference>`
  })
  const algorithm = hash === 'sha1' ? 'RSA-SHA1' : 'RSA-SHA256'
  const info = `<ds:SignedInfo xmlns:ds="${namespaces.ds}">${c14n('CanonicalizationMethod')}<ds:SignatureMethod Algorithm="${uri(signatureAlgorithms, algorithm)}"></ds:SignatureMethod>${references.join('')}</ds:SignedInfo>`
  const canonical = canonicalXml(parseStrictXml(Buffer.from(info)))
  const value = sign(algorithm, Buffer.from(canonical), signer.key).toString('base64')
  const reference = `<wsse:SecurityTokenReference xmlns:wsse="${namespaces.wsse}"><wsse:Reference URI="#cert" ValueType="${tokenTypes.certificate}"/></wsse:SecurityTokenReference>`
  const signature = `<ds:Signature xmlns:ds="${namespaces.ds}">${info}<ds:SignatureValue>${value}</ds:SignatureValue><ds:KeyInfo>${reference}</ds:KeyInfo></ds:Signature>`
  return unsigned.replace('</wsse:Security>', () => `${signature}</wsse:Security>`)
}

function withId(root: XmlElement, id: string): XmlElement {
  for (const element of allElements(root))
    if (element.attributes.some(({ local, value }) => /^id$/i.test(local) && value === id)) return element
  throw new TypeError(`nothing in the message has the id ${id}`)
}
