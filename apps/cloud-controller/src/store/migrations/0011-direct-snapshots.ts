import { sql, type Kysely } from 'kysely'
import type { Migration } from '@mallee/state-store'

/** Snapshots that clients write block by block, and which snapshots may be compared. */
const statements = [
  sql`alter table volume add column lineage text`,
  sql`alter table snapshot add column lineage text`,
  sql`alter table snapshot add column parent_snapshot_id text`,
  sql`alter table snapshot add column parent_index text`,
  sql`alter table snapshot add column staging text`,
  sql`alter table snapshot add column staging_observed text`,
  sql`alter table snapshot add column timeout_minutes bigint`,
  sql`alter table snapshot add column written_at bigint`,
  sql`alter table snapshot add column written_count bigint`,
  sql`alter table snapshot add column written_checksum text`,
]

export const directSnapshots: Migration = {
  name: '0011-direct-snapshots',
  async up(db: Kysely<unknown>) {
    for (const statement of statements) await statement.execute(db)
  },
}
