import { sql } from 'kysely'
import type { StateStore } from '@mallee/state-store'
import type { Tables } from '../store/tables.ts'
import { finding, type Finding } from './finding.ts'

const remedy = 'Restore the record from a backup: ./mallee restore.'

/** What the database itself says of its file and its foreign keys. PostgreSQL keeps both by itself. */
export async function checkStore(record: StateStore<Tables>): Promise<Finding[]> {
  if (record.engine !== 'sqlite') return []
  return record.read(async (db) => {
    const checked = await sql<{ integrity_check: string }>`pragma integrity_check`.execute(db)
    const broken = await sql<{
      table: string
      rowid: number
      parent: string
    }>`pragma foreign_key_check`.execute(db)
    return [
      ...checked.rows
        .filter((row) => row.integrity_check !== 'ok')
        .map((row) => finding('I6.record-damaged', 'record.db', row.integrity_check, remedy)),
      ...broken.rows.map((row) =>
        finding('R.foreign-key', `${row.table} row ${row.rowid}`, `has no row in ${row.parent}`, remedy),
      ),
    ]
  })
}
