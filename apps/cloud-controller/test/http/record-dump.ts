import type { CloudUnderTest } from '../cloud-under-test.ts'

/** Every row of every table as text, by table: what changed between two of these changed in the record. */
export async function dumpRecord({ cloud }: CloudUnderTest): Promise<Record<string, string[]>> {
  return cloud.record.read(async (db) => {
    const tables = await db.introspection.getTables()
    const dump: Record<string, string[]> = {}
    for (const { name } of tables) {
      const rows = await db
        .selectFrom(name as never)
        .selectAll()
        .execute()
      dump[name] = rows.map((row) => JSON.stringify(row)).toSorted()
    }
    return dump
  })
}
