import { sql, type Kysely } from 'kysely'
import type { Migration } from '@mallee/state-store'

/**
 * Versions, who owns an object and who else may read it, tags, locks and encryption. `object` stays the table of what a
 * key holds now, so that a listing costs what it shows; `past` has everything else: older versions and delete markers.
 */
const shared = `version_id text not null default 'null', seq integer not null default 0, owner_account text, owner_id text, owner_name text,
  acl text, tags text, lock_mode text, lock_until integer, legal_hold integer not null default 0, sse text`

const columns = shared.split(/,\s+/)

const statements = [
  sql`alter table bucket add column settings text not null default '{}'`,
  ...columns.map((column) => sql.raw(`alter table object add column ${column}`)),
  sql.raw(`create table past (bucket text not null references bucket(name), key text not null, id text not null unique, size integer not null,
    etag text not null, modified_at integer not null, headers text not null, metadata text not null, checksum_name text,
    checksum_value text, checksum_type text, upload_id text, ${shared}, marker integer not null default 0,
    primary key (bucket, key, seq)) without rowid`),
  sql`create unique index past_version on past (bucket, key, version_id)`,
  sql`create table segment_of_version (object_id text not null, position integer not null, blob_id text references blob(id),
    size integer not null, primary key (object_id, position)) without rowid`,
  sql`insert into segment_of_version select object_id, position, blob_id, size from segment`,
  sql`drop table segment`,
  sql`alter table segment_of_version rename to segment`,
  sql`create index segment_blob on segment (blob_id)`,
  sql`alter table upload add column attributes text not null default '{}'`,
  sql`alter table blob add column cipher text`,
  sql`alter table blob add column block_tags blob`,
  sql`create table event_delivery (id integer primary key, bucket text not null, webhook text not null, body text not null,
    attempts integer not null default 0, next_at integer not null)`,
  sql`create index event_delivery_due on event_delivery (next_at)`,
]

export const versionsAndAccess: Migration = {
  name: '0002-versions-and-access',
  // oxlint-disable-next-line typescript/no-explicit-any -- a migration speaks of tables as they were
  async up(db: Kysely<any>) {
    for (const statement of statements) await statement.execute(db)
  },
}
