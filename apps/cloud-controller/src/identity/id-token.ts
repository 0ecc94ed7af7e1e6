/** ID tokens of OpenID Connect: JSON Web Tokens (RFC 7519) with a signature that can be verified by whoever reads them. */
import { verify, type KeyObject } from 'node:crypto'

export interface IdToken {
  readonly keyId: string
  readonly algorithm: string
  /** As the issuer writes itself: `https://…`. */
  readonly issuer: string
  readonly subject: string
  readonly audiences: readonly string[]
  /** Seconds since the epoch. */
  readonly expiresAt: number
  readonly notBefore: number | null
  /** How the person proved who they are; `amr`. */
  readonly methods: readonly string[]
  readonly signed: string
  readonly signature: Buffer
}

const longest = 20_000

/** Null for what is none, or lacks what every ID token has. Nothing in it is proven yet. */
export function readIdToken(text: string): IdToken | null {
  const parts = text.split('.')
  if (text.length > longest || parts.length !== 3) return null
  const [head, claims] = [readPart(parts[0]!), readPart(parts[1]!)]
  if (!head || !claims) return null
  const { alg, kid = '' } = head
  const { iss, sub, aud, exp, nbf, amr, azp } = claims
  const audiences = typeof aud === 'string' ? [aud] : isTexts(aud) ? aud : null
  if (typeof alg !== 'string' || typeof kid !== 'string' || typeof iss !== 'string') return null
  if (typeof sub !== 'string' || !audiences || typeof exp !== 'number') return null
  return {
    ...{ keyId: kid, algorithm: alg, issuer: iss, subject: sub, expiresAt: exp },
    // Of several audiences the one that it was given to counts, as AWS has it.
    audiences: typeof azp === 'string' && audiences.length > 1 ? [azp] : audiences,
    notBefore: typeof nbf === 'number' ? nbf : null,
    methods: isTexts(amr) ? amr : [],
    signed: `${parts[0]}.${parts[1]}`,
    signature: Buffer.from(parts[2]!, 'base64url'),
  }
}

const hashes: Readonly<Record<string, { readonly kind: 'rsa' | 'ec'; readonly hash: string }>> = {
  RS256: { kind: 'rsa', hash: 'sha256' },
  RS384: { kind: 'rsa', hash: 'sha384' },
  RS512: { kind: 'rsa', hash: 'sha512' },
  ES256: { kind: 'ec', hash: 'sha256' },
  ES384: { kind: 'ec', hash: 'sha384' },
}

/** Whether the key signed it; by no algorithm but those of public keys, and none that is not the key's own. */
export function isSignedBy(token: IdToken, key: KeyObject): boolean {
  const found = Object.hasOwn(hashes, token.algorithm) ? hashes[token.algorithm] : undefined
  if (!found || key.asymmetricKeyType !== found.kind) return false
  const by = found.kind === 'ec' ? { key, dsaEncoding: 'ieee-p1363' as const } : key
  try {
    return verify(found.hash, Buffer.from(token.signed), by, token.signature)
  } catch {
    return false // a key that cannot be used, as one with a modulus that is too long
  }
}

function readPart(text: string): Record<string, unknown> | null {
  try {
    const value = JSON.parse(Buffer.from(text, 'base64url').toString('utf8')) as unknown
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null
  } catch {
    return null
  }
}

const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string')
