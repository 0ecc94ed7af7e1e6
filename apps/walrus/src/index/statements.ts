import { CompiledQuery } from 'kysely'
import { directRows } from '@mallee/state-store'
import type { IndexTables, Reader } from './tables.ts'

/**
 * Statements that every request runs are written out: to build and compile one by Kysely costs several times what SQLite
 * needs to run it. Values are always parameters.
 */
export async function rowsOf<Row>(
  db: Reader,
  text: string,
  parameters: readonly unknown[],
): Promise<readonly Row[]> {
  const direct = directRows(db)
  if (direct) return direct(text, parameters) as Row[]
  return (await db.executeQuery(CompiledQuery.raw(text, [...parameters]) as CompiledQuery<Row>)).rows
}

/**
 * A parameter of text that SQLite cannot look at. Bare ones in a join, a range or before an ORDER BY it looks at when it
 * plans, and then plans the statement anew each time that one is bound: five times the work of running it.
 */
export const given = `(? || '')`

export async function rowOf<Row>(
  db: Reader,
  text: string,
  parameters: readonly unknown[],
): Promise<Row | null> {
  return (await rowsOf<Row>(db, text, parameters))[0] ?? null
}

/** The text of an INSERT by its table and columns; few, since both come from our own code. */
const inserts = new Map<string, string>()

export async function insertRow<Table extends keyof IndexTables>(
  db: Reader,
  table: Table,
  row: Readonly<Record<string, unknown>>,
): Promise<void> {
  const columns = Object.keys(row)
  const name = `${table} ${columns.join(' ')}`
  let text = inserts.get(name)
  if (text === undefined) {
    const marks = columns.map(() => '?').join(', ')
    text = `insert into "${table}" (${columns.map((column) => `"${column}"`).join(', ')}) values (${marks})`
    inserts.set(name, text)
  }
  await rowsOf(db, text, Object.values(row))
}
