import { Readable } from 'node:stream'
import { errorMessage, type Log } from '@mallee/base'
import { blockBytes } from '../drivers/blob-driver.ts'
import type { BlobKeeper } from '../drivers/blob-keeper.ts'
import { readBlob } from '../encryption/encrypted-blobs.ts'
import type { MasterKeys } from '../encryption/master-keys.ts'
import { loadBlob } from '../index/blob-rows.ts'
import { findObject, segmentsOf } from '../index/object-rows.ts'
import type { Index, ObjectTable, Reader, SegmentTable } from '../index/tables.ts'

/** An object whose bytes stay until `release`, whatever happens to its key meanwhile. */
export interface OpenObject {
  readonly row: ObjectTable
  readonly segments: readonly SegmentTable[]
  /** From `start` to before `end`, every block checked before it is given. `key` is the client's, for SSE-C. */
  bytes(start: number, end: number, key?: Buffer | null): AsyncGenerator<Buffer, void, void>
  release(): void
}

export interface ObjectSource {
  readonly index: Index
  readonly blobs: BlobKeeper
  readonly masterKeys: MasterKeys
}

/** What a key holds now; null where there is nothing. */
export function openObject(deps: ObjectSource, bucket: string, key: string): Promise<OpenObject | null> {
  return openRow(deps, (db) => findObject(db, bucket, key))
}

/** Pins the bytes of the row that `find` finds. */
export async function openRow(
  deps: ObjectSource,
  find: (db: Reader) => Promise<ObjectTable | null>,
): Promise<OpenObject | null> {
  const { index, blobs } = deps
  for (;;) {
    const row = await index.read(find)
    if (!row) return null
    const segments = await index.read((db) => segmentsOf(db, row.id))
    const release = blobs.pin(segments.flatMap((segment) => segment.blob_id ?? []))
    // Replaced between reading and pinning, its bytes may be gone already; looking again finds what is there now.
    const now = await index.read(find)
    if (now?.id === row.id)
      return {
        row,
        segments,
        release,
        bytes: (start, end, key = null) => readSegments(deps, segments, { start, end }, key),
      }
    release()
  }
}

async function* readSegments(
  { index, blobs, masterKeys }: ObjectSource,
  segments: readonly SegmentTable[],
  { start, end }: { start: number; end: number },
  key: Buffer | null,
): AsyncGenerator<Buffer, void, void> {
  let at = 0
  for (const segment of segments) {
    const from = Math.max(start - at, 0)
    const to = Math.min(end - at, segment.size)
    at += segment.size
    if (from >= to || segment.blob_id === null) continue
    const { blob_id: blobId } = segment
    const blob = await index.read((db) => loadBlob(db, blobId))
    yield* readBlob(blobs, masterKeys, blob, { start: from, end: to }, key)
  }
}

/** The bytes as a stream for a client; releases the object when it closes, however it ends. */
export function streamObject(
  object: OpenObject,
  range: { start: number; end: number },
  log: Log,
  key: Buffer | null = null,
): Readable {
  async function* logged() {
    try {
      yield* object.bytes(range.start, range.end, key)
    } catch (error) {
      log.error({ bucket: object.row.bucket, objectId: object.row.id, err: error }, errorMessage(error))
      throw error
    }
  }
  const stream = Readable.from(logged(), { objectMode: false, highWaterMark: blockBytes })
  stream.once('close', () => object.release())
  return stream
}
