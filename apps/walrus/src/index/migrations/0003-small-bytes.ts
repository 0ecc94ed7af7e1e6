import { sql, type Kysely } from 'kysely'
import type { Migration } from '@mallee/state-store'

/** Bytes of small objects lie in the index; null where the driver has them. Last, so that sizes are read without them. */
export const smallBytes: Migration = {
  name: '0003-small-bytes',
  // oxlint-disable-next-line typescript/no-explicit-any -- a migration speaks of tables as they were
  async up(db: Kysely<any>) {
    await sql`alter table blob add column bytes blob`.execute(db)
  },
}
