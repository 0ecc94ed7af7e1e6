import { sql, type Kysely } from 'kysely'
import type { Migration } from '@mallee/state-store'

/** Keys of encrypted volumes and snapshots, wrapped by the keyring, and what accounts say of encryption. */
const statements = [
  sql`create table ebs_encryption (account_id text primary key references account(id), key_id text not null, sealed_secret text not null,
    by_default bigint not null default 0)`,
  sql`alter table volume add column kms_key_id text`,
  sql`alter table volume add column sealed_key text`,
  sql`alter table snapshot add column kms_key_id text`,
  sql`alter table snapshot add column sealed_key text`,
  sql`alter table image_block_device add column encrypted bigint not null default 0`,
]

export const encryption: Migration = {
  name: '0012-encryption',
  async up(db: Kysely<unknown>) {
    for (const statement of statements) await statement.execute(db)
  },
}
