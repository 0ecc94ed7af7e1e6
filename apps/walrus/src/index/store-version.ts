import { dropUnnamedBlobs } from './blob-rows.ts'
import { findObject, segmentsOf } from './object-rows.ts'
import { insertRow, rowsOf } from './statements.ts'
import type { ObjectTable, PastTable, SegmentTable, Tx } from './tables.ts'
import { findVersion, newestPast, type Version } from './version-rows.ts'

/** What a bucket does with what is overwritten or deleted. `Off`: it never kept versions. */
export type Versioning = 'Off' | 'Enabled' | 'Suspended'

/** The version id of what is written where no versions are kept. */
export const nullVersion = 'null'

/** Rows in one INSERT; SQLite takes at most 32,766 values in one. */
const rowsPerInsert = 1000

/** A version before it has its place in the history of its key. */
export type NewVersion = Omit<ObjectTable, 'seq'>

/**
 * Makes this what the key holds. What was there goes, or becomes a past version. Answers the row, and the blobs that
 * nothing names any more.
 */
export async function storeVersion(
  tx: Tx,
  version: NewVersion,
  segments: readonly Omit<SegmentTable, 'object_id'>[],
  versioning: Versioning = 'Off',
): Promise<{ row: ObjectTable; dropped: string[] }> {
  const { seq, dropped } = await makeRoom(tx, version.bucket, version.key, version.modified_at, versioning)
  const row: ObjectTable = { ...version, seq }
  await insertRow(tx.db, 'object', { ...row })
  const rows = segments.map((segment) => ({ ...segment, object_id: row.id }))
  if (rows.length === 1) await insertRow(tx.db, 'segment', { ...rows[0] })
  else
    for (let at = 0; at < rows.length; at += rowsPerInsert) {
      await tx.db
        .insertInto('segment')
        .values(rows.slice(at, at + rowsPerInsert))
        .execute()
    }
  return { row, dropped: await dropUnnamedBlobs(tx, dropped) }
}

/** Deletes what a key holds: a delete marker takes its place where versions are kept. */
export async function deleteKey(
  tx: Tx,
  place: { bucket: string; key: string },
  marker: { id: string; versionId: string; nowMs: number },
  versioning: Versioning,
): Promise<{ marker: PastTable | null; dropped: string[] }> {
  const { bucket, key } = place
  const { seq, dropped } = await makeRoom(tx, bucket, key, marker.nowMs, versioning)
  if (versioning === 'Off') return { marker: null, dropped: await dropUnnamedBlobs(tx, dropped) }
  const row: PastTable = {
    ...emptyVersion(place, marker),
    version_id: versioning === 'Suspended' ? nullVersion : marker.versionId,
    seq,
    marker: 1,
  }
  await tx.db.insertInto('past').values(row).execute()
  return { marker: row, dropped: await dropUnnamedBlobs(tx, dropped) }
}

/** Removes one version for good; an older one becomes what the key holds where this was it. */
export async function deleteVersion(
  tx: Tx,
  bucket: string,
  key: string,
  versionId: string,
): Promise<{ deleted: Version | null; dropped: string[] }> {
  const found = await findVersion(tx.db, bucket, key, versionId)
  if (!found) return { deleted: null, dropped: [] }
  const blobs = await detach(tx, found)
  if ((await findObject(tx.db, bucket, key)) === null) await promote(tx, bucket, key)
  return { deleted: found, dropped: await dropUnnamedBlobs(tx, blobs) }
}

/** Changes what a version says of itself; its bytes never change. */
export async function updateVersion(
  tx: Tx,
  { place, row }: Version,
  change: Partial<Pick<ObjectTable, 'acl' | 'tags' | 'lock_mode' | 'lock_until' | 'legal_hold'>>,
): Promise<void> {
  await tx.db.updateTable(place).set(change).where('id', '=', row.id).execute()
}

/** Takes away what stands in the way of a new version; answers its place in time and the blobs that were named. */
async function makeRoom(
  tx: Tx,
  bucket: string,
  key: string,
  nowMs: number,
  versioning: Versioning,
): Promise<{ seq: number; dropped: string[] }> {
  const current = await findObject(tx.db, bucket, key)
  const past = versioning === 'Off' ? null : await newestPast(tx.db, bucket, key)
  const seq = Math.max(nowMs, (current?.seq ?? 0) + 1, (past?.row.seq ?? 0) + 1)
  const dropped: string[] = []
  const replacesNull = versioning !== 'Enabled'
  if (current) {
    const version: Version = { row: current, marker: false, place: 'object' }
    if (versioning === 'Off' || (replacesNull && current.version_id === nullVersion))
      dropped.push(...(await detach(tx, version)))
    else await retire(tx, current)
  }
  if (versioning === 'Suspended') {
    const old = await findVersion(tx.db, bucket, key, nullVersion)
    if (old) dropped.push(...(await detach(tx, old)))
  }
  return { seq, dropped }
}

async function detach(tx: Tx, { row, place }: Version): Promise<string[]> {
  const segments = await segmentsOf(tx.db, row.id)
  await rowsOf(tx.db, 'delete from segment where object_id = ?', [row.id])
  await rowsOf(tx.db, `delete from ${place} where id = ?`, [row.id])
  return segments.flatMap((segment) => segment.blob_id ?? [])
}

async function retire(tx: Tx, row: ObjectTable): Promise<void> {
  await tx.db.deleteFrom('object').where('id', '=', row.id).execute()
  await tx.db
    .insertInto('past')
    .values({ ...row, marker: 0 })
    .execute()
}

async function promote(tx: Tx, bucket: string, key: string): Promise<void> {
  const newest = await newestPast(tx.db, bucket, key)
  if (!newest || newest.marker) return
  await tx.db.deleteFrom('past').where('id', '=', newest.row.id).execute()
  await tx.db.insertInto('object').values(newest.row).execute()
}

function emptyVersion(
  { bucket, key }: { bucket: string; key: string },
  { id, nowMs }: { id: string; nowMs: number },
): Omit<ObjectTable, 'seq' | 'version_id'> {
  return {
    bucket,
    key,
    id,
    size: 0,
    etag: '',
    modified_at: nowMs,
    headers: '{}',
    metadata: '{}',
    ...withoutAttributes,
    checksum_name: null,
    checksum_value: null,
    checksum_type: null,
    upload_id: null,
  }
}

/** The bucket's own, private, untagged, not locked, not encrypted. */
export const withoutAttributes = {
  owner_account: null,
  owner_id: null,
  owner_name: null,
  acl: null,
  tags: null,
  lock_mode: null,
  lock_until: null,
  legal_hold: 0,
  sse: null,
} as const satisfies Partial<ObjectTable>
