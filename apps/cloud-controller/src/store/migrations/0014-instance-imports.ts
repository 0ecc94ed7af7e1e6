import { sql, type Kysely } from 'kysely'
import type { Migration } from '@mallee/state-store'

/** Disks in buckets that become the volumes of an instance. */
const statements = [
  sql`create table instance_import (id text primary key, account_id text not null references account(id), instance_id text not null,
    image_id text not null, architecture text not null, planned text not null, group_ids text not null, subnet_id text not null,
    private_ip bigint, vcpus bigint not null, description text not null, created_at bigint not null, request_id text, trace_parent text,
    phase text not null, message text, cancel_reason text)`,
  sql`create index instance_import_account on instance_import (account_id, created_at, id)`,
  sql`alter table disk_import add column instance_import_id text`,
  sql`alter table disk_import add column disk_index bigint`,
  sql`create index disk_import_instance on disk_import (instance_import_id)`,
]

export const instanceImports: Migration = {
  name: '0014-instance-imports',
  async up(db: Kysely<unknown>) {
    for (const statement of statements) await statement.execute(db)
  },
}
