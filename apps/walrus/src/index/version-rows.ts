import { sql } from 'kysely'
import { findObject } from './object-rows.ts'
import { given, rowOf } from './statements.ts'
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

/** Versions and delete markers of a bucket by key, newest first, from the cursor on. Their `id` is their `seq`. */
export async function scanVersions(
  db: Reader,
  bucket: string,
  prefix: string,
  cursor: KeyCursor,
  limit: number,
): Promise<ListedVersion[]> {
  const from = lowerBound(prefix, cursor)
  const end = endOfPrefix(prefix)
  const key = sql`bucket = ${bucket} and ${end === null ? sql`true` : sql`key < ${end}`}`
  const bound =
    from.id === undefined
      ? sql`${from.inclusive ? sql`key >= ${from.key}` : sql`key > ${from.key}`}`
      : sql`(key >= ${from.key} and (key > ${from.key} or seq < ${Number(from.id)}))`
  const part = (
    table: string,
    marker: string,
    latest: string,
  ) => sql`select bucket, key, cast(seq as text) as id, id as object_id, size, etag, modified_at,
    headers, metadata, checksum_name, checksum_value, checksum_type, upload_id, version_id, seq, owner_account, owner_id,
    owner_name, acl, tags, lock_mode, lock_until, legal_hold, sse, ${sql.raw(marker)} as marker, ${sql.raw(latest)} as latest
    from ${sql.table(table)} where ${key} and ${bound}`
  // A page is looked for in each table by itself: a sort over the union would read all that is behind the page.
  const [current, past] = await Promise.all([
    sql<ListedVersion>`${part('object', '0', '1')} order by key limit ${limit}`.execute(db),
    sql<ListedVersion>`${part('past', 'marker', '0')} order by key, seq desc limit ${limit}`.execute(db),
  ])
  const merged = [...current.rows, ...past.rows]
  merged.sort(
    (a, b) => Buffer.compare(Buffer.from(a.key, 'utf8'), Buffer.from(b.key, 'utf8')) || b.seq - a.seq,
  )
  const page = merged.slice(0, limit)
  await markLatest(db, bucket, page, cursor)
  return page
}

/** The first version of a key is its latest, unless the page begins in the middle of that key. */
async function markLatest(
  db: Reader,
  bucket: string,
  page: ListedVersion[],
  cursor: KeyCursor,
): Promise<void> {
  let before = cursor.id === undefined ? null : cursor.key
  for (const row of page) {
    if (row.key !== before && row.marker === 1)
      row.latest = (await findObject(db, bucket, row.key)) === null ? 1 : 0
    before = row.key
  }
}
