import { createCipheriv, createHash, type Hash } from 'node:crypto'
import { pipeline, Readable } from 'node:stream'
import { createGzip } from 'node:zlib'
import { assert } from '@mallee/base'
import type { BundleKey } from './bundle-key.ts'
import type { BundlePart } from './manifest.ts'
import { tarEnd, tarHeader } from './tar-write.ts'

/** Bytes of a part, the last one excepted. */
export const partBytes = 10 * 1024 * 1024

export interface Bundled {
  /** SHA-1 of the tar archive. */
  readonly digest: string
  readonly bundledBytes: number
  readonly parts: readonly BundlePart[]
}

/**
 * Bundles an image: tar, gzip, AES-128-CBC, parts of ten mebibytes. Only one part is held at a time; the next is made when
 * `writePart` has taken it. `name` is the file's in the archive, `prefix` begins the parts' names. Rejects with what
 * `source` or `writePart` threw.
 */
export async function bundleImage(options: {
  readonly source: AsyncIterable<Buffer>
  readonly sizeBytes: number
  readonly name: string
  readonly prefix: string
  readonly mtimeMs: number
  readonly key: BundleKey
  readonly writePart: (part: BundlePart, bytes: Buffer) => Promise<void>
}): Promise<Bundled> {
  const hash = createHash('sha1')
  const zipped = createGzip()
  let failure: unknown = null
  pipeline(Readable.from(archive(options, hash), { objectMode: false }), zipped, (error) => {
    failure = error ?? null
  })
  const parts: BundlePart[] = []
  let bundledBytes = 0
  try {
    for await (const bytes of inParts(encrypted(zipped, options.key))) {
      const part = {
        filename: `${options.prefix}.part.${String(parts.length).padStart(2, '0')}`,
        digest: createHash('sha1').update(bytes).digest('hex'),
      }
      await options.writePart(part, bytes)
      parts.push(part)
      bundledBytes += bytes.length
    }
  } catch (error) {
    throw failure ?? error
  } finally {
    zipped.destroy()
  }
  return { digest: hash.digest('hex'), bundledBytes, parts }
}

async function* archive(
  { source, sizeBytes, name, mtimeMs }: Parameters<typeof bundleImage>[0],
  hash: Hash,
): AsyncGenerator<Buffer, void, void> {
  const hashed = (bytes: Buffer): Buffer => {
    hash.update(bytes)
    return bytes
  }
  yield hashed(tarHeader(name, sizeBytes, mtimeMs))
  let seen = 0
  for await (const chunk of source) {
    seen += chunk.length
    if (chunk.length > 0) yield hashed(chunk)
  }
  assert(seen === sizeBytes, `the image has ${seen} bytes, and not the ${sizeBytes} that its header names`)
  yield hashed(tarEnd(sizeBytes))
}

async function* encrypted(
  chunks: AsyncIterable<Buffer>,
  { key, iv }: BundleKey,
): AsyncGenerator<Buffer, void, void> {
  const cipher = createCipheriv('aes-128-cbc', key, iv)
  for await (const chunk of chunks) yield cipher.update(chunk)
  yield cipher.final()
}

async function* inParts(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  let waiting: Buffer[] = []
  let size = 0
  for await (const chunk of chunks) {
    waiting.push(chunk)
    size += chunk.length
    if (size < partBytes) continue
    const whole = Buffer.concat(waiting)
    yield whole.subarray(0, partBytes) // a chunk is smaller than a part by far
    waiting = [whole.subarray(partBytes)]
    size -= partBytes
  }
  if (size > 0) yield Buffer.concat(waiting)
}
