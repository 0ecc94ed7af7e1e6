import { sql, type Kysely } from 'kysely'
import { MalleeError } from '@mallee/base'
import type { Migration } from './state-store.ts'

/** Brings the schema to the newest version. A record written by a newer Mallee is refused rather than damaged. */
// oxlint-disable-next-line typescript/no-explicit-any -- the schema of the day before is not typed
export async function migrate(db: Kysely<any>, migrations: readonly Migration[]): Promise<void> {
  await sql`create table if not exists migration (name text primary key, applied_at bigint not null)`.execute(
    db,
  )
  const rows = await sql<{ name: string }>`select name from migration order by name`.execute(db)
  const done = new Set(rows.rows.map((row) => row.name))
  const known = new Set(migrations.map((migration) => migration.name))
  const foreign = [...done].find((name) => !known.has(name))
  if (foreign !== undefined) {
    throw new MalleeError({
      code: 'RecordTooNew',
      publicMessage: `The record was written by a newer version of Mallee (migration ${foreign} is unknown here).`,
    })
  }
  for (const migration of migrations) {
    if (done.has(migration.name)) continue
    await migration.up(db)
    await sql`insert into migration (name, applied_at) values (${migration.name}, ${Date.now()})`.execute(db)
  }
}
