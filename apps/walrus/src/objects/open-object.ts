import { Readable } from 'node:stream'
import { errorMessage, type Log } from '@mallee/base'
import { blockBytes } from '../drivers/blob-driver.ts'
import type { BlobKeeper } from '../drivers/blob-keeper.ts'
import { loadBlob } from '../index/blob-rows.ts'
import { findObject, segmentsOf } from '../index/object-rows.ts'
import type { Index, ObjectTable, SegmentTable } from '../index/tables.ts'

/** An object whose bytes stay until `release`, whatever happens to its key meanwhile. */
export interface OpenObject {
  readonly row: ObjectTable
  readonly segments: readonly SegmentTable[]
  /** From `start` to before `end`, every block checked before it is given. */
  bytes(start: number, end: number): AsyncGenerator<Buffer, void, void>
  release(): void
}

/** Null where there is no such object. */
export async function openObject(
  deps: { index: Index; blobs: BlobKeeper },
  bucket: string,
  key: string,
): Promise<OpenObject | null> {
  const { index, blobs } = deps
  for (;;) {
    const row = await index.read((db) => findObject(db, bucket, key))
    if (!row) return null
    const segments = await index.read((db) => segmentsOf(db, row.id))
    const release = blobs.pin(segments.flatMap((segment) => segment.blob_id ?? []))
    // Replaced between reading and pinning, its bytes may be gone already; looking again finds what is there now.
    const now = await index.read((db) => findObject(db, bucket, key))
    if (now?.id === row.id)
      return { row, segments, release, bytes: (start, end) => readSegments(deps, segments, start, end) }
    release()
  }
}

async function* readSegments(
  { index, blobs }: { index: Index; blobs: BlobKeeper },
  segments: readonly SegmentTable[],
  start: number,
  end: number,
): AsyncGenerator<Buffer, void, void> {
  let at = 0
  for (const segment of segments) {
    const from = Math.max(start - at, 0)
    const to = Math.min(end - at, segment.size)
    at += segment.size
    if (from >= to || segment.blob_id === null) continue
    const { blob_id: blobId } = segment
    const blob = await index.read((db) => loadBlob(db, blobId))
    yield* blobs.read(blob, from, to)
  }
}

/** The bytes as a stream for a client; releases the object when it closes, however it ends. */
export function streamObject(object: OpenObject, range: { start: number; end: number }, log: Log): Readable {
  async function* logged() {
    try {
      yield* object.bytes(range.start, range.end)
    } catch (error) {
      log.error({ bucket: object.row.bucket, objectId: object.row.id, err: error }, errorMessage(error))
      throw error
    }
  }
  const stream = Readable.from(logged(), { objectMode: false, highWaterMark: blockBytes })
  stream.once('close', () => object.release())
  return stream
}
