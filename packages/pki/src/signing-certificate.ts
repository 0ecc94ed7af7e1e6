import { createHash, generateKeyPair, webcrypto, X509Certificate } from 'node:crypto'
import { promisify } from 'node:util'
import * as x509 from '@peculiar/x509'
import { dayMs } from '@mallee/base'
import type { KeyAndCertificate } from './pki.ts'

/**
 * Certificates with which users sign: no authority stands behind them, the cloud knows each by its digest. RSA alone,
 * since that is what the signatures of WS-Security and of image bundles are made with.
 */
export interface SigningCertificate {
  /** SHA-256 of the certificate in DER, lower-case hex. */
  readonly digest: string
  /** PEM, ending in a line feed. */
  readonly pem: string
  readonly notBeforeMs: number
  readonly notAfterMs: number
}

/** Shorter keys can be broken; longer ones cost more to check than a request may. */
export const signingKeyBits = { least: 2048, most: 8192 } as const
const days = 3650

/** The certificate in this text (PEM, nothing else around it) or these bytes (DER); null where there is none to use. */
export function readSigningCertificate(source: string | Uint8Array): SigningCertificate | null {
  const text = typeof source === 'string' ? source.trim() : null
  if (text !== null && !/^-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----$/.test(text))
    return null
  try {
    const certificate = new X509Certificate(text ?? source)
    // DER with anything behind it would be another digest for the same certificate.
    if (text === null && !certificate.raw.equals(source as Uint8Array)) return null
    const { asymmetricKeyType: type, asymmetricKeyDetails: details } = certificate.publicKey
    const bits = details?.modulusLength ?? 0
    const exponent = details?.publicExponent ?? 0n
    if (type !== 'rsa' || bits < signingKeyBits.least || bits > signingKeyBits.most) return null
    if (exponent < 3n || exponent > 0xffff_ffffn) return null
    return {
      digest: createHash('sha256').update(certificate.raw).digest('hex'),
      pem: certificate.toString(),
      notBeforeMs: Date.parse(certificate.validFrom),
      notAfterMs: Date.parse(certificate.validTo),
    }
  } catch {
    return null
  }
}

/** A new key and its self-signed certificate, good for ten years. The key is the caller's only copy. */
export async function createSigningCertificate(
  commonName: string,
  nowMs: number,
): Promise<KeyAndCertificate> {
  const pair = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 })
  const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
  const { subtle } = webcrypto
  const pkcs8 = pair.privateKey.export({ type: 'pkcs8', format: 'der' })
  const spki = pair.publicKey.export({ type: 'spki', format: 'der' })
  const keys = {
    privateKey: await subtle.importKey('pkcs8', Uint8Array.from(pkcs8), algorithm, true, ['sign']),
    publicKey: await subtle.importKey('spki', Uint8Array.from(spki), algorithm, true, ['verify']),
  }
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: `1${Buffer.from(webcrypto.getRandomValues(new Uint8Array(15))).toString('hex')}`,
    name: [{ CN: [commonName] }],
    notBefore: new Date(nowMs - dayMs),
    notAfter: new Date(nowMs + days * dayMs),
    signingAlgorithm: algorithm,
    keys,
  } as never)
  return {
    key: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    certificate: `${certificate.toString('pem')}\n`,
  }
}
