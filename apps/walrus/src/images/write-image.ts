import { MalleeError } from '@mallee/base'
import type { ImageObjectFacts, ImageObjectItem } from '@mallee/agent-contract'
import type { Clock } from '@mallee/base'
import type { BlobKeeper } from '../drivers/blob-keeper.ts'
import type { Index } from '../index/tables.ts'
import { ImageDigest } from './image-digest.ts'
import { factsOf } from './image-facts.ts'
import { insertMade } from './made-object.ts'
import type { ImageStream } from './unbundle-image.ts'

/** Room that is left for the index and for what else is stored meanwhile. */
const reservedBytes = 256 * 1024 * 1024

/**
 * Writes an image as it comes and makes it an object, unless its bytes are no image: then, and whenever something fails,
 * nothing is left. Null when it was stopped in the middle. Throws `NoRoom`, and whatever the stream throws.
 */
export async function writeImage(
  deps: { readonly index: Index; readonly blobs: BlobKeeper; readonly clock: Clock },
  item: ImageObjectItem,
  { sizeBytes, bytes }: ImageStream,
  signal: AbortSignal,
): Promise<ImageObjectFacts | null> {
  const { freeBytes } = await deps.blobs.space()
  if (sizeBytes + reservedBytes > freeBytes) throw noRoom(sizeBytes)
  const writer = await deps.blobs.create()
  try {
    const digest = new ImageDigest()
    for await (const chunk of bytes) {
      if (signal.aborted) return null
      digest.update(chunk)
      await writer.write(chunk)
    }
    const found = digest.finish()
    const facts = factsOf(item.kind, found)
    if (facts.state !== 'available' || signal.aborted) return signal.aborted ? null : facts
    const blob = await writer.finish()
    if (!blob) throw new TypeError('an image has bytes')
    await insertMade(deps, item, { blob, sha256: found.sha256 }).catch((error: unknown) => {
      deps.blobs.forget([blob.id])
      throw error
    })
    return facts
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'ENOSPC' ? noRoom(sizeBytes) : error
  } finally {
    await writer.discard()
  }
}

const noRoom = (sizeBytes: number) =>
  new MalleeError({ code: 'NoRoom', publicMessage: `There is no room for an image of ${sizeBytes} bytes.` })
