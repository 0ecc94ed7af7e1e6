import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { MalleeError } from '@mallee/base'
import type { FromThread, ToThread } from './hash-thread.ts'
import type { Hashing } from './hashing.ts'
import type { HashName } from './running-hash.ts'

/** Each hash has two pieces of memory: one is filled while the other is hashed. */
const pieceBytes = 256 * 1024
const pieces = 2
const mostThreads = 4
/** Memory of hashes that have ended, for the next ones. */
const mostIdle = 32

interface Thread {
  readonly worker: Worker
  readonly running: Map<number, ThreadedHash>
}

/**
 * Threads that hash large bodies, so that the event loop does not: copying a body to them costs a twentieth of its MD5.
 * They are made when they are first needed, and keep no process alive.
 */
export class HashThreads {
  private readonly threads = new Set<Thread>()
  private readonly idle: SharedArrayBuffer[] = []
  private nextId = 1

  start(name: HashName): Hashing {
    const thread = this.thread()
    const id = this.nextId++
    const memory = this.idle.pop() ?? new SharedArrayBuffer(pieces * pieceBytes)
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, no window
    const post = (message: ToThread) => thread.worker.postMessage(message)
    const hash = new ThreadedHash(id, memory, post)
    thread.running.set(id, hash)
    post({ id, name, memory })
    return hash
  }

  /** The one with the least to do; a new one where all have something to do and there may be more. */
  private thread(): Thread {
    const [least] = [...this.threads].toSorted((a, b) => a.running.size - b.running.size)
    const most = Math.min(availableParallelism(), mostThreads)
    if (least && (least.running.size === 0 || this.threads.size >= most)) return least
    // Whatever the process was told to load before its first line is the process's own affair.
    const worker = new Worker(new URL('hash-thread.ts', import.meta.url), { execArgv: [] })
    const thread: Thread = { worker, running: new Map() }
    this.threads.add(thread)
    worker.on('message', (message: FromThread) => this.hear(thread, message))
    worker.on('error', (error) => this.lose(thread, error))
    worker.on('exit', () => this.lose(thread, null))
    worker.unref() // after its listeners, which would have it keep the process
    return thread
  }

  private hear(thread: Thread, message: FromThread): void {
    const hash = thread.running.get(message.id)
    if (!hash) return
    if ('free' in message) return hash.onFree()
    thread.running.delete(message.id)
    if (this.idle.length < mostIdle) this.idle.push(hash.memory)
    hash.onDigest(Buffer.from(message.digest))
  }

  private lose(thread: Thread, cause: Error | null): void {
    this.threads.delete(thread)
    const error = new MalleeError({
      code: 'HashThreadLost',
      publicMessage: 'A thread that hashes has ended.',
      ...(cause ? { cause } : {}),
      retryable: true,
    })
    for (const hash of thread.running.values()) hash.onLost(error)
    thread.running.clear()
  }
}

/** One hash on one of the threads. */
class ThreadedHash implements Hashing {
  readonly memory: SharedArrayBuffer
  private readonly id: number
  private readonly post: (message: ToThread) => void
  private readonly bytes: Uint8Array
  private piece = 0
  private filled = 0
  private free = pieces
  private lost: Error | null = null
  private wake: (() => void) | null = null
  private readonly result = Promise.withResolvers<Buffer>()
  private finished = false

  constructor(id: number, memory: SharedArrayBuffer, post: (message: ToThread) => void) {
    this.id = id
    this.memory = memory
    this.post = post
    this.bytes = new Uint8Array(memory)
    this.result.promise.catch(() => {}) // a hash that was given up has nobody who waits for it
  }

  update(chunk: Buffer): Promise<void> | null {
    const taken = this.fill(chunk, 0)
    return taken === chunk.length ? null : this.fillRest(chunk, taken)
  }

  digest(): Promise<Buffer> {
    this.finish()
    return this.result.promise
  }

  /** The thread ends it as ever, and then its memory is free. */
  discard(): void {
    this.finish()
  }

  onFree(): void {
    this.free += 1
    this.wake?.()
  }

  onDigest(digest: Buffer): void {
    this.result.resolve(digest)
  }

  onLost(error: Error): void {
    this.lost = error
    this.result.reject(error)
    this.wake?.()
  }

  private finish(): void {
    if (this.finished) return
    this.finished = true
    if (this.filled > 0) this.hand()
    this.post({ id: this.id, finish: true })
  }

  /** Copies what there is room for; answers how far it came. */
  private fill(chunk: Buffer, from: number): number {
    let at = from
    while (at < chunk.length && this.free > 0) {
      const part = chunk.subarray(at, at + pieceBytes - this.filled)
      this.bytes.set(part, this.piece * pieceBytes + this.filled)
      this.filled += part.length
      at += part.length
      if (this.filled === pieceBytes) this.hand()
    }
    return at
  }

  private async fillRest(chunk: Buffer, from: number): Promise<void> {
    for (let at = from; at < chunk.length; at = this.fill(chunk, at)) {
      if (this.lost) throw this.lost
      if (this.free === 0)
        await new Promise<void>((resolve) => {
          this.wake = resolve
        })
    }
  }

  private hand(): void {
    const start = this.piece * pieceBytes
    this.post({ id: this.id, start, end: start + this.filled })
    this.piece = (this.piece + 1) % pieces
    this.filled = 0
    this.free -= 1
  }
}
