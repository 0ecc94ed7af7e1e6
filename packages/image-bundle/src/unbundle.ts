import { createDecipheriv, createHash } from 'node:crypto'
import { pipeline, Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import type { BundleKey } from './bundle-key.ts'
import { BundleRefused } from './bundle-refused.ts'
import { ByteSource } from './byte-source.ts'
import type { BundleManifest, BundlePart } from './manifest.ts'
import { readOnlyFile } from './tar-read.ts'

/** Bytes of the largest part that is taken; tools make them of ten mebibytes. One is held at a time. */
export const mostPartBytes = 64 * 1024 * 1024
/** Bytes of an archive beside its file: headers, the map of a sparse one, padding. */
const archiveSlackBytes = 8 * 1024 * 1024
/** Decrypted at once: what is in between gives way to others. */
const sliceBytes = 256 * 1024

export interface UnbundleOptions {
  readonly manifest: Pick<BundleManifest, 'parts' | 'bundledBytes' | 'sizeBytes' | 'digest'>
  readonly key: BundleKey
  /** The part's bytes; null where there is none. */
  readonly readPart: (part: BundlePart) => Promise<AsyncIterable<Buffer> | null>
  /** Told after each part that was found to be whole. */
  readonly onPart?: (index: number) => void
}

/**
 * The image of a bundle, as its bytes come: each part is verified before it is decrypted, nothing is read ahead of who
 * takes it, and nothing counts before the last byte was given, since the digest of the whole is compared at the end.
 * Throws BundleRefused with what is wrong and where, and whatever `readPart` throws.
 */
export async function* unbundle(options: UnbundleOptions): AsyncGenerator<Buffer, void, void> {
  const { manifest } = options
  const hash = createHash('sha1')
  const unzipped = createGunzip({ chunkSize: 64 * 1024 })
  let failure: unknown = null
  pipeline(Readable.from(decrypted(options), { objectMode: false }), unzipped, (error) => {
    failure = error ?? null
  })
  const mostBytes = manifest.sizeBytes + archiveSlackBytes
  const source = new ByteSource(unzipped, { hash, mostBytes })
  try {
    yield* readOnlyFile(source, manifest.sizeBytes)
  } catch (error) {
    throw error instanceof BundleRefused ? error : named(failure ?? error)
  } finally {
    await source.close()
    unzipped.destroy()
  }
  if (hash.digest('hex') !== manifest.digest)
    throw new BundleRefused('The digest of the unpacked image is not the one in the manifest.')
}

async function* decrypted(options: UnbundleOptions): AsyncGenerator<Buffer, void, void> {
  const { key, iv } = options.key
  const decipher = createDecipheriv('aes-128-cbc', key, iv)
  for await (const part of verifiedParts(options)) {
    for (let at = 0; at < part.length; at += sliceBytes)
      yield decipher.update(part.subarray(at, at + sliceBytes))
  }
  try {
    yield decipher.final()
  } catch (error) {
    throw new BundleRefused('The parts cannot be decrypted with the key of the bundle.', error)
  }
}

async function* verifiedParts(options: UnbundleOptions): AsyncGenerator<Buffer, void, void> {
  const { parts, bundledBytes } = options.manifest
  let total = 0
  for (const [index, part] of parts.entries()) {
    const bytes = await readWhole(options, part, index, bundledBytes - total)
    if (createHash('sha1').update(bytes).digest('hex') !== part.digest)
      throw refusedPart(part, index, 'is damaged: its digest is not the one in the manifest')
    total += bytes.length
    options.onPart?.(index)
    yield bytes
  }
  if (total !== bundledBytes)
    throw new BundleRefused(`The parts have ${total} bytes; the manifest says ${bundledBytes}.`)
}

async function readWhole(
  options: UnbundleOptions,
  part: BundlePart,
  index: number,
  leftBytes: number,
): Promise<Buffer> {
  const stream = await options.readPart(part)
  if (!stream) throw refusedPart(part, index, 'is missing')
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of stream) {
    size += piece.length
    if (size > leftBytes) throw refusedPart(part, index, 'has more bytes than the manifest leaves for it')
    if (size > mostPartBytes) throw refusedPart(part, index, `has more than ${mostPartBytes} bytes`)
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}

function refusedPart(part: BundlePart, index: number, why: string): BundleRefused {
  return new BundleRefused(`Part ${index} (${part.filename}) ${why}.`)
}

/** Errors of zlib are the bundle's fault; all others are not. */
function named(error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException | null)?.code ?? ''
  if (!code.startsWith('Z_')) return error
  const what =
    'The decrypted parts are not compressed by gzip, or they are damaged: the key may be another one.'
  return new BundleRefused(what, error)
}
