import { sql, type Kysely } from 'kysely'
import type { Migration } from '@mallee/state-store'

/** Of each snapshot that a client writes, when it last did. */
export const stagingTable: Migration = {
  name: '0006-staging',
  async up(db: Kysely<unknown>) {
    await sql`create table staging (snapshot_id text primary key, written_at integer not null, progress integer not null)
      without rowid`.execute(db)
  },
}
