import { createHash, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'

/**
 * SSH keys as EC2 handles them. Fingerprints follow AWS: SHA-1 of the PKCS#8 private key for RSA keys made here, MD5 of
 * the public key's DER for imported RSA, SHA-256 (base64) of the key blob for ED25519.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/verify-keys.html
 */
export interface PublicKey {
  readonly type: 'rsa' | 'ed25519'
  /** `ssh-… BASE64`, without a comment. */
  readonly openssh: string
  readonly fingerprint: string
}

export interface CreatedKey extends PublicKey {
  /** PEM; shown once and never kept. */
  readonly privateKey: string
}

const generate = promisify(generateKeyPair)
const rsaBits = 2048
const smallestRsaBits = 1024
const largestRsaBits = 16_384

export async function createKey(type: 'rsa' | 'ed25519', comment: string): Promise<CreatedKey> {
  if (type === 'rsa') {
    const { publicKey, privateKey } = await generate('rsa', { modulusLength: rsaBits })
    const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'der' })
    return {
      type,
      openssh: opensshOf(publicKey),
      fingerprint: colons(createHash('sha1').update(pkcs8).digest('hex')),
      privateKey: privateKey.export({ type: 'pkcs1', format: 'pem' }).toString().trimEnd(),
    }
  }
  const { publicKey, privateKey } = await generate('ed25519', {})
  const blob = blobOf(publicKey)
  const seed = Buffer.from(privateKey.export({ format: 'jwk' }).d!, 'base64url')
  return {
    type,
    openssh: `ssh-ed25519 ${blob.toString('base64')}`,
    fingerprint: createHash('sha256').update(blob).digest('base64'),
    privateKey: opensshPrivateKey(blob, seed, comment),
  }
}

/** Reads what ImportKeyPair accepts: an OpenSSH line, SSH2 (RFC 4716), or DER or PEM of an RSA key. Null if none of them. */
export function readPublicKey(material: Uint8Array): PublicKey | null {
  const text = Buffer.from(material).toString('latin1').trim()
  if (text.includes('PRIVATE KEY')) return null // Node.js would take its public half, and its owner would never know
  try {
    const blob = blobOfText(text)
    if (blob) return ofBlob(blob)
    const key = text.includes('-----BEGIN')
      ? createPublicKey(text)
      : createPublicKey({ key: derOf(text, material), format: 'der', type: 'spki' })
    return key.asymmetricKeyType === 'rsa' ? ofBlob(blobOf(key)) : null
  } catch {
    return null
  }
}

function derOf(text: string, material: Uint8Array): Buffer {
  return /^[A-Za-z0-9+/=\s]+$/.test(text) ? Buffer.from(text, 'base64') : Buffer.from(material)
}

function blobOfText(text: string): Buffer | null {
  const line = /^ssh-(?:rsa|ed25519)\s+([A-Za-z0-9+/=]+)(?:\s|$)/.exec(text)
  if (line) return Buffer.from(line[1]!, 'base64')
  const ssh2 =
    /^---- BEGIN SSH2 PUBLIC KEY ----\r?\n((?:[^\n]*:[^\n]*\r?\n)*)([A-Za-z0-9+/=\s]+)---- END SSH2 PUBLIC KEY ----/.exec(
      text,
    )
  return ssh2 ? Buffer.from(ssh2[2]!, 'base64') : null
}

/** Checks the blob by parts; what is not exactly a key is refused, because it ends up in authorized_keys. */
function ofBlob(blob: Buffer): PublicKey | null {
  const parts = readStrings(blob)
  const algorithm = parts[0]?.toString('latin1')
  if (algorithm === 'ssh-ed25519' && parts.length === 2 && parts[1]!.length === 32) {
    return {
      type: 'ed25519',
      openssh: `ssh-ed25519 ${blob.toString('base64')}`,
      fingerprint: createHash('sha256').update(blob).digest('base64'),
    }
  }
  if (algorithm !== 'ssh-rsa' || parts.length !== 3) return null
  const bits = (parts[2]!.length - (parts[2]![0] === 0 ? 1 : 0)) * 8
  if (bits < smallestRsaBits || bits > largestRsaBits) return null
  const key = createPublicKey({
    key: { kty: 'RSA', e: unsigned(parts[1]!), n: unsigned(parts[2]!) },
    format: 'jwk',
  })
  const der = key.export({ type: 'spki', format: 'der' })
  return {
    type: 'rsa',
    openssh: `ssh-rsa ${blob.toString('base64')}`,
    fingerprint: colons(createHash('md5').update(der).digest('hex')),
  }
}

function unsigned(integer: Buffer): string {
  return (integer[0] === 0 ? integer.subarray(1) : integer).toString('base64url')
}

function readStrings(blob: Buffer): Buffer[] {
  const parts: Buffer[] = []
  for (let at = 0; at < blob.length;) {
    const length = blob.readUInt32BE(at)
    if (at + 4 + length > blob.length) throw new Error('a string runs over its end')
    parts.push(blob.subarray(at + 4, at + 4 + length))
    at += 4 + length
  }
  return parts
}

const sshString = (bytes: Buffer | string): Buffer => {
  const body = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(body.length)
  return Buffer.concat([length, body])
}

/** An SSH mpint: a zero byte in front where the first bit is set (RFC 4251, section 5). */
function mpint(base64url: string): Buffer {
  const bytes = Buffer.from(base64url, 'base64url')
  return sshString((bytes[0] ?? 0) & 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes)
}

function blobOf(key: KeyObject): Buffer {
  const jwk = key.export({ format: 'jwk' })
  if (jwk.kty === 'RSA') return Buffer.concat([sshString('ssh-rsa'), mpint(jwk.e!), mpint(jwk.n!)])
  return Buffer.concat([sshString('ssh-ed25519'), sshString(Buffer.from(jwk.x!, 'base64url'))])
}

function opensshOf(key: KeyObject): string {
  return `ssh-rsa ${blobOf(key).toString('base64')}`
}

/** The unencrypted `openssh-key-v1` container (OpenSSH's PROTOCOL.key), which is the only form ssh reads ED25519 in. */
function opensshPrivateKey(blob: Buffer, seed: Buffer, comment: string): string {
  const publicPart = blob.subarray(-32)
  const check = createHash('sha256').update(seed).digest().subarray(0, 4) // twice the same number, to detect a wrong passphrase
  let secret = Buffer.concat([
    check,
    check,
    sshString('ssh-ed25519'),
    sshString(publicPart),
    sshString(Buffer.concat([seed, publicPart])),
    sshString(comment),
  ])
  for (let pad = 1; secret.length % 8 !== 0; pad += 1) secret = Buffer.concat([secret, Buffer.from([pad])])
  const count = Buffer.from([0, 0, 0, 1])
  const body = Buffer.concat([
    Buffer.from('openssh-key-v1\0'),
    sshString('none'),
    sshString('none'),
    sshString(''),
    count,
    sshString(blob),
    sshString(secret),
  ])
  const lines = body.toString('base64').match(/.{1,70}/g) ?? []
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${lines.join('\n')}\n-----END OPENSSH PRIVATE KEY-----`
}

function colons(hex: string): string {
  return hex.replaceAll(/..(?=.)/g, '$&:')
}
