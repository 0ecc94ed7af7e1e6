import { endOfPrefix, lowerBound, type KeyCursor } from './walk-keys.ts'
import { given, rowOf, rowsOf } from './statements.ts'
import type { BlobTable, ObjectTable, Reader, SegmentTable } from './tables.ts'

/** What a key holds now; null where there is nothing, or a delete marker. */
export async function findObject(db: Reader, bucket: string, key: string): Promise<ObjectTable | null> {
  return rowOf<ObjectTable>(db, 'select * from object where bucket = ? and key = ?', [bucket, key])
}

export function segmentsOf(db: Reader, objectId: string): Promise<readonly SegmentTable[]> {
  return rowsOf<SegmentTable>(db, `select * from segment where object_id = ${given} order by position`, [
    objectId,
  ])
}

/** A segment, with what is needed to read it; null where it is empty. */
export interface ReadySegment extends SegmentTable {
  readonly blob: BlobTable | null
}

/**
 * By one statement, so that what it finds was there at one moment: whoever reads on while the object is deleted finds no
 * rows later. Four bytes for each MiB.
 */
export async function readySegmentsOf(db: Reader, objectId: string): Promise<ReadySegment[]> {
  const rows = await rowsOf<SegmentTable & BlobTable & { segment_size: number; found: string | null }>(
    db,
    `select segment.object_id, segment.position, segment.blob_id, segment.size as segment_size, blob.id as found, blob.size,
      blob.block_crcs, blob.cipher, blob.block_tags, blob.bytes
      from segment left join blob on blob.id = segment.blob_id
      where segment.object_id = ${given} order by segment.position`,
    [objectId],
  )
  return rows.map(({ object_id, position, blob_id, segment_size, found, ...blob }) => ({
    ...{ object_id, position, blob_id, size: segment_size },
    blob: found === null ? null : { ...blob, id: found },
  }))
}

/** An object with its segments; null where there are several, which are looked for by themselves. */
export interface FoundObject {
  readonly row: ObjectTable
  readonly segments: readonly ReadySegment[] | null
}

type FoundRow = ObjectTable &
  Pick<BlobTable, 'block_crcs' | 'cipher' | 'block_tags' | 'bytes'> & {
    segment_position: number | null
    segment_blob: string | null
    segment_size: number
    blob_found: string | null
    blob_size: number
  }

/** What a key holds now with its bytes where they are in the index: most reads need nothing else. */
export async function findWithBytes(db: Reader, bucket: string, key: string): Promise<FoundObject | null> {
  const rows = await rowsOf<FoundRow>(
    db,
    `select object.*, segment.position as segment_position, segment.blob_id as segment_blob, segment.size as segment_size,
      blob.id as blob_found, blob.size as blob_size, block_crcs, cipher, block_tags, bytes
      from object left join segment on segment.object_id = object.id left join blob on blob.id = segment.blob_id
      where bucket = ${given} and key = ${given} limit 2`,
    [bucket, key],
  )
  const [first] = rows
  if (!first) return null
  const { segment_position, segment_blob, segment_size, blob_found, blob_size, ...rest } = first
  const { block_crcs, cipher, block_tags, bytes, ...row } = rest
  if (rows.length > 1) return { row, segments: null }
  if (segment_position === null) return { row, segments: [] }
  const blob =
    blob_found === null ? null : { id: blob_found, size: blob_size, block_crcs, cipher, block_tags, bytes }
  const place = { object_id: row.id, position: segment_position, blob_id: segment_blob, size: segment_size }
  return { row, segments: [{ ...place, blob }] }
}

/** What a listing shows of an object: whole rows would cost twice the time. */
const listed =
  'bucket, key, id, size, etag, modified_at, checksum_name, checksum_type, owner_account, owner_id, owner_name'
export type ListedObject = Pick<
  ObjectTable,
  | 'bucket'
  | 'key'
  | 'id'
  | 'size'
  | 'etag'
  | 'modified_at'
  | 'checksum_name'
  | 'checksum_type'
  | 'owner_account'
  | 'owner_id'
  | 'owner_name'
>

/** Current objects of a bucket in the order of their keys, from the cursor on. */
export async function scanObjects(
  db: Reader,
  bucket: string,
  prefix: string,
  cursor: KeyCursor,
  limit: number,
): Promise<ListedObject[]> {
  const from = lowerBound(prefix, cursor)
  const end = endOfPrefix(prefix)
  const rows = await rowsOf<ListedObject>(
    db,
    `select ${listed} from object where bucket = ${given} and key ${from.inclusive ? '>=' : '>'} ${given}
      ${end === null ? '' : `and key < ${given}`} order by key limit ?`,
    [bucket, from.key, ...(end === null ? [] : [end]), limit],
  )
  return [...rows]
}
