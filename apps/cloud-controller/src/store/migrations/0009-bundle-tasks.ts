import { sql, type Kysely } from 'kysely'
import type { Migration } from '@mallee/state-store'

/** Bundles that are made of instances. */
const statements = [
  sql`create table bundle_task (id text primary key, account_id text not null, instance_id text not null, bucket text not null,
    prefix text not null, access_key_id text not null, upload_policy text not null, sealed_signature text not null,
    phase text not null, progress bigint not null, error_code text, error_message text, started_at bigint not null,
    updated_at bigint not null)`,
  sql`create index bundle_task_instance on bundle_task (instance_id, phase)`,
  sql`create index bundle_task_account on bundle_task (account_id, started_at, id)`,
]

export const bundleTasks: Migration = {
  name: '0009-bundle-tasks',
  async up(db: Kysely<unknown>) {
    for (const statement of statements) await statement.execute(db)
  },
}
