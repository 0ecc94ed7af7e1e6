import { endOfPrefix, lowerBound, type KeyCursor } from './walk-keys.ts'
import type { ObjectTable, Reader, SegmentTable } from './tables.ts'

/** What a key holds now; null where there is nothing, or a delete marker. */
export async function findObject(db: Reader, bucket: string, key: string): Promise<ObjectTable | null> {
  const found = db.selectFrom('object').selectAll().where('bucket', '=', bucket).where('key', '=', key)
  return (await found.executeTakeFirst()) ?? null
}

export function segmentsOf(db: Reader, objectId: string): Promise<SegmentTable[]> {
  return db.selectFrom('segment').selectAll().where('object_id', '=', objectId).orderBy('position').execute()
}

/** Current objects of a bucket in the order of their keys, from the cursor on. */
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
