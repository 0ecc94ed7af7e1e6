import type { CloudUnderTest } from '../cloud-under-test.ts'

/** What every call writes, refused or not. */
const ofAudit = new Set(['api_call', 'api_call_resource', 'audit_counter'])

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
      dump[name] = rows.map((row) => JSON.stringify(row)).toSorted()
    }
    return dump
  })
}
