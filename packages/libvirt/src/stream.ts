/**
 * A libvirt stream: bytes that belong to one call (a screenshot, a console) and travel beside it on the same
 * socket. Reading is by `for await`; a side that has said all it has sends an empty packet, which we answer
 * by finishing. Leaving the loop early aborts the stream.
 *
 * The socket is shared by all calls, so a slow reader cannot simply stop reading it: what waits for a reader
 * is bounded, and a stream that goes over the bound is aborted.
 */
import { LibvirtConnectionError, LibvirtTimeoutError } from './errors.ts'
import { maxStreamBytes } from './generated/procedures.ts'

const MAX_WAITING_BYTES = 64 * 1024 * 1024

/** How a stream speaks to its connection. */
export interface StreamWire {
  /** Sends bytes of the stream. */
  data(bytes: Uint8Array): void
  /** Says that we have sent all. */
  finish(): void
  /** Says that we want no more. */
  abort(): void
}

type End = { error: Error | null }

export class LibvirtStream implements AsyncIterable<Buffer> {
  private readonly wire: StreamWire
  private readonly waiting: Buffer[] = []
  private waitingBytes = 0
  private end: End | null = null
  private wake: (() => void) | null = null

  constructor(wire: StreamWire) {
    this.wire = wire
  }

  /** Sends bytes to the other side (a console's keyboard). Throws once the stream has ended. */
  write(bytes: Uint8Array): void {
    if (this.end !== null) throw this.end.error ?? new LibvirtConnectionError('stream has ended')
    for (let at = 0; at < bytes.length; at += maxStreamBytes) {
      this.wire.data(bytes.subarray(at, at + maxStreamBytes))
    }
  }

  /** Ends the stream at once; harmless when it has ended. */
  close(): void {
    if (this.end !== null) return
    this.wire.abort()
    this.settle(null)
  }

  /**
   * Everything up to the end, refused above `maxBytes`. With `timeoutMs` a stream that has not ended by then is
   * aborted, with `LibvirtTimeoutError`: libvirt has been seen never to end one.
   */
  async readAll(maxBytes: number, { timeoutMs }: { timeoutMs?: number } = {}): Promise<Buffer> {
    if (timeoutMs === undefined) return this.readToEnd(maxBytes)
    const timer = setTimeout(() => this.fail(new LibvirtTimeoutError('stream', timeoutMs)), timeoutMs)
    try {
      return await this.readToEnd(maxBytes)
    } finally {
      clearTimeout(timer)
    }
  }

  private async readToEnd(maxBytes: number): Promise<Buffer> {
    const parts: Buffer[] = []
    let totalBytes = 0
    for await (const part of this) {
      totalBytes += part.length
      if (totalBytes > maxBytes) throw new RangeError(`stream is longer than ${maxBytes} bytes`)
      parts.push(part)
    }
    return Buffer.concat(parts, totalBytes)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void> {
    try {
      for (;;) {
        const part = this.waiting.shift()
        if (part !== undefined) {
          this.waitingBytes -= part.length
          yield part
        } else if (this.end === null) {
          await new Promise<void>((resolve) => (this.wake = resolve))
        } else if (this.end.error === null) {
          return
        } else {
          throw this.end.error
        }
      }
    } finally {
      this.close()
    }
  }

  /** For the connection: bytes came. Empty bytes mean that the other side has no more. */
  deliver(bytes: Buffer): void {
    if (this.end !== null) return
    if (bytes.length === 0) {
      this.wire.finish()
      this.settle(null)
      return
    }
    this.waiting.push(bytes)
    this.waitingBytes += bytes.length
    if (this.waitingBytes > MAX_WAITING_BYTES) {
      this.fail(new LibvirtConnectionError(`stream aborted: ${this.waitingBytes} bytes wait unread`))
      return
    }
    this.stir()
  }

  private fail(error: Error): void {
    if (this.end !== null) return
    this.wire.abort()
    this.settle(error)
  }

  /** For the connection: the stream is over, well (null) or by an error. */
  settle(error: Error | null): void {
    this.end ??= { error }
    this.stir()
  }

  private stir(): void {
    this.wake?.()
    this.wake = null
  }
}
