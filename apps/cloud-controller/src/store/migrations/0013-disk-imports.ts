import { sql, type Kysely } from 'kysely'
import type { Migration } from '@mallee/state-store'

/** Disks in buckets that become snapshots and volumes. */
const statements = [
  sql`create table disk_import (id text primary key, account_id text not null, snapshot_id text not null, volume_id text,
    availability_zone text, format text not null, bucket text not null, object_key text not null, in_parts integer not null,
    sealed_url text, source_bytes bigint, description text, created_at bigint not null, request_id text, trace_parent text,
    phase text not null, message text, cancel_reason text, walrus_id text, observed_state text, observed_message text,
    disk_bytes bigint, blocks bigint, progress bigint)`,
  sql`create index disk_import_account on disk_import (account_id, created_at, id)`,
  sql`create index disk_import_snapshot on disk_import (snapshot_id)`,
]

export const diskImports: Migration = {
  name: '0013-disk-imports',
  async up(db: Kysely<unknown>) {
    for (const statement of statements) await statement.execute(db)
  },
}
