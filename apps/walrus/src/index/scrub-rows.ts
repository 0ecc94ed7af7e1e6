import { insertRow, rowOf, rowsOf } from './statements.ts'
import type { BlobTable, DamageTable, Reader, ScrubTable, Tx } from './tables.ts'

export function scrubPosition(db: Reader): Promise<ScrubTable | null> {
  return rowOf<ScrubTable>(db, 'select * from scrub where id = 1', [])
}

export async function saveScrubPosition(tx: Tx, row: Omit<ScrubTable, 'id'>): Promise<void> {
  await rowsOf(tx.db, 'delete from scrub', [])
  await insertRow(tx.db, 'scrub', { id: 1, ...row })
}

/** The next blob by id; null at the end. */
export function nextBlob(db: Reader, after: string): Promise<BlobTable | null> {
  return rowOf<BlobTable>(db, 'select * from blob where id > ? order by id limit 1', [after])
}

export async function noteDamage(tx: Tx, row: DamageTable): Promise<void> {
  await rowsOf(tx.db, 'delete from damage where blob_id = ?', [row.blob_id])
  // A blob that was deleted meanwhile harms nobody.
  if (await rowOf(tx.db, 'select 1 from blob where id = ?', [row.blob_id]))
    await insertRow(tx.db, 'damage', { ...row })
}

export async function forgetDamage(tx: Tx, blobId: string): Promise<void> {
  await rowsOf(tx.db, 'delete from damage where blob_id = ?', [blobId])
}

export async function isDamaged(db: Reader, blobId: string): Promise<boolean> {
  return (await rowOf(db, 'select 1 from damage where blob_id = ?', [blobId])) !== null
}

/** What was found damaged and is still named by the index. */
export async function damagedBlobs(db: Reader): Promise<readonly DamageTable[]> {
  return rowsOf<DamageTable>(
    db,
    'select damage.* from damage join blob on blob.id = damage.blob_id order by blob_id',
    [],
  )
}

/** How many blobs are damaged, as one row. */
export async function damageCount(db: Reader): Promise<{ count: number }> {
  return { count: (await damagedBlobs(db)).length }
}

/** Who is harmed by damage to a blob: `bucket/key` of versions and uploads, at most so many. */
export async function namesOfBlob(db: Reader, blobId: string, most: number): Promise<string[]> {
  const rows = await rowsOf<{ name: string }>(
    db,
    `select bucket || '/' || key as name from segment join object on object.id = segment.object_id where blob_id = ?
      union select bucket || '/' || key from segment join past on past.id = segment.object_id where blob_id = ?
      union select bucket || '/' || key from part join upload on upload.id = part.upload_id where blob_id = ? limit ?`,
    [blobId, blobId, blobId, most],
  )
  return rows.map((row) => row.name)
}
