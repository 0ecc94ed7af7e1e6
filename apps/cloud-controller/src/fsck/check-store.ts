import { sql } from 'kysely'
import type { StateStore } from '@mallee/state-store'
import { auditGaps } from '../store/api-call-store.ts'
import type { Tables } from '../store/tables.ts'
import { finding, type Finding } from './finding.ts'

const remedy = 'Restore the record from a backup: ./mallee restore.'

/** What the database itself says of its file and its foreign keys, and whether the audit is whole. */
export async function checkStore(record: StateStore<Tables>): Promise<Finding[]> {
  return [...(await checkFile(record)), ...(await checkAudit(record))]
}

async function checkAudit(record: StateStore<Tables>): Promise<Finding[]> {
  const { first, last, missing } = await record.read(auditGaps)
  if (missing === 0) return []
  const what = `of the lines ${first} to ${last}, ${missing} are missing`
  return [finding('I8.audit-gap', 'audit', what, 'Somebody took them away: compare with a backup.')]
}

/** PostgreSQL keeps both by itself. */
async function checkFile(record: StateStore<Tables>): Promise<Finding[]> {
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
