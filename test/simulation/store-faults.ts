import Database from 'better-sqlite3'
import type { CloudController } from '@mallee/cloud-controller'

/**
 * A store that fails. `early`: before anything was written; `middle`: some statements were; `commit`: all were, and the
 * commit fails; `late`: it is committed, and the caller gets an error all the same.
 */
export type StoreFault = 'early' | 'middle' | 'commit' | 'late'
export const storeFaults: readonly StoreFault[] = ['early', 'middle', 'commit', 'late']

type Store = CloudController['record']
let failCommit = false

/** SQLite's own commit statement, made to fail where one is armed; once a process, because Kysely holds the handle. */
function patchCommit(): void {
  const prototype = Database.prototype as unknown as { prepare: (text: string) => object; patched?: true }
  if (prototype.patched) return
  prototype.patched = true
  const prepare = prototype.prepare
  prototype.prepare = function (this: unknown, text: string) {
    const statement = prepare.call(this, text) as { run(parameters: unknown): unknown }
    if (text !== 'commit') return statement
    return {
      reader: false,
      run(parameters: unknown) {
        if (failCommit) {
          failCommit = false
          throw new Error('simulated: the disk refuses the commit')
        }
        return statement.run(parameters)
      },
    }
  }
}

/** What is armed here strikes the next transaction. */
export class StoreFaults {
  private armed: StoreFault | null = null
  private statements = 0
  private readonly answerBeforeCommit: boolean

  constructor(options: { answerBeforeCommit: boolean }) {
    patchCommit()
    failCommit = false
    this.answerBeforeCommit = options.answerBeforeCommit
  }

  /** `middle` strikes after so many statements of the transaction. */
  arm(fault: StoreFault, statements: number): void {
    this.armed = fault
    this.statements = statements
  }

  disarm(): void {
    this.armed = null
    failCommit = false
  }

  /** Every transaction of this store passes here from now on. */
  strike(store: Store): void {
    const original = store.transaction.bind(store)
    store.transaction = async (kind, work) => {
      const fault = this.armed
      this.armed = null
      let early: { value: Awaited<ReturnType<typeof work>> } | null = null
      const run = original(kind, async (tx) => {
        if (fault === 'early') throw new Error('simulated: the store fails at once')
        const db = fault === 'middle' ? tx.db.withPlugin(failingAfter(this.statements)) : tx.db
        const value = await work({ ...tx, db, afterCommit: (callback) => tx.afterCommit(callback) })
        if (fault === 'commit') failCommit = true
        early = { value: value as never }
        return value
      })
      if (this.answerBeforeCommit)
        return run.catch((error: unknown) => {
          if (early) return early.value as never
          throw error
        })
      const value = await run
      if (fault === 'late') throw new Error('simulated: the answer of the store is lost')
      return value
    }
  }
}

function failingAfter(statements: number) {
  let left = statements
  return {
    transformQuery<T>(args: { node: T }): T {
      if (left-- <= 0) throw new Error('simulated: the store fails half way')
      return args.node
    },
    transformResult: <T>(args: { result: T }) => Promise.resolve(args.result),
  } as never
}
