import type Database from 'better-sqlite3'

/** Distinct texts are few hundreds; lists of parameters of many lengths would make more, so the oldest are dropped. */
const maxStatements = 500

/**
 * Compiling a statement costs several times what running it does, and the same few hundred texts come again and again.
 * This is what Kysely needs of a database, with each text compiled once. Not for a connection that changes the schema:
 * a compiled statement remembers its columns.
 */
export function cachedStatements(handle: Database.Database): Pick<Database.Database, 'prepare' | 'close'> {
  const statements = new Map<string, Database.Statement>()
  return {
    prepare(text: string) {
      let statement = statements.get(text)
      if (statement) statements.delete(text)
      else statement = handle.prepare(text)
      statements.set(text, statement) // last used, last in order
      if (statements.size > maxStatements) statements.delete(statements.keys().next().value!)
      return statement
    },
    close: () => handle.close(),
  } as Pick<Database.Database, 'prepare' | 'close'>
}
