import { sql, type Kysely } from 'kysely'
import type { Migration } from '@mallee/state-store'

/** The key that bundles are encrypted for, images that walrus makes of bundles, and manifests that it is asked about. */
const statements = [
  sql`create table bundling_key (name text primary key, certificate text not null, sealed_key text not null,
    created_at bigint not null)`,
  sql`create table manifest (id text primary key, account_id text not null, bucket text not null, object_key text not null,
    created_at bigint not null, facts text)`,
  sql`alter table image add column origin text`,
  sql`alter table image add column origin_bucket text`,
  sql`alter table image add column origin_key text`,
  sql`alter table image add column progress bigint`,
  sql`alter table image add column has_disk bigint not null default 0`,
]

export const bundles: Migration = {
  name: '0007-bundles',
  async up(db: Kysely<unknown>) {
    for (const statement of statements) await statement.execute(db)
  },
}
