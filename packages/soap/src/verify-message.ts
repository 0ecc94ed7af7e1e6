/**
 * Decides whether a SOAP message was signed by the holder of a certificate's key, and gives out the Body as it was
 * signed. Pure: who the certificate belongs to, and whether the message was seen before, is the caller's to find out.
 *
 * It goes in two steps, each dearer than the one before. The signature of SignedInfo, which is small, is checked first,
 * so that only a key's holder learns whether its certificate is known here; what it signs may be large, and is looked
 * at only when the caller, who knows the owner by then, asks for it.
 *
 * The Body that is given out is parsed anew from the very bytes whose digest was verified.
 */
import { createHash, verify, X509Certificate } from 'node:crypto'
import { allowedSkewMs, AwsError } from '@mallee/aws-protocol'
import { readSigningCertificate, type SigningCertificate } from '@mallee/pki'
import { canonicalXml } from './canonical-xml.ts'
import { invalidSecurity, invalidSoap, isNamed, readEnvelope, type SecuredEnvelope } from './envelope.ts'
import { tokenTypes } from './names.ts'
import { base64, readSignature, type SignedInfo } from './signed-info.ts'
import { elementsOf, parseStrictXml, textOf, XmlRefused, type XmlElement } from './strict-xml.ts'

export interface VerifiedMessage {
  readonly certificate: SigningCertificate
  /** Of what was signed: the same for the same message, however it was written down. */
  readonly messageDigest: string
  /** When the message stops being good, in milliseconds since the epoch. */
  readonly expiresAtMs: number
  /** The signed Body. */
  readonly body: XmlElement
}

/** A message whose SignedInfo is its signer's; what that says of the message has not been looked at yet. */
export interface OpenedMessage {
  readonly certificate: SigningCertificate
  /** Throws as verifyMessage does. */
  verify(options: { readonly nowMs: number }): VerifiedMessage
}

/** A message lives for a day at most: so long it is remembered that it was taken. */
const longestLifeMs = 24 * 60 * 60 * 1000

/**
 * Throws AwsError: InvalidSOAPRequest, VersionMismatch, MustUnderstand, MissingSecurityHeader, InvalidSecurity for a
 * message that is not of the one form; SignatureDoesNotMatch; RequestExpired.
 */
export function verifyMessage(bytes: Uint8Array, options: { readonly nowMs: number }): VerifiedMessage {
  return openMessage(bytes).verify(options)
}

/** The first step of it. Throws AwsError as verifyMessage does, but RequestExpired. */
export function openMessage(bytes: Uint8Array): OpenedMessage {
  const signed = readable(() => signedMessage(bytes))
  return {
    certificate: signed.certificate,
    verify: ({ nowMs }) => readable(() => verified(signed, nowMs)),
  }
}

function readable<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof XmlRefused) throw invalidSoap(`The message cannot be read. ${error.message}`)
    throw error
  }
}

interface SignedMessage {
  readonly envelope: SecuredEnvelope
  readonly info: SignedInfo
  readonly certificate: SigningCertificate
  /** The canonical SignedInfo. */
  readonly signedText: string
}

function signedMessage(bytes: Uint8Array): SignedMessage {
  const envelope = readEnvelope(parseStrictXml(bytes))
  const info = readSignature(envelope.signature)
  const der = certificateBytes(envelope, info)
  const certificate = readSigningCertificate(der)
  if (!certificate) throw invalidSecurity('the certificate is not one that can sign.')
  const signedText = canonicalXml(info.element, info.inclusive)
  const key = new X509Certificate(der).publicKey
  if (!verify(info.algorithm, Buffer.from(signedText), key, info.signature)) throw mismatch()
  return { envelope, info, certificate, signedText }
}

function verified(
  { envelope, info, certificate, signedText }: SignedMessage,
  nowMs: number,
): VerifiedMessage {
  const covered = coveredElements(envelope, info)
  const body = covered.get(envelope.body)
  const timestamp = covered.get(envelope.timestamp)
  if (body === undefined) throw invalidSecurity('the Body is not signed.')
  if (timestamp === undefined) throw invalidSecurity('the Timestamp is not signed.')
  const expiresAtMs = expiryOf(parseStrictXml(Buffer.from(timestamp)), nowMs)
  if (nowMs < certificate.notBeforeMs || nowMs > certificate.notAfterMs)
    throw invalidSecurity('the certificate is not valid at this time.')
  return {
    certificate,
    messageDigest: createHash('sha256').update(certificate.digest).update(signedText).digest('hex'),
    expiresAtMs,
    body: parseStrictXml(Buffer.from(body)),
  }
}

function certificateBytes({ token, ids }: SecuredEnvelope, info: SignedInfo): Buffer {
  if (ids.get(info.tokenId) !== token) throw invalidSecurity('KeyInfo must refer to the BinarySecurityToken.')
  for (const { local, namespace, value } of token.attributes) {
    const expected = { ValueType: tokenTypes.certificate, EncodingType: tokenTypes.base64 }[local]
    if (namespace === '' && expected !== undefined && value !== expected)
      throw invalidSecurity('the BinarySecurityToken must be an X.509 certificate in base64.')
  }
  return base64(token)
}

/** The canonical text of each element that is signed, once its digest was found right. */
function coveredElements({ ids }: SecuredEnvelope, info: SignedInfo): Map<XmlElement, string> {
  const covered = new Map<XmlElement, string>()
  for (const { id, digest, value, inclusive } of info.references) {
    const element = ids.get(id)
    if (!element) throw invalidSecurity('a signed part is not there.')
    const text = canonicalXml(element, inclusive)
    if (!createHash(digest).update(text).digest().equals(value)) throw mismatch()
    covered.set(element, text)
  }
  return covered
}

function mismatch(): AwsError {
  return new AwsError(
    'SignatureDoesNotMatch',
    'The message is not what was signed, or was signed with another key.',
    403,
  )
}

/** From `Created` to `Expires`; to a quarter of an hour after it where no end is said. */
function expiryOf(timestamp: XmlElement, nowMs: number): number {
  const times = new Map<string, number>()
  for (const child of elementsOf(timestamp)) {
    const known = isNamed(child, 'wsu', 'Created') || isNamed(child, 'wsu', 'Expires')
    if (!known || times.has(child.local))
      throw invalidSecurity('the Timestamp holds more than Created and Expires.')
    times.set(child.local, dateTime(textOf(child).trim()))
  }
  const createdMs = times.get('Created')
  if (createdMs === undefined) throw invalidSecurity('the Timestamp has no Created.')
  const expiresAtMs = times.get('Expires') ?? createdMs + allowedSkewMs
  if (createdMs - nowMs > allowedSkewMs)
    throw new AwsError('RequestExpired', 'The message was created in the future.')
  if (nowMs >= expiresAtMs) throw new AwsError('RequestExpired', 'Request has expired.')
  if (expiresAtMs - createdMs > longestLifeMs)
    throw invalidSecurity('the Timestamp must expire within a day.')
  return expiresAtMs
}

function dateTime(text: string): number {
  const fits = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/.test(text)
  const atMs = fits ? Date.parse(text.replace(/(\.\d{3})\d+/, '$1')) : Number.NaN
  if (Number.isNaN(atMs)) throw invalidSecurity('the Timestamp holds a time that cannot be read.')
  return atMs
}
