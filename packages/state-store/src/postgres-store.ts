import { Kysely, PostgresDialect, sql } from 'kysely'
import pg from 'pg'
import { assert } from '@mallee/base'
import { namingFullDisk } from './full-disk.ts'
import { runInsideTransaction } from './inside-transaction.ts'
import { migrate } from './migrate.ts'
import type {
  CommitObserver,
  Migration,
  StateStore,
  StoreTransaction,
  TransactionKind,
} from './state-store.ts'

/** SQLSTATE of a serialization failure and of a deadlock: the transaction did nothing and is run again. */
const againStates = new Set(['40001', '40P01'])
const maxAttempts = 50

/** Counts and times are 64-bit in the database and well below 2^53 in truth; a larger one is a fault, not a rounding. */
function parseInt8(text: string): number {
  const value = Number(text)
  assert(Number.isSafeInteger(value), `the integer ${text} from PostgreSQL is too large`)
  return value
}

/** The record in PostgreSQL: SERIALIZABLE, each transaction on its own connection, run again when it lost a race. */
export async function openPostgresStore<DB>(options: {
  /** `postgres://user@host/db` or a socket's; the password may come from the environment as libpq has it. */
  connectionString: string
  migrations: readonly Migration[]
  maxConnections?: number
  /** Of the whole transaction, since the driver does not tell its commit apart. */
  onCommit?: CommitObserver
}): Promise<StateStore<DB>> {
  const types = {
    getTypeParser: (oid: number, format?: 'text') =>
      oid === 20 ? parseInt8 : pg.types.getTypeParser(oid, format),
  }
  const pool = new pg.Pool({
    connectionString: options.connectionString,
    max: options.maxConnections ?? 10,
    types: types as unknown as pg.CustomTypesConfig,
  })
  // An idle connection that the database ends is replaced at the next use; unheard, its error would end the process.
  pool.on('error', () => {})
  const db = new Kysely<DB>({ dialect: new PostgresDialect({ pool }) })
  await db.transaction().execute(async (tx) => {
    await sql`select pg_advisory_xact_lock(7731)`.execute(tx)
    await migrate(tx, options.migrations)
  })
  return {
    engine: 'postgres',
    read: (work) => work(db),
    async transaction(kind, work) {
      const startedMs = performance.now()
      const value = await runSerializable(db, kind, work)
      options.onCommit?.({ seconds: (performance.now() - startedMs) / 1000, transactions: 1 })
      return value
    },
    close: () => db.destroy(),
  }
}

async function runSerializable<DB, T>(
  db: Kysely<DB>,
  kind: TransactionKind,
  work: (tx: StoreTransaction<DB>) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    const wakes: (() => void)[] = []
    const aborts: (() => void)[] = []
    try {
      const value = await runInsideTransaction(kind, () =>
        db
          .transaction()
          .setIsolationLevel('serializable')
          .execute((tx) =>
            work({
              kind,
              db: tx,
              afterCommit: (callback) => wakes.push(callback),
              afterAbort: (callback) => aborts.push(callback),
            }),
          ),
      )
      for (const wake of wakes) wake()
      return value
    } catch (error) {
      for (const abort of aborts) abort()
      if (attempt >= maxAttempts || !againStates.has((error as { code?: string }).code ?? ''))
        throw namingFullDisk(error)
    }
  }
}
