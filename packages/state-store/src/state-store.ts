import type { Kysely } from 'kysely'

/**
 * The record of the cloud: one asynchronous store over SQLite (embedded) and PostgreSQL. Three kinds of transaction
 * exist and no fourth: an action asks, a reconciler pass decides, a report records facts. None contains I/O of its own.
 */
export type TransactionKind = 'action' | 'reconcile' | 'report'

/** The handle inside a transaction; the only way to write. */
export interface StoreTransaction<DB> {
  readonly kind: TransactionKind
  readonly db: Kysely<DB>
  /** Called after the outer commit, in order, and never when the transaction fails. */
  afterCommit(callback: () => void): void
  /**
   * Called when what the transaction read of others may never have been: the commit that it shared with them failed. Not
   * called for its own failure, which undoes nothing but its own writes.
   */
  afterAbort(callback: () => void): void
}

export interface StateStore<DB> {
  readonly engine: 'sqlite' | 'postgres'
  /**
   * Grows with every commit, in the turn in which it is made: what was read since it last grew still holds. Undefined where
   * others write the same.
   */
  readonly revision?: number | undefined
  /** A read that does not wait for writers; sees only what is committed. */
  read<T>(work: (db: Kysely<DB>) => Promise<T>): Promise<T>
  /** Runs the function once and durably, or not at all; on PostgreSQL it is run again on a serialization failure. */
  transaction<T>(kind: TransactionKind, work: (tx: StoreTransaction<DB>) => Promise<T>): Promise<T>
  close(): Promise<void>
}

/** Forward only, in one transaction, under a name that never changes. */
export interface Migration {
  readonly name: string
  // oxlint-disable-next-line typescript/no-explicit-any -- a migration speaks of tables as they were, not as they are
  up(db: Kysely<any>): Promise<void>
}

/** Told of each commit that reached the disk, for figures: how long it took, and how many transactions shared it. */
export type CommitObserver = (commit: { readonly seconds: number; readonly transactions: number }) => void
