import { closeSync, fsyncSync, openSync, rmSync } from 'node:fs'
import Database from 'better-sqlite3'

/**
 * SQLite files as files: what backup and restore do with them, beside a daemon that may have them open. Nothing here
 * takes part in the store's transactions.
 */

/**
 * Writes a consistent copy of a database that others read and write meanwhile, as of one moment (VACUUM INTO, one read
 * transaction), and brings it to the disk. `to` is replaced.
 */
export function snapshotSqlite(file: string, to: string): void {
  rmSync(to, { force: true })
  const database = new Database(file, { readonly: true, fileMustExist: true })
  try {
    database.prepare('vacuum into ?').run(to)
  } finally {
    database.close()
  }
  const handle = openSync(to, 'r')
  fsyncSync(handle)
  closeSync(handle)
}

/** Runs statements in one transaction on a database that nobody has open. */
export function editSqlite(file: string, statements: readonly string[]): void {
  const database = new Database(file, { fileMustExist: true })
  try {
    database.pragma('synchronous = full')
    database.transaction(() => statements.forEach((statement) => database.exec(statement)))()
  } finally {
    database.close()
  }
}

/** The first column of every row. */
export function readSqliteColumn(file: string, query: string): string[] {
  const database = new Database(file, { readonly: true, fileMustExist: true })
  try {
    return database.prepare(query).pluck().all() as string[]
  } finally {
    database.close()
  }
}

/** What SQLite itself finds wrong with the file; empty where it is whole. */
export function checkSqlite(file: string): string[] {
  return readSqliteColumn(file, 'pragma integrity_check').filter((line) => line !== 'ok')
}
