import { sql, type Kysely } from 'kysely'
import type { Migration } from '@mallee/state-store'

/** Calls that the cloud has not kept yet. A number is never given twice, also when its line is gone. */
export const auditLines: Migration = {
  name: '0007-audit',
  async up(db: Kysely<unknown>) {
    await sql`create table audit_line (sequence integer primary key autoincrement, body text not null)`.execute(
      db,
    )
  },
}
