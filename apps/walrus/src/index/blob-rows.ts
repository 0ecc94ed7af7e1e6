import type { Blob } from '../drivers/blob-driver.ts'
import type { BlobCipher } from '../encryption/encrypted-blobs.ts'
import type { Reader, Tx } from './tables.ts'

/** A blob with what is needed to read what it means. */
export interface StoredBlob extends Blob {
  readonly cipher: BlobCipher | null
  readonly blockTags: Uint8Array | null
}

export async function insertBlob(tx: Tx, blob: StoredBlob): Promise<void> {
  await tx.db
    .insertInto('blob')
    .values({
      id: blob.id,
      size: blob.sizeBytes,
      block_crcs: blob.blockCrcs,
      cipher: blob.cipher && JSON.stringify(blob.cipher),
      block_tags: blob.blockTags,
    })
    .execute()
}

export async function loadBlob(db: Reader, id: string): Promise<StoredBlob> {
  const row = await db.selectFrom('blob').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
  return {
    id: row.id,
    sizeBytes: row.size,
    blockCrcs: row.block_crcs,
    cipher: row.cipher === null ? null : (JSON.parse(row.cipher) as BlobCipher),
    blockTags: row.block_tags,
  }
}

/** All ids that the index knows; for the sweep at start. */
export async function allBlobIds(db: Reader): Promise<Set<string>> {
  return new Set((await db.selectFrom('blob').select('id').execute()).map((row) => row.id))
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

/** Drops those of the blobs that nothing names any more, and answers which: their bytes may go after the commit. */
export async function dropUnnamedBlobs(tx: Tx, ids: readonly string[]): Promise<string[]> {
  const dropped: string[] = []
  for (const id of new Set(ids)) {
    const segment = await tx.db
      .selectFrom('segment')
      .select('size')
      .where('blob_id', '=', id)
      .executeTakeFirst()
    const part =
      segment ?? (await tx.db.selectFrom('part').select('size').where('blob_id', '=', id).executeTakeFirst())
    if (part) continue
    await tx.db.deleteFrom('blob').where('id', '=', id).execute()
    dropped.push(id)
  }
  return dropped
}
