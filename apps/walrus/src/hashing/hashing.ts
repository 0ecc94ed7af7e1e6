import { HashThreads } from './hash-threads.ts'
import { startHash, type HashName } from './running-hash.ts'

/** A hash of bytes that come by and by. Whoever began it ends it, by `digest` or `discard`. */
export interface Hashing {
  /** Null where more may come at once. The chunk is the caller's again when it returns. */
  update(chunk: Buffer): Promise<void> | null
  digest(): Promise<Buffer>
  discard(): void
}

/** From here on handing the bytes to a thread holds up the event loop for half as long as hashing them, or less. */
const threadedBytes = 512 * 1024

/** Native and ten times as fast as MD5: a thread would gain nothing. */
const fast: ReadonlySet<HashName> = new Set(['CRC32', 'CRC32C'])

/** Of this process, whoever in it hashes. */
const threads = new HashThreads()

/** Hashes a body of about so many bytes where it costs the event loop least. */
export function startHashing(name: HashName, lengthBytes: number): Hashing {
  if (lengthBytes >= threadedBytes && !fast.has(name)) return threads.start(name)
  const hash = startHash(name)
  return {
    update(chunk) {
      hash.update(chunk)
      return null
    },
    digest: () => Promise.resolve(hash.digest()),
    discard() {},
  }
}
