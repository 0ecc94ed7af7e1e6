import { noSuchUpload } from '@mallee/s3-api'
import { dropUnnamedBlobs } from './blob-rows.ts'
import { endOfPrefix, lowerBound, type KeyCursor } from './walk-keys.ts'
import type { PartTable, Reader, Tx, UploadTable } from './tables.ts'

export async function findUpload(db: Reader, id: string): Promise<UploadTable | null> {
  return (await db.selectFrom('upload').selectAll().where('id', '=', id).executeTakeFirst()) ?? null
}

/** The canonical id of the account that began it; null where an older release did not note it. */
export function initiatorOf(upload: UploadTable): string | null {
  const { initiator } = JSON.parse(upload.attributes) as { initiator?: { ID: string } }
  return initiator?.ID ?? null
}

export async function requireUpload(
  db: Reader,
  bucket: string,
  key: string,
  id: string,
): Promise<UploadTable> {
  const row = await db.selectFrom('upload').selectAll().where('id', '=', id).executeTakeFirst()
  if (!row || row.bucket !== bucket || row.key !== key) throw noSuchUpload(id)
  return row
}

export async function insertUpload(tx: Tx, row: UploadTable): Promise<void> {
  await tx.db.insertInto('upload').values(row).execute()
}

/** Puts a part in the place of the one with its number; answers the blobs that nothing names any more. */
export async function replacePart(tx: Tx, row: PartTable): Promise<string[]> {
  const old = await tx.db
    .selectFrom('part')
    .select('blob_id')
    .where('upload_id', '=', row.upload_id)
    .where('number', '=', row.number)
    .executeTakeFirst()
  await tx.db
    .deleteFrom('part')
    .where('upload_id', '=', row.upload_id)
    .where('number', '=', row.number)
    .execute()
  await tx.db.insertInto('part').values(row).execute()
  return dropUnnamedBlobs(tx, old?.blob_id ? [old.blob_id] : [])
}

/** In order of number, after `after`. */
export function listParts(
  db: Reader,
  uploadId: string,
  options: { after: number; limit: number },
): Promise<PartTable[]> {
  return db
    .selectFrom('part')
    .selectAll()
    .where('upload_id', '=', uploadId)
    .where('number', '>', options.after)
    .orderBy('number')
    .limit(options.limit)
    .execute()
}

/** Ends uploads; answers the blobs that nothing names any more (parts that became an object's stay). */
export async function deleteUploads(tx: Tx, ids: readonly string[]): Promise<string[]> {
  const blobs: string[] = []
  for (const id of ids) {
    const parts = await listParts(tx.db, id, { after: 0, limit: 10_000 })
    blobs.push(...parts.flatMap((part) => part.blob_id ?? []))
    await tx.db.deleteFrom('part').where('upload_id', '=', id).execute()
    await tx.db.deleteFrom('upload').where('id', '=', id).execute()
  }
  return dropUnnamedBlobs(tx, blobs)
}

export async function uploadIdsOf(db: Reader, bucket: string): Promise<string[]> {
  const rows = await db.selectFrom('upload').select('id').where('bucket', '=', bucket).execute()
  return rows.map((row) => row.id)
}

/** Uploads of a bucket in the order of key and beginning, from the cursor on. */
export function scanUploads(
  db: Reader,
  bucket: string,
  prefix: string,
  cursor: KeyCursor,
  limit: number,
): Promise<UploadTable[]> {
  const { key, id, inclusive } = lowerBound(prefix, cursor)
  let query = db.selectFrom('upload').selectAll().where('bucket', '=', bucket)
  if (id === undefined) query = query.where('key', inclusive ? '>=' : '>', key)
  else {
    query = query.where('key', '>=', key)
    query = query.where((eb) => eb.or([eb('key', '>', key), eb('id', '>', id)]))
  }
  const end = endOfPrefix(prefix)
  if (end !== null) query = query.where('key', '<', end)
  return query.orderBy('key').orderBy('id').limit(limit).execute()
}
