import { sql, type Kysely } from 'kysely'
import type { Migration } from '@mallee/state-store'

/** Images that are converted from disks of other formats, and what their owners ask about meanwhile. */
const statements = [
  sql`alter table image add column origin_format text`,
  sql`create table import_task (id text primary key, account_id text not null, image_id text not null references image(id),
    description text, created_at bigint not null, cancelled_at bigint, cancel_reason text)`,
  sql`create index import_task_account on import_task (account_id, created_at, id)`,
]

export const imports: Migration = {
  name: '0008-imports',
  async up(db: Kysely<unknown>) {
    for (const statement of statements) await statement.execute(db)
  },
}
