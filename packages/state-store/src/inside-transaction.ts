import { AsyncLocalStorage } from 'node:async_hooks'
import { assert } from '@mallee/base'

/**
 * Marks the work that runs inside a transaction. Nothing there may touch the world: no network, no files, no drivers,
 * no timers; whoever does such things asserts it is outside. On SQLite a wait inside would stop every writer.
 */
const marker = new AsyncLocalStorage<string>()

export function runInsideTransaction<T>(kind: string, work: () => Promise<T>): Promise<T> {
  assert(
    marker.getStore() === undefined,
    `a ${kind} transaction was opened inside a ${marker.getStore()} transaction`,
  )
  return marker.run(kind, work)
}

export function assertOutsideTransaction(what: string): void {
  assert(marker.getStore() === undefined, `${what} inside a ${marker.getStore()} transaction`)
}
