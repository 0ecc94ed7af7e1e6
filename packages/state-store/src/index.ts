export { openSqliteStore } from './sqlite-store.ts'
export { openPostgresStore } from './postgres-store.ts'
export { directRows } from './direct-rows.ts'
export { assertOutsideTransaction } from './inside-transaction.ts'
export {
  type CommitObserver,
  type Migration,
  type StateStore,
  type StoreTransaction,
  type TransactionKind,
} from './state-store.ts'
export { checkSqlite, editSqlite, readSqliteColumn, snapshotSqlite } from './sqlite-file.ts'
