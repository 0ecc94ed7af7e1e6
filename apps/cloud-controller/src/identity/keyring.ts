import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { assert, must, writeAtomically } from '@mallee/base'

/**
 * Wraps every secret that the record holds (AES-256-GCM). The keys live in a file of their own, outside the database:
 * whoever has only a copy of the record has no secret. Each ciphertext names its key, so that keys can be turned over.
 */
export interface Keyring {
  seal(secret: string, boundTo: string): string
  open(sealed: string, boundTo: string): string
  /** HMAC-SHA256 with a key derived from the current one: for tokens that the cloud gives out and reads back. */
  sign(text: string): Buffer
}

interface KeyringFile {
  current: string
  keys: Record<string, string>
}

export async function openKeyring(file: string): Promise<Keyring> {
  const ring = await readOrCreate(file)
  const keys = new Map(Object.entries(ring.keys).map(([id, key]) => [id, Buffer.from(key, 'base64')]))
  const current = must(keys.get(ring.current), 'the current key')
  const signing = createHmac('sha256', current).update('mallee tokens').digest()
  return {
    sign: (text) => createHmac('sha256', signing).update(text).digest(),
    seal(secret, boundTo) {
      const nonce = randomBytes(12)
      const cipher = createCipheriv('aes-256-gcm', current, nonce)
      cipher.setAAD(Buffer.from(boundTo))
      const sealed = Buffer.concat([
        nonce,
        cipher.update(secret, 'utf8'),
        cipher.final(),
        cipher.getAuthTag(),
      ])
      return `${ring.current}:${sealed.toString('base64')}`
    },
    open(sealed, boundTo) {
      const [keyId, text] = sealed.split(':')
      const bytes = Buffer.from(text ?? '', 'base64')
      assert(bytes.length > 28, 'a sealed secret is too short to be one')
      const decipher = createDecipheriv(
        'aes-256-gcm',
        must(keys.get(keyId ?? ''), `the key ${keyId}`),
        bytes.subarray(0, 12),
      )
      decipher.setAAD(Buffer.from(boundTo))
      decipher.setAuthTag(bytes.subarray(-16))
      return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]).toString('utf8')
    },
  }
}

async function readOrCreate(file: string): Promise<KeyringFile> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as KeyringFile
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const ring: KeyringFile = { current: 'k1', keys: { k1: randomBytes(32).toString('base64') } }
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 })
  // Under its name only when it is whole: half a keyring would stand in the way of every later start.
  await writeAtomically(file, `${JSON.stringify(ring, null, 2)}\n`)
  return ring
}
