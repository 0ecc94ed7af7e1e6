import { findObject } from './object-rows.ts'
import { given, rowOf, rowsOf } from './statements.ts'
import { lowerBound, endOfPrefix, type KeyCursor } from './walk-keys.ts'
import type { ObjectTable, PastTable, Reader } from './tables.ts'

/** A version of a key wherever it is kept. */
export interface Version {
  readonly row: ObjectTable
  readonly marker: boolean
  /** What the key holds now. A delete marker is current where nothing newer is there and never in `object`. */
  readonly place: 'object' | 'past'
}

const inPast = (row: PastTable): Version => {
  const { marker, ...version } = row
  return { row: version, marker: marker === 1, place: 'past' }
}

export async function findVersion(
  db: Reader,
  bucket: string,
  key: string,
  versionId: string,
): Promise<Version | null> {
  const current = await findObject(db, bucket, key)
  if (current?.version_id === versionId) return { row: current, marker: false, place: 'object' }
  const past = await rowOf<PastTable>(
    db,
    `select * from past where bucket = ${given} and key = ${given} and version_id = ${given}`,
    [bucket, key, versionId],
  )
  return past ? inPast(past) : null
}

/** The newest version that is not what the key holds now: where that is nothing, it is a delete marker. */
export async function newestPast(db: Reader, bucket: string, key: string): Promise<Version | null> {
  const past = await rowOf<PastTable>(
    db,
    `select * from past where bucket = ${given} and key = ${given} order by seq desc limit 1`,
    [bucket, key],
  )
  return past ? inPast(past) : null
}

export interface ListedVersion extends ObjectTable {
  /** The version's own id; `id` is where it stands in the listing. */
  object_id: string
  marker: number
  latest: number
}

const columns = `bucket, key, id as object_id, size, etag, modified_at, headers, metadata, checksum_name, checksum_value,
  checksum_type, upload_id, version_id, seq, owner_account, owner_id, owner_name, acl, tags, lock_mode, lock_until,
  legal_hold, sse, cast(seq as text) as id`
/** Of a past version: nothing stands before it. */
const alone = `not exists (select 1 from object where object.bucket = past.bucket and object.key = past.key)`

/**
 * Versions and delete markers of a bucket by key, newest first, from the cursor on. Their `id` is their `seq`. By one
 * statement: between two, a version could move from one table to the other and be shown twice, or not at all.
 */
export async function scanVersions(
  db: Reader,
  bucket: string,
  prefix: string,
  cursor: KeyCursor,
  limit: number,
): Promise<ListedVersion[]> {
  const from = lowerBound(prefix, cursor)
  const end = endOfPrefix(prefix)
  const first = from.inclusive || from.id !== undefined ? '>=' : '>'
  const within = `bucket = ${given} and key ${first} ${given} ${end === null ? '' : `and key < ${given}`}
    ${from.id === undefined ? '' : `and (key > ${given} or seq < ?)`}`
  const bounds = [
    ...[bucket, from.key, ...(end === null ? [] : [end])],
    ...(from.id === undefined ? [] : [from.key, Number(from.id)]),
    limit,
  ]
  // A page is looked for in each table by itself: a sort over the union would read all that is behind the page.
  const found = await rowsOf<ListedVersion>(
    db,
    `select * from (select ${columns}, 0 as marker, 1 as latest from object where ${within} order by key limit ?)
      union all select * from (select ${columns}, marker, marker = 1 and ${alone} as latest from past where ${within}
      order by key, seq desc limit ?)`,
    [...bounds, ...bounds],
  )
  const merged = found.toSorted(
    (a, b) => Buffer.compare(Buffer.from(a.key, 'utf8'), Buffer.from(b.key, 'utf8')) || b.seq - a.seq,
  )
  const page = merged.slice(0, limit)
  markLatest(page, cursor)
  return page
}

/** The first version of a key is its latest, unless the page begins in the middle of that key. */
function markLatest(page: ListedVersion[], cursor: KeyCursor): void {
  let before = cursor.id === undefined ? null : cursor.key
  for (const row of page) {
    if (row.key === before) row.latest = 0
    before = row.key
  }
}
