import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { zstdCompress, zstdDecompress } from 'node:zlib'
import { MalleeError } from '@mallee/base'
import { blockBytes, decodeBlock, digestOfBlock, encodeBlock } from './snapshot-block.ts'

const compress = promisify(zstdCompress)
const decompress = promisify(zstdDecompress)

/** The key of an account's encrypted snapshots. The id is public, and stands in every block and list. */
export interface SnapshotKey {
  readonly id: string
  /** Base64 of 256 random bits. */
  readonly secret: string
}

/** How blocks become objects: the plain way, or under a key. */
export interface BlockCodec {
  /** What its lists are to say; null where blocks are plain. */
  readonly keyId: string | null
  /** 64 hexadecimal digits; the same for equal blocks (of one key). */
  nameOf(block: Buffer): string
  encode(block: Buffer, name: string): Promise<Buffer>
  /** Throws MalleeError where the bytes are not the block of this name (and of this key). */
  decode(bytes: Buffer, name: string): Promise<Buffer>
}

const magic = 'MSB1'
const nonceBytes = 12
const tagBytes = 16

export function blockCodec(key: SnapshotKey | null): BlockCodec {
  return key === null ? plain : encrypted(key)
}

const plain: BlockCodec = {
  keyId: null,
  nameOf: digestOfBlock,
  encode: encodeBlock,
  decode: decodeBlock,
}

/**
 * AES-256-GCM over what was compressed: `MSB1`, the length of the key's id and the id, a random nonce, the ciphertext, the
 * tag. The header and the block's name are authenticated with it, so that no block can stand in for another. A name is an
 * HMAC-SHA256 of the plaintext: whoever has no key cannot even ask whether a block that it knows is there. A random nonce
 * is safe for 2^32 blocks of one key, which is 2 PiB.
 */
function encrypted(key: SnapshotKey): BlockCodec {
  const derived = (purpose: string) =>
    Buffer.from(hkdfSync('sha256', Buffer.from(key.secret, 'base64'), '', `mallee snapshot ${purpose}`, 32))
  const [sealing, naming] = [derived('blocks'), derived('names')]
  const id = Buffer.from(key.id)
  const header = Buffer.concat([Buffer.from(magic), Buffer.from([id.length]), id])
  return {
    keyId: key.id,
    nameOf: (block) => createHmac('sha256', naming).update(block).digest('hex'),
    async encode(block, name) {
      const nonce = randomBytes(nonceBytes)
      const cipher = createCipheriv('aes-256-gcm', sealing, nonce).setAAD(boundTo(header, name))
      const sealed = cipher.update(await compress(block))
      return Buffer.concat([header, nonce, sealed, cipher.final(), cipher.getAuthTag()])
    },
    async decode(bytes, name) {
      const from = header.length + nonceBytes
      if (bytes.length < from + tagBytes || !bytes.subarray(0, header.length).equals(header))
        throw damaged(name, 'it is not encrypted under the key of its snapshot')
      const nonce = bytes.subarray(header.length, from)
      const decipher = createDecipheriv('aes-256-gcm', sealing, nonce).setAAD(boundTo(header, name))
      decipher.setAuthTag(bytes.subarray(-tagBytes))
      try {
        const opened = Buffer.concat([decipher.update(bytes.subarray(from, -tagBytes)), decipher.final()])
        return await decompress(opened, { maxOutputLength: blockBytes })
      } catch (error) {
        throw damaged(name, 'it was changed, or its key is another', error)
      }
    },
  }
}

const boundTo = (header: Buffer, name: string) => Buffer.concat([header, Buffer.from(name)])

function damaged(name: string, why: string, cause?: unknown): MalleeError {
  return new MalleeError({
    code: 'SnapshotDamaged',
    publicMessage: `A block of the snapshot is damaged (${name.slice(0, 12)}…): ${why}.`,
    cause,
  })
}
