import type { CloudUnderTest } from '../cloud-under-test.ts'

/** What every call writes, refused or not. */
const ofAudit = new Set(['api_call', 'api_call_resource', 'audit_counter'])

/** When a key was used is written with the audit's lines. */
const withoutUse = (row: object) =>
  'used_service' in row ? { ...row, used_at: null, used_service: null, used_region: null } : row

/** Every row of every table as text, by table, but the audit: what changed between two of these changed in the record. */
export async function dumpRecord({ cloud }: CloudUnderTest): Promise<Record<string, string[]>> {
  return cloud.record.read(async (db) => {
    const tables = await db.introspection.getTables()
    const dump: Record<string, string[]> = {}
    for (const { name } of tables) {
      if (ofAudit.has(name)) continue
      const rows = await db
        .selectFrom(name as never)
        .selectAll()
        .execute()
      dump[name] = rows.map((row) => JSON.stringify(withoutUse(row))).toSorted()
    }
    return dump
  })
}
