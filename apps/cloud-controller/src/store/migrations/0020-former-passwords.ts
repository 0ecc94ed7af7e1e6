import { sql, type Kysely } from 'kysely'
import type { Migration } from '@mallee/state-store'

/** The hashes of a user's passwords before the present one: what an account's policy forbids to use again. */
export const formerPasswords: Migration = {
  name: '0020-former-passwords',
  async up(db: Kysely<unknown>) {
    await sql`alter table iam_login_profile add column former text not null default '[]'`.execute(db)
  },
}
