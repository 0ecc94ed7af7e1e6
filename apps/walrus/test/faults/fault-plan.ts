import { createRequire, syncBuiltinESMExports } from 'node:module'
import type { FileHandle } from 'node:fs/promises'
import type { Index } from '../../src/index/tables.ts'

// Every other module sees these through its own imports once they are exchanged.
const files = createRequire(import.meta.url)('node:fs/promises') as typeof import('node:fs/promises')
const real = { ...files }
const ofFiles = ['open', 'rename', 'unlink', 'statfs'] as const
const ofHandles = ['read', 'write', 'writev', 'sync', 'datasync', 'close'] as const

export const callNames = [...ofFiles, ...ofHandles, 'commit'] as const
export type CallName = (typeof callNames)[number]
export type Fault = 'ENOSPC' | 'EIO'

/** In SQLite's own words. */
const ofIndex: Record<Fault, string> = { ENOSPC: 'SQLITE_FULL', EIO: 'SQLITE_IOERR_FSYNC' }

/**
 * Counts every call by which a walrus touches its disk, and lets one of them fail: a call on a file below its folder, or
 * the commit of a transaction of its index.
 */
export class FaultPlan {
  /** Calls that were made since `arm`, by their names. */
  readonly seen = new Set<CallName>()
  private readonly dir: string
  private count = 0
  private plan: { readonly call: CallName; readonly at: number; readonly fault: Fault } | null = null
  /** Whether it came to it. */
  failed = false

  constructor(dir: string) {
    this.dir = dir
  }

  /** Nothing fails until this is called; `at` counts the calls of this name from 1. */
  arm(call: CallName, at: number, fault: Fault): void {
    this.count = 0
    this.plan = { call, at, fault }
    this.failed = false
    this.seen.clear()
  }

  disarm(): void {
    this.plan = null
  }

  watch(): () => void {
    for (const name of ofFiles) {
      const original = real[name] as (...words: unknown[]) => Promise<unknown>
      Object.assign(files, {
        [name]: async (...words: unknown[]) => {
          if (typeof words[0] !== 'string' || !words[0].startsWith(this.dir)) return original(...words)
          this.pass(name)
          const value = await original(...words)
          if (name === 'open') this.watchHandle(value as FileHandle)
          return value
        },
      })
    }
    syncBuiltinESMExports()
    return () => {
      for (const name of ofFiles) Object.assign(files, { [name]: real[name] })
      syncBuiltinESMExports()
    }
  }

  /** For walrus' `indexFaults`: a commit that fails undoes what it would have kept. */
  readonly index = (index: Index): Index => ({
    engine: index.engine,
    read: (work) => index.read(work),
    transaction: (kind, work) =>
      index.transaction(kind, async (tx) => {
        const value = await work(tx)
        this.pass('commit')
        return value
      }),
    close: () => index.close(),
  })

  private watchHandle(handle: FileHandle): void {
    for (const name of ofHandles) {
      const original = (handle[name] as (...words: unknown[]) => Promise<unknown>).bind(handle)
      Object.assign(handle, {
        [name]: async (...words: unknown[]) => {
          try {
            this.pass(name)
          } catch (error) {
            // What close() reports is about the bytes; the descriptor is gone all the same.
            if (name === 'close') await original()
            throw error
          }
          return original(...words)
        },
      })
    }
  }

  private pass(name: CallName): void {
    if (this.plan) this.seen.add(name)
    if (this.plan?.call !== name) return
    this.count += 1
    if (this.count !== this.plan.at) return
    this.failed = true
    const code = name === 'commit' ? ofIndex[this.plan.fault] : this.plan.fault
    throw Object.assign(new Error(`${code}, injected at ${name}`), { code })
  }
}
