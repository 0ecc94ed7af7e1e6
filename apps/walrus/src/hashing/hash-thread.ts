/** A thread that hashes what others have put into memory that it shares with them. */
import { parentPort } from 'node:worker_threads'
import { startHash, type HashName, type RunningChecksum } from './running-hash.ts'

export type ToThread =
  | { readonly id: number; readonly name: HashName; readonly memory: SharedArrayBuffer }
  | { readonly id: number; readonly start: number; readonly end: number }
  | { readonly id: number; readonly finish: true }

/** A piece was read and its place may be used again; or, last, the digest. */
export type FromThread =
  | { readonly id: number; readonly free: true }
  | { readonly id: number; readonly digest: Uint8Array }

const running = new Map<number, { hash: RunningChecksum; bytes: Buffer }>()

// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, no window
const tell = (message: FromThread): void => parentPort?.postMessage(message)

parentPort?.on('message', (message: ToThread) => {
  const { id } = message
  if ('memory' in message) {
    running.set(id, { hash: startHash(message.name), bytes: Buffer.from(message.memory) })
    return
  }
  const known = running.get(id)
  if (!known) return
  if ('finish' in message) {
    running.delete(id)
    return tell({ id, digest: known.hash.digest() })
  }
  known.hash.update(known.bytes.subarray(message.start, message.end))
  tell({ id, free: true })
})
