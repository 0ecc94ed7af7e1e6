import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { assert, MalleeError, must, writeAtomically } from '@mallee/base'

/**
 * Wraps every secret that the record holds (AES-256-GCM). The keys live in a file of their own, outside the database:
 * whoever has only a copy of the record has no secret. Each ciphertext names its key, so that keys can be turned over.
 */
export interface Keyring {
  seal(secret: string, boundTo: string): string
  open(sealed: string, boundTo: string): string
  /** HMAC-SHA256 for tokens that the cloud gives out and reads back; the same whatever key is current. */
  sign(text: string): Buffer
  /** Ids of all keys, oldest first; the last one seals. */
  keyIds(): readonly string[]
  /** Adds a key, which seals from then on; it is in the file before anything is sealed with it. Answers its id. */
  rotate(): Promise<string>
  /** Takes a key out of the file: whatever still names it cannot be opened any more. Never the one that seals. */
  retire(keyId: string): Promise<void>
}

/** The key that a ciphertext was sealed with. */
export const keyIdOf = (sealed: string): string => sealed.slice(0, Math.max(0, sealed.indexOf(':')))

interface KeyringFile {
  readonly current: string
  readonly keys: Readonly<Record<string, string>>
  /** Base64, since the first rotation; before, it is derived from the one key that there is. */
  readonly signing?: string
}

export async function openKeyring(file: string): Promise<Keyring> {
  let ring = await readOrCreate(file)
  const signing = signingKey(ring)
  const keyOf = (id: string) => Buffer.from(must(ring.keys[id], `the key ${id}`), 'base64')
  const replace = async (next: KeyringFile) => {
    // Under its name only when it is whole and on disk: half a keyring would open nothing.
    await writeAtomically(file, `${JSON.stringify(next, null, 2)}\n`)
    ring = next
  }
  return {
    sign: (text) => createHmac('sha256', signing).update(text).digest(),
    keyIds: () => Object.keys(ring.keys),
    seal(secret, boundTo) {
      const { current } = ring
      const nonce = randomBytes(12)
      const cipher = createCipheriv('aes-256-gcm', keyOf(current), nonce)
      cipher.setAAD(Buffer.from(boundTo))
      const sealed = Buffer.concat([
        nonce,
        cipher.update(secret, 'utf8'),
        cipher.final(),
        cipher.getAuthTag(),
      ])
      return `${current}:${sealed.toString('base64')}`
    },
    open(sealed, boundTo) {
      const [keyId, text] = sealed.split(':')
      const bytes = Buffer.from(text ?? '', 'base64')
      assert(bytes.length > 28, 'a sealed secret is too short to be one')
      const decipher = createDecipheriv('aes-256-gcm', keyOf(keyId ?? ''), bytes.subarray(0, 12))
      decipher.setAAD(Buffer.from(boundTo))
      decipher.setAuthTag(bytes.subarray(-16))
      return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]).toString('utf8')
    },
    async rotate() {
      const number = Math.max(...Object.keys(ring.keys).map((id) => Number(id.slice(1)))) + 1
      const id = `k${number}`
      const keys = { ...ring.keys, [id]: randomBytes(32).toString('base64') }
      await replace({ current: id, keys, signing: signing.toString('base64') })
      return id
    },
    async retire(keyId) {
      if (keyId === ring.current)
        throw new MalleeError({ code: 'Conflict', publicMessage: `The key ${keyId} is the one that seals.` })
      const { [keyId]: gone, ...keys } = ring.keys
      if (gone !== undefined) await replace({ ...ring, keys })
    },
  }
}

function signingKey({ signing, keys, current }: KeyringFile): Buffer {
  if (signing !== undefined) return Buffer.from(signing, 'base64')
  const key = Buffer.from(must(keys[current], 'the current key'), 'base64')
  return createHmac('sha256', key).update('mallee tokens').digest()
}

async function readOrCreate(file: string): Promise<KeyringFile> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as KeyringFile
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const ring: KeyringFile = { current: 'k1', keys: { k1: randomBytes(32).toString('base64') } }
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 })
  await writeAtomically(file, `${JSON.stringify(ring, null, 2)}\n`)
  return ring
}
