import { sql, type Kysely } from 'kysely'
import type { Migration } from '@mallee/state-store'

/** Keys are compared by their bytes in UTF-8, which is S3's order and SQLite's. */
const statements = [
  sql`create table bucket (name text primary key, account_id text not null, canonical_id text not null, account_name text not null,
    created_at integer not null) without rowid`,
  sql`create index bucket_account on bucket (account_id, name)`,
  sql`create table blob (id text primary key, size integer not null, block_crcs blob not null)`,
  sql`create table object (bucket text not null references bucket(name), key text not null, id text not null unique, size integer not null,
    etag text not null, modified_at integer not null, headers text not null, metadata text not null, checksum_name text,
    checksum_value text, checksum_type text, upload_id text, primary key (bucket, key)) without rowid`,
  sql`create table segment (object_id text not null references object(id), position integer not null, blob_id text references blob(id),
    size integer not null, primary key (object_id, position)) without rowid`,
  sql`create index segment_blob on segment (blob_id)`,
  sql`create table upload (id text primary key, bucket text not null references bucket(name), key text not null, started_at integer not null,
    headers text not null, metadata text not null, checksum_name text, checksum_type text)`,
  sql`create unique index upload_key on upload (bucket, key, id)`,
  sql`create table part (upload_id text not null references upload(id), number integer not null, blob_id text references blob(id),
    size integer not null, etag text not null, modified_at integer not null, checksum_name text, checksum_value text,
    primary key (upload_id, number)) without rowid`,
  sql`create index part_blob on part (blob_id)`,
]

export const firstIndex: Migration = {
  name: '0001-first-index',
  // oxlint-disable-next-line typescript/no-explicit-any -- a migration speaks of tables as they were
  async up(db: Kysely<any>) {
    for (const statement of statements) await statement.execute(db)
  },
}
