import { closeSync, mkdirSync, openSync } from 'node:fs'
import path from 'node:path'
import Database from 'better-sqlite3'
import { Kysely, SqliteDialect, sql } from 'kysely'
import { assert } from '@mallee/base'
import { cachedStatements } from './cached-statements.ts'
import { rememberDirect, type DirectRows } from './direct-rows.ts'
import { namingFullDisk } from './full-disk.ts'
import { assertNotNested, runInsideTransaction } from './inside-transaction.ts'
import { migrate } from './migrate.ts'
import type {
  CommitObserver,
  Migration,
  StateStore,
  StoreTransaction,
  TransactionKind,
} from './state-store.ts'

/**
 * One writer. Transactions queue; those that are waiting when the writer is free share one outer transaction, each as
 * a savepoint, so that one fsync serves them all. Answers and wakes follow the outer COMMIT: what was answered is on
 * disk (`synchronous=FULL`, asserted). Reads have a connection of their own (WAL) and never wait for the writer.
 */
export async function openSqliteStore<DB>(options: {
  file: string
  migrations: readonly Migration[]
  onCommit?: CommitObserver
  /** Other processes write too: who waits for one of them goes on serving meanwhile. */
  shared?: boolean
}): Promise<StateStore<DB>> {
  mkdirSync(path.dirname(options.file), { recursive: true, mode: 0o700 })
  const writerHandle = openHandle(options.file)
  const migrator = new Kysely<DB>({ dialect: new SqliteDialect({ database: writerHandle }) })
  await sql`begin immediate`.execute(migrator)
  await migrate(migrator, options.migrations)
  await sql`commit`.execute(migrator)
  if (options.shared) writerHandle.pragma('busy_timeout = 0')
  const kyselyOn = (handle: Database.Database) => {
    const database = cachedStatements(handle)
    const db = new Kysely<DB>({ dialect: new SqliteDialect({ database }) })
    return { db, direct: rememberDirect(db, database) }
  }
  const writer = kyselyOn(writerHandle)
  const reader = kyselyOn(openHandle(options.file))
  reader.direct('pragma query_only = 1', [])
  const alone = options.shared !== true
  return new SqliteStore(writer, reader.db, { alone, onCommit: options.onCommit ?? (() => {}) })
}

/** SQLite gives its side files the mode of the record, which is its owner's alone. */
function openHandle(file: string): Database.Database {
  closeSync(openSync(file, 'a', 0o600))
  const handle = new Database(file)
  handle.pragma('journal_mode = WAL')
  handle.pragma('synchronous = FULL')
  handle.pragma('foreign_keys = ON')
  handle.pragma('busy_timeout = 10000')
  assert(handle.pragma('synchronous', { simple: true }) === 2, 'SQLite must run with synchronous=FULL')
  assert(handle.pragma('journal_mode', { simple: true }) === 'wal', 'SQLite must run in WAL mode')
  return handle
}

interface Waiting {
  readonly kind: TransactionKind
  // oxlint-disable-next-line typescript/no-explicit-any -- the queue holds transactions of every result
  readonly work: (tx: StoreTransaction<any>) => Promise<unknown>
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

/** At most this many transactions share one commit, so that the first of them does not wait long. */
const maxShared = 64

/** How long another process may keep the writer's lock, and how often it is asked for. */
const busyMs = 10_000
const askAgainMs = 1

class SqliteStore<DB> implements StateStore<DB> {
  readonly engine = 'sqlite'
  private readonly writer: Kysely<DB>
  private readonly direct: DirectRows
  private readonly reader: Kysely<DB>
  private waiting: Waiting[] = []
  private running: Promise<void> | null = null
  private closed = false
  private readonly onCommit: CommitObserver
  private readonly alone: boolean
  private commits = 0

  constructor(
    writer: { readonly db: Kysely<DB>; readonly direct: DirectRows },
    reader: Kysely<DB>,
    { alone, onCommit }: { readonly alone: boolean; readonly onCommit: CommitObserver },
  ) {
    this.writer = writer.db
    this.direct = writer.direct
    this.reader = reader
    this.onCommit = onCommit
    this.alone = alone
  }

  get revision(): number | undefined {
    return this.alone ? this.commits : undefined
  }

  read<T>(work: (db: Kysely<DB>) => Promise<T>): Promise<T> {
    return work(this.reader)
  }

  transaction<T>(kind: TransactionKind, work: (tx: StoreTransaction<DB>) => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      assert(!this.closed, 'the store is closed')
      assertNotNested(kind)
      this.waiting.push({ kind, work, resolve: resolve as (value: unknown) => void, reject })
      this.running ??= this.drain()
    })
  }

  async close(): Promise<void> {
    this.closed = true
    await this.running
    await this.writer.destroy()
    await this.reader.destroy()
  }

  private async drain(): Promise<void> {
    while (this.waiting.length > 0) {
      await this.gather()
      await this.commitTogether(this.waiting.splice(0, maxShared))
    }
    this.running = null
  }

  /**
   * Statements on this store never leave the turn that they began in, so nobody else gets on while a commit is under
   * way: requests that have arrived meanwhile are let through to their transactions before the next one.
   */
  private async gather(): Promise<void> {
    let before = 0
    while (this.waiting.length > before && this.waiting.length < maxShared) {
      before = this.waiting.length
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  private async commitTogether(batch: Waiting[]): Promise<void> {
    const answers: (() => void)[] = []
    const wakes: (() => void)[] = []
    const aborts: (() => void)[] = []
    try {
      await this.begin()
      for (const entry of batch) answers.push(await this.runOne(entry, wakes, aborts))
      const startedMs = performance.now()
      this.commits += 1 // also where it fails: nobody knows what of it was done
      this.direct('commit', [])
      this.onCommit({ seconds: (performance.now() - startedMs) / 1000, transactions: batch.length })
    } catch (error) {
      this.undo()
      for (const abort of aborts) abort()
      for (const entry of batch) entry.reject(namingFullDisk(error))
      return
    }
    for (const answer of answers) answer()
    for (const wake of wakes) wake()
  }

  /** SQLite may have undone it already. */
  private undo(): void {
    try {
      this.direct('rollback', [])
    } catch {
      return
    }
  }

  /** SQLite's own waiting for another process would hold up everything; where it does not wait, this does. */
  private async begin(): Promise<void> {
    for (const untilMs = performance.now() + busyMs; ;) {
      try {
        this.direct('begin immediate', [])
        return
      } catch (error) {
        const busy = (error as { code?: string }).code?.startsWith('SQLITE_BUSY') === true
        if (!busy || performance.now() > untilMs) throw error
      }
      await new Promise((resolve) => setTimeout(resolve, askAgainMs))
    }
  }

  private async runOne(entry: Waiting, wakes: (() => void)[], aborts: (() => void)[]): Promise<() => void> {
    const mine: (() => void)[] = []
    this.direct('savepoint one', [])
    try {
      const tx = {
        kind: entry.kind,
        db: this.writer,
        afterCommit: (callback: () => void) => mine.push(callback),
        afterAbort: (callback: () => void) => aborts.push(callback),
      }
      const value = await runInsideTransaction(entry.kind, () => entry.work(tx))
      this.direct('release one', [])
      wakes.push(...mine)
      return () => entry.resolve(value)
    } catch (error) {
      // Without room SQLite undoes the whole transaction by itself; then there is no savepoint, and this is the reason.
      try {
        this.direct('rollback to one', [])
      } catch {
        throw error
      }
      this.direct('release one', [])
      return () => entry.reject(namingFullDisk(error))
    }
  }
}
