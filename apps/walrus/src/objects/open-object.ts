import { errorMessage, MalleeError, type Log } from '@mallee/base'
import type { ReadHow } from '../drivers/blob-driver.ts'
import type { BlobKeeper } from '../drivers/blob-keeper.ts'
import type { ObjectStream } from '../http/send-blocks.ts'
import { isSmall } from '../drivers/small-bytes.ts'
import { readBlob } from '../encryption/encrypted-blobs.ts'
import type { MasterKeys } from '../encryption/master-keys.ts'
import { storedBlob } from '../index/blob-rows.ts'
import { findWithBytes, readySegmentsOf, type FoundObject, type ReadySegment } from '../index/object-rows.ts'
import type { Index, ObjectTable, Reader, SegmentTable } from '../index/tables.ts'

/** An object whose bytes stay until `release`, whatever happens to its key meanwhile. */
export interface OpenObject {
  readonly row: ObjectTable
  readonly segments: readonly SegmentTable[]
  /** From `start` to before `end`, every block checked before it is given. `key` is the client's, for SSE-C. */
  bytes(start: number, end: number, key?: Buffer | null, how?: ReadHow): AsyncGenerator<Buffer, void, void>
  /** The same at once, where all of it was read with the row; null where it has to be streamed. */
  bytesNow(start: number, end: number, key?: Buffer | null): Promise<Buffer | null>
  release(): void
}

export interface ObjectSource {
  readonly index: Index
  readonly blobs: BlobKeeper
  readonly masterKeys: MasterKeys
}

/** What a key holds now; null where there is nothing. */
export function openObject(deps: ObjectSource, bucket: string, key: string): Promise<OpenObject | null> {
  return openRow(deps, (db) => findWithBytes(db, bucket, key))
}

/** A row that is replaced each time that it is looked at is a row whose pieces are missing. */
const mostLooks = 100

/** Pins the bytes of the row that `find` finds. */
export async function openRow(
  deps: ObjectSource,
  find: (db: Reader) => Promise<FoundObject | null>,
): Promise<OpenObject | null> {
  const { index, blobs } = deps
  for (let look = 0; look < mostLooks; look += 1) {
    const found = await index.read(find)
    if (!found) return null
    const { row } = found
    const segments = found.segments ?? (await index.read((db) => readySegmentsOf(db, row.id)))
    // Replaced since its row was read, it has no segments any more; looking again finds what is there now.
    if (segments.reduce((sum, segment) => sum + segment.size, 0) !== row.size) continue
    const ids = segments.flatMap(({ blob }) => (blob && !isSmall(blob.id) ? blob.id : []))
    if (ids.length === 0) return opened(deps, row, segments, () => {})
    const release = blobs.pin(ids)
    // Replaced between reading and pinning, its bytes may be gone already.
    const now = await index.read(find)
    if (now?.row.id === row.id) return opened(deps, row, segments, release)
    release()
  }
  throw new MalleeError({
    code: 'BlobDamaged',
    publicMessage: 'The index does not have all the pieces of an object that it has.',
  })
}

function opened(
  deps: ObjectSource,
  row: ObjectTable,
  segments: readonly ReadySegment[],
  release: () => void,
): OpenObject {
  const bytes = (start: number, end: number, key: Buffer | null = null, how: ReadHow = {}) =>
    readSegments(deps, segments, { start, end }, key, how)
  return {
    row,
    segments,
    release,
    bytes,
    async bytesNow(start, end, key = null) {
      if (segments.some(({ blob }) => !blob || !isSmall(blob.id))) return null
      const only = segments.length === 1 ? segments[0]?.blob : null
      if (only?.cipher === null) return deps.blobs.readSmall(storedBlob(only), start, end)
      const pieces: Buffer[] = []
      for await (const piece of bytes(start, end, key)) pieces.push(piece)
      return Buffer.concat(pieces)
    },
  }
}

async function* readSegments(
  { blobs, masterKeys }: ObjectSource,
  segments: readonly ReadySegment[],
  { start, end }: { start: number; end: number },
  key: Buffer | null,
  how: ReadHow,
): AsyncGenerator<Buffer, void, void> {
  let at = 0
  for (const segment of segments) {
    const from = Math.max(start - at, 0)
    const to = Math.min(end - at, segment.size)
    at += segment.size
    if (from >= to || segment.blob === null) continue
    yield* readBlob(blobs, masterKeys, storedBlob(segment.blob), { start: from, end: to }, key, how)
  }
}

/**
 * The bytes as a stream for a client, of which the first block has been read and checked: what is wrong with that one is
 * still an error that can be answered. The stream releases the object when it ends, however it does.
 */
export async function streamObject(
  object: OpenObject,
  range: { start: number; end: number },
  log: Log,
  key: Buffer | null = null,
): Promise<ObjectStream> {
  async function* logged() {
    try {
      yield* object.bytes(range.start, range.end, key, { reuse: true })
    } catch (error) {
      log.error({ bucket: object.row.bucket, objectId: object.row.id, err: error }, errorMessage(error))
      throw error
    }
  }
  const blocks = logged()
  return { first: await blocks.next(), blocks, release: object.release }
}
