import type Database from 'better-sqlite3'
import type { Kysely } from 'kysely'

/** Runs one statement now, in the turn that it is asked in; answers its rows, none where it gives none. */
export type DirectRows = (text: string, parameters: readonly unknown[]) => unknown[]

// oxlint-disable-next-line typescript/no-explicit-any -- handles of every schema are known here
const known = new WeakMap<Kysely<any>, DirectRows>()

/**
 * The same connection that a Kysely handle has, without what Kysely does around a statement: five promises in a row, which
 * cost more than most statements do. Undefined where there is none, as on PostgreSQL.
 */
// oxlint-disable-next-line typescript/no-explicit-any -- as above
export const directRows = (db: Kysely<any>): DirectRows | undefined => known.get(db)

export function rememberDirect(
  // oxlint-disable-next-line typescript/no-explicit-any -- as above
  db: Kysely<any>,
  handle: Pick<Database.Database, 'prepare'>,
): DirectRows {
  const run: DirectRows = (text, parameters) => {
    const statement = handle.prepare(text)
    if (statement.reader) return statement.all(parameters)
    statement.run(parameters)
    return []
  }
  known.set(db, run)
  return run
}
