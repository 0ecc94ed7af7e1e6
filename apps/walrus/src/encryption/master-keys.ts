import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { MalleeError, writeAtomically } from '@mallee/base'

/** A key that is encrypted under another: AES-256-GCM, nonce, text and tag in Base64. */
export type WrappedKey = string

const nonceBytes = 12
const tagBytes = 16

export function wrapKey(key: Buffer, under: Buffer): WrappedKey {
  const nonce = randomBytes(nonceBytes)
  const cipher = createCipheriv('aes-256-gcm', under, nonce)
  return Buffer.concat([nonce, cipher.update(key), cipher.final(), cipher.getAuthTag()]).toString('base64')
}

/** Null where it was wrapped under another key. */
export function unwrapKey(wrapped: WrappedKey, under: Buffer): Buffer | null {
  const bytes = Buffer.from(wrapped, 'base64')
  const decipher = createDecipheriv('aes-256-gcm', under, bytes.subarray(0, nonceBytes))
  decipher.setAuthTag(bytes.subarray(-tagBytes))
  try {
    return Buffer.concat([decipher.update(bytes.subarray(nonceBytes, -tagBytes)), decipher.final()])
  } catch {
    return null // the tag does not fit
  }
}

interface KeyFile {
  readonly current: string
  readonly keys: Readonly<Record<string, string>>
}

/**
 * The keys under which the key of each SSE-S3 object is wrapped. They lie beside walrus' identity and not among the
 * bytes: who takes the disk with the bytes, or the index, reads nothing. Without this file those objects are lost.
 */
export class MasterKeys {
  private readonly file: KeyFile

  private constructor(file: KeyFile) {
    this.file = file
  }

  /** Made where there are none yet. */
  static async open(dir: string): Promise<MasterKeys> {
    const name = path.join(dir, 'sse-keys.json')
    const text = await readFile(name, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null
      throw error
    })
    if (text !== null) return new MasterKeys(JSON.parse(text) as KeyFile)
    const id = randomBytes(8).toString('hex')
    const file: KeyFile = { current: id, keys: { [id]: randomBytes(32).toString('base64') } }
    await writeAtomically(name, `${JSON.stringify(file)}\n`, 0o600)
    return new MasterKeys(file)
  }

  wrap(key: Buffer): { keyId: string; wrapped: WrappedKey } {
    return { keyId: this.file.current, wrapped: wrapKey(key, this.named(this.file.current)) }
  }

  /** Throws MalleeError `MasterKeyMissing`. */
  unwrap(keyId: string, wrapped: WrappedKey): Buffer {
    const key = unwrapKey(wrapped, this.named(keyId))
    if (key) return key
    throw new MalleeError({ code: 'MasterKeyMissing', publicMessage: `The key ${keyId} is another one.` })
  }

  /** A key for something else, of 256 bits; the same as long as the file is. */
  derived(purpose: string): Buffer {
    return Buffer.from(hkdfSync('sha256', this.named(this.file.current), '', purpose, 32))
  }

  private named(keyId: string): Buffer {
    const text = Object.hasOwn(this.file.keys, keyId) ? this.file.keys[keyId] : undefined
    if (text !== undefined) return Buffer.from(text, 'base64')
    throw new MalleeError({
      code: 'MasterKeyMissing',
      publicMessage: `The key ${keyId} that objects are encrypted under is missing.`,
    })
  }
}
