import type { Blob } from '../drivers/blob-driver.ts'
import { smallIds } from '../drivers/small-bytes.ts'
import type { BlobCipher } from '../encryption/encrypted-blobs.ts'
import { insertRow, rowOf, rowsOf } from './statements.ts'
import type { BlobTable, Reader, Tx } from './tables.ts'

/** A blob with what is needed to read what it means. */
export interface StoredBlob extends Blob {
  readonly cipher: BlobCipher | null
  readonly blockTags: Uint8Array | null
}

export async function insertBlob(tx: Tx, blob: StoredBlob): Promise<void> {
  await insertRow(tx.db, 'blob', {
    id: blob.id,
    size: blob.sizeBytes,
    block_crcs: blob.blockCrcs,
    cipher: blob.cipher && JSON.stringify(blob.cipher),
    block_tags: blob.blockTags,
    bytes: blob.bytes ?? null,
  })
}

export async function isBlob(db: Reader, id: string): Promise<boolean> {
  return (await rowOf(db, 'select 1 from blob where id = ?', [id])) !== null
}

export function storedBlob(row: BlobTable): StoredBlob {
  return {
    id: row.id,
    sizeBytes: row.size,
    blockCrcs: row.block_crcs,
    cipher: row.cipher === null ? null : (JSON.parse(row.cipher) as BlobCipher),
    blockTags: row.block_tags,
    bytes: row.bytes,
  }
}

/** All ids that the index knows of bytes that the driver has; for the sweep at start. */
export async function allBlobIds(db: Reader): Promise<Set<string>> {
  const rows = await db
    .selectFrom('blob')
    .select('id')
    .where((eb) => eb.or([eb('id', '<', smallIds.from), eb('id', '>=', smallIds.to)]))
    .execute()
  return new Set(rows.map((row) => row.id))
}

/** Rows of bytes that no object and no part of an upload names. */
export async function unnamedBlobIds(db: Reader): Promise<string[]> {
  const rows = await db
    .selectFrom('blob')
    .select('id')
    .where((eb) =>
      eb.not(
        eb.exists(
          eb.selectFrom('segment').select('segment.size').whereRef('segment.blob_id', '=', 'blob.id'),
        ),
      ),
    )
    .where((eb) =>
      eb.not(eb.exists(eb.selectFrom('part').select('part.size').whereRef('part.blob_id', '=', 'blob.id'))),
    )
    .execute()
  return rows.map((row) => row.id)
}

const namers =
  'select 1 from segment where blob_id = ? union all select 1 from part where blob_id = ? limit 1'

/** Drops those of the blobs that nothing names any more, and answers which: their bytes may go after the commit. */
export async function dropUnnamedBlobs(tx: Tx, ids: readonly string[]): Promise<string[]> {
  const dropped: string[] = []
  for (const id of new Set(ids)) {
    if (await rowOf(tx.db, namers, [id, id])) continue
    await rowsOf(tx.db, 'delete from blob where id = ?', [id])
    dropped.push(id)
  }
  return dropped
}
