import { dropUnnamedBlobs } from './blob-rows.ts'
import { endOfPrefix, lowerBound, type KeyCursor } from './walk-keys.ts'
import type { ObjectTable, Reader, SegmentTable, Tx } from './tables.ts'

/** Rows in one INSERT; SQLite takes at most 32,766 values in one. */
const rowsPerInsert = 1000

export async function findObject(db: Reader, bucket: string, key: string): Promise<ObjectTable | null> {
  const found = db.selectFrom('object').selectAll().where('bucket', '=', bucket).where('key', '=', key)
  return (await found.executeTakeFirst()) ?? null
}

export function segmentsOf(db: Reader, objectId: string): Promise<SegmentTable[]> {
  return db.selectFrom('segment').selectAll().where('object_id', '=', objectId).orderBy('position').execute()
}

/** Puts an object in the place of the one at its key, if any; answers the blobs that nothing names any more. */
export async function replaceObject(
  tx: Tx,
  row: ObjectTable,
  segments: readonly Omit<SegmentTable, 'object_id'>[],
): Promise<string[]> {
  const old = await detachObject(tx, row.bucket, row.key)
  await tx.db.insertInto('object').values(row).execute()
  const rows = segments.map((segment) => ({ ...segment, object_id: row.id }))
  for (let at = 0; at < rows.length; at += rowsPerInsert) {
    await tx.db
      .insertInto('segment')
      .values(rows.slice(at, at + rowsPerInsert))
      .execute()
  }
  return dropUnnamedBlobs(tx, old)
}

/** Deletes the object at a key; answers the blobs that nothing names any more, none where there was no object. */
export async function deleteObject(tx: Tx, bucket: string, key: string): Promise<string[]> {
  return dropUnnamedBlobs(tx, await detachObject(tx, bucket, key))
}

async function detachObject(tx: Tx, bucket: string, key: string): Promise<string[]> {
  const old = await findObject(tx.db, bucket, key)
  if (!old) return []
  const segments = await segmentsOf(tx.db, old.id)
  await tx.db.deleteFrom('segment').where('object_id', '=', old.id).execute()
  await tx.db.deleteFrom('object').where('bucket', '=', bucket).where('key', '=', key).execute()
  return segments.flatMap((segment) => segment.blob_id ?? [])
}

/** Rows of a bucket in the order of their keys, from the cursor on. */
export function scanObjects(
  db: Reader,
  bucket: string,
  prefix: string,
  cursor: KeyCursor,
  limit: number,
): Promise<ObjectTable[]> {
  const from = lowerBound(prefix, cursor)
  let query = db.selectFrom('object').selectAll().where('bucket', '=', bucket)
  query = query.where('key', from.inclusive ? '>=' : '>', from.key)
  const end = endOfPrefix(prefix)
  if (end !== null) query = query.where('key', '<', end)
  return query.orderBy('key').limit(limit).execute()
}
