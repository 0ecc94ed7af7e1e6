import { constants, privateDecrypt, publicEncrypt, randomBytes, X509Certificate } from 'node:crypto'
import { BundleRefused } from './bundle-refused.ts'

/** Key and initialisation vector of AES-128-CBC, 16 bytes each. */
export interface BundleKey {
  readonly key: Buffer
  readonly iv: Buffer
}

export const newBundleKey = (): BundleKey => ({ key: randomBytes(16), iv: randomBytes(16) })

/** For who holds the certificate's key: RSA (PKCS #1 v1.5) of the *hexadecimal text*, as bundle tools have it. */
export function wrapKey(
  { key, iv }: BundleKey,
  certificatePem: string,
): { readonly key: string; readonly iv: string } {
  const { publicKey } = new X509Certificate(certificatePem)
  const wrap = (bytes: Buffer) =>
    publicEncrypt(
      { key: publicKey, padding: constants.RSA_PKCS1_PADDING },
      Buffer.from(bytes.toString('hex')),
    ).toString('hex')
  return { key: wrap(key), iv: wrap(iv) }
}

/**
 * The way back. Whether the padding or the text in it is wrong is not told apart: one who may ask often would decrypt
 * with the answers. Throws BundleRefused.
 */
export function unwrapKey(
  wrapped: { readonly key: string; readonly iv: string },
  privateKeyPem: string,
): BundleKey {
  const unwrap = (hex: string): Buffer => {
    let text: string
    try {
      text = privateDecrypt(
        { key: privateKeyPem, padding: constants.RSA_PKCS1_PADDING },
        Buffer.from(hex, 'hex'),
      ).toString('latin1')
    } catch {
      text = ''
    }
    if (!/^[0-9a-fA-F]{32}$/.test(text))
      throw new BundleRefused('The key of the bundle was not encrypted for this cloud.')
    return Buffer.from(text, 'hex')
  }
  return { key: unwrap(wrapped.key), iv: unwrap(wrapped.iv) }
}
