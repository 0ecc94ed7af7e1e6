import { createHmac, timingSafeEqual } from 'node:crypto'

/**
 * Tokens that walrus gives and takes back: what they are of is not in them but under their code, so that one says nothing
 * and fits nothing else. Opaque to clients, as AWS's are.
 */
const version = 1
const codeBytes = 24
const headBytes = 1 + 4 + 4

export class BlockTokens {
  private readonly key: Buffer

  constructor(key: Buffer) {
    this.key = key
  }

  /** `about`: all that it is bound to. `number` comes out again. */
  make(about: readonly string[], number: number, expiresMs: number): string {
    const head = Buffer.alloc(headBytes)
    head.writeUInt8(version)
    head.writeUInt32BE(Math.floor(expiresMs / 1000), 1)
    head.writeUInt32BE(number, 5)
    return Buffer.concat([head, this.code(head, about)]).toString('base64')
  }

  /** Its number; null where it is none of ours, of something else, or too old. */
  read(about: readonly string[], token: string, nowMs: number): number | null {
    const bytes = Buffer.from(token, 'base64')
    if (bytes.length !== headBytes + codeBytes || bytes.toString('base64') !== token) return null
    const head = bytes.subarray(0, headBytes)
    if (!timingSafeEqual(bytes.subarray(headBytes), this.code(head, about))) return null
    if (head.readUInt8() !== version || head.readUInt32BE(1) * 1000 < nowMs) return null
    return head.readUInt32BE(5)
  }

  private code(head: Buffer, about: readonly string[]): Buffer {
    const hmac = createHmac('sha256', this.key).update(head).update(about.join('\n'))
    return hmac.digest().subarray(0, codeBytes)
  }
}
