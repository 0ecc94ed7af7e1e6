import { sql, type Kysely } from 'kysely'
import type { Migration } from '@mallee/state-store'

/** How far the scrub is, and what it found damaged. */
export const scrubTables: Migration = {
  name: '0004-scrub',
  // oxlint-disable-next-line typescript/no-explicit-any -- a migration speaks of tables as they were
  async up(db: Kysely<any>) {
    await sql`create table scrub (id integer primary key check (id = 1), after text not null, began_at integer not null,
      ended_at integer)`.execute(db)
    await sql`create table damage (blob_id text primary key, found_at integer not null, reason text not null)`.execute(
      db,
    )
  },
}
