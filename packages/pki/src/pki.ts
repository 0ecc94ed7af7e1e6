import 'reflect-metadata'
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  webcrypto,
  X509Certificate as NodeCertificate,
} from 'node:crypto'
import * as x509 from '@peculiar/x509'
import { MalleeError, dayMs } from '@mallee/base'

type CryptoKey = webcrypto.CryptoKey
type CryptoKeyPair = webcrypto.CryptoKeyPair

/**
 * The cloud's private authority (ECDSA P-256). It signs the doors' certificates and those of the agents, whose only
 * name is a URI, `mallee://node/agent-…`. The name that every agent expects of the cloud is a constant and not an
 * address, so that moving the cloud to another address breaks nothing.
 */
export const cloudServerName = 'cloud-controller.mallee.internal'
export const walrusServerName = 'walrus.mallee.internal'

export interface KeyAndCertificate {
  /** PKCS#8 private key, PEM. Secret. */
  readonly key: string
  readonly certificate: string
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const authorityDays = 3650
/** Long enough for an agent that sleeps for weeks; renewed by itself at two thirds of its life. */
export const certificateDays = 90

x509.cryptoProvider.set(webcrypto as never)

async function newKeys(): Promise<CryptoKeyPair> {
  return (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as CryptoKeyPair
}

async function exportKey(key: CryptoKey): Promise<string> {
  const bytes = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key))
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`
}

async function importKey(pem: string): Promise<CryptoKey> {
  const bytes = createPrivateKey(pem).export({ type: 'pkcs8', format: 'der' })
  return webcrypto.subtle.importKey('pkcs8', Uint8Array.from(bytes), algorithm, true, ['sign'])
}

function serialNumber(): string {
  return Buffer.from(webcrypto.getRandomValues(new Uint8Array(16)))
    .toString('hex')
    .replace(/^[89a-f]/, '1')
}

export async function createAuthority(name: string, nowMs: number): Promise<KeyAndCertificate> {
  const keys = await newKeys()
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: `CN=${name}`,
    notBefore: new Date(nowMs - dayMs),
    notAfter: new Date(nowMs + authorityDays * dayMs),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { key: await exportKey(keys.privateKey), certificate: certificate.toString('pem') }
}

/** A certificate request for a new key, or for the one that the agent has: what it sealed with it stays readable. */
export async function createCertificateRequest(
  commonName: string,
  presentKey?: string,
): Promise<{ key: string; request: string }> {
  const keys = presentKey === undefined ? await newKeys() : await keysOf(presentKey)
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: `CN=${commonName}`,
    keys,
    signingAlgorithm: algorithm,
  })
  return { key: presentKey ?? (await exportKey(keys.privateKey)), request: request.toString('pem') }
}

async function keysOf(pem: string): Promise<CryptoKeyPair> {
  const der = createPublicKey(createPrivateKey(pem)).export({ type: 'spki', format: 'der' })
  const publicKey = await webcrypto.subtle.importKey('spki', Uint8Array.from(der), algorithm, true, [
    'verify',
  ])
  return { privateKey: await importKey(pem), publicKey }
}

export interface Names {
  readonly dns?: readonly string[]
  readonly ip?: readonly string[]
  readonly uri?: readonly string[]
}

function alternativeNames(names: Names): x509.SubjectAlternativeNameExtension {
  return new x509.SubjectAlternativeNameExtension([
    ...(names.dns ?? []).map((value) => ({ type: 'dns' as const, value })),
    ...(names.ip ?? []).map((value) => ({ type: 'ip' as const, value })),
    ...(names.uri ?? []).map((value) => ({ type: 'url' as const, value })),
  ])
}

async function sign(options: {
  authority: KeyAndCertificate
  publicKey: x509.PublicKey | CryptoKey
  commonName: string
  names: Names
  nowMs: number
}): Promise<string> {
  const issuer = new x509.X509Certificate(options.authority.certificate)
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    issuer: issuer.subject,
    subject: `CN=${options.commonName}`,
    notBefore: new Date(options.nowMs - dayMs),
    notAfter: new Date(options.nowMs + certificateDays * dayMs),
    signingAlgorithm: algorithm,
    signingKey: await importKey(options.authority.key),
    publicKey: options.publicKey as CryptoKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.ExtendedKeyUsageExtension([
        x509.ExtendedKeyUsage.serverAuth,
        x509.ExtendedKeyUsage.clientAuth,
      ]),
      alternativeNames(options.names),
      // Strict verifiers (Python 3.13 on) want to be led to the issuer by its key.
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey as never),
    ],
  })
  return certificate.toString('pem')
}

/** Reads a request whose signature is by its own key; throws a MalleeError otherwise. */
async function verifyCertificateRequest(pem: string): Promise<x509.Pkcs10CertificateRequest> {
  try {
    const request = new x509.Pkcs10CertificateRequest(pem)
    if (!(await request.verify())) throw new Error('the signature does not fit its key')
    return request
  } catch (error) {
    throw new MalleeError({
      code: 'BadCertificateRequest',
      publicMessage: 'The certificate request cannot be read.',
      cause: error,
    })
  }
}

/** Signs an agent's request under the name that the cloud gives it; nothing but the key is taken from the request. */
export async function signCertificateRequest(options: {
  authority: KeyAndCertificate
  request: string
  commonName: string
  names: Names
  nowMs: number
}): Promise<string> {
  const request = await verifyCertificateRequest(options.request)
  return sign({ ...options, publicKey: request.publicKey })
}

/** SHA-256 of the request's public key in hexadecimal, once its signature is found to be by that very key. */
export async function requestKeyDigest(pem: string): Promise<string> {
  const request = await verifyCertificateRequest(pem)
  return createHash('sha256').update(Buffer.from(request.publicKey.rawData)).digest('hex')
}

/** A key and certificate made in one go, for the cloud's own doors. */
export async function issueCertificate(options: {
  authority: KeyAndCertificate
  commonName: string
  names: Names
  nowMs: number
}): Promise<KeyAndCertificate> {
  const keys = await newKeys()
  const certificate = await sign({ ...options, publicKey: keys.publicKey })
  return { key: await exportKey(keys.privateKey), certificate }
}

/** SHA-256 of the certificate in hexadecimal: what a join token names so that a stranger's cloud is not believed. */
export function certificateFingerprint(pem: string): string {
  return createHash('sha256').update(new NodeCertificate(pem).raw).digest('hex')
}

/** The `mallee://kind/id` names of a peer's certificate, from Node's `subjectaltname` text. */
export function agentNameOf(
  subjectAlternativeName: string | undefined,
): { kind: string; agentId: string } | null {
  const match = /(?:^|, )URI:mallee:\/\/(node|storage|walrus|admin)\/([A-Za-z0-9-]+)(?:,|$)/.exec(
    subjectAlternativeName ?? '',
  )
  return match ? { kind: match[1]!, agentId: match[2]! } : null
}

/** When two thirds of the certificate's life have passed, in milliseconds since the epoch. */
export function renewAtMs(pem: string): number {
  const certificate = new NodeCertificate(pem)
  const from = Date.parse(certificate.validFrom)
  return from + ((Date.parse(certificate.validTo) - from) * 2) / 3
}
