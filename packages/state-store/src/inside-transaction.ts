import { AsyncLocalStorage } from 'node:async_hooks'
import { assert } from '@mallee/base'

/**
 * Marks the work that runs inside a transaction. Nothing there may touch the world: no network, no files, no drivers,
 * no timers; whoever does such things asserts it is outside. On SQLite a wait inside would stop every writer.
 */
const marker = new AsyncLocalStorage<string>()

export function runInsideTransaction<T>(kind: string, work: () => Promise<T>): Promise<T> {
  assertNotNested(kind)
  return marker.run(kind, work)
}

/** Refuses at once what would wait for itself: the inner one queues behind the outer one for ever. */
export function assertNotNested(kind: string): void {
  assert(
    marker.getStore() === undefined,
    `a ${kind} transaction was opened inside a ${marker.getStore()} transaction`,
  )
}

export function assertOutsideTransaction(what: string): void {
  assert(marker.getStore() === undefined, `${what} inside a ${marker.getStore()} transaction`)
}
