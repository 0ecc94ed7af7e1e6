import { statSync, openSync, readSync, closeSync } from 'node:fs'
import { createRequire, syncBuiltinESMExports } from 'node:module'
import path from 'node:path'

/**
 * What a walrus did to its disk, call by call. Each has a moment at which it began and one at which it had come back; a
 * moment is a number that grows with everything that happens.
 */
export type Call = { readonly begin: number; end: number } & (
  | { readonly kind: 'create'; readonly file: string }
  | { readonly kind: 'write'; readonly file: string; readonly at: number; readonly bytes: Buffer }
  | { readonly kind: 'sync'; readonly file: string }
  | { readonly kind: 'rename'; readonly file: string; readonly to: string }
  | { readonly kind: 'unlink'; readonly file: string }
  | { readonly kind: 'sync-folder'; readonly folder: string }
  /** The log of the index grew by these bytes, and was synced. */
  | { readonly kind: 'commit'; readonly at: number; readonly bytes: Buffer }
)

// Every other module sees these through its own imports once they are exchanged.
const files = createRequire(import.meta.url)('node:fs/promises') as typeof import('node:fs/promises')
const real = { open: files.open, rename: files.rename, unlink: files.unlink }

export class Recorder {
  readonly calls: Call[] = []
  private readonly dir: string
  private readonly log: string
  private logBytes: number
  private moment = 0

  constructor(dir: string) {
    this.dir = dir
    this.log = path.join(dir, 'index.db-wal')
    this.logBytes = statSync(this.log).size
  }

  now(): number {
    this.moment += 1
    return this.moment
  }

  /** Watches the files below the folder, of this process, until the returned function is called. */
  watch(): () => void {
    files.open = (async (file: string, flags: string | number, mode?: number) => {
      if (!this.isOurs(file)) return real.open(file, flags, mode)
      const creating = flags === 'wx'
      const handle = await (creating
        ? this.during({ kind: 'create', file: this.nameOf(file) }, () => real.open(file, flags, mode))
        : real.open(file, flags, mode))
      if (creating) this.watchWriting(handle, this.nameOf(file))
      else this.watchFolder(handle, this.nameOf(file))
      return handle
    }) as typeof files.open
    files.rename = (from, to) =>
      this.isOurs(from)
        ? this.during({ kind: 'rename', file: this.nameOf(from), to: this.nameOf(to) }, () =>
            real.rename(from, to),
          )
        : real.rename(from, to)
    files.unlink = (file) =>
      this.isOurs(file)
        ? this.during({ kind: 'unlink', file: this.nameOf(file) }, () => real.unlink(file))
        : real.unlink(file)
    syncBuiltinESMExports()
    return () => {
      Object.assign(files, real)
      syncBuiltinESMExports()
    }
  }

  /** A commit has just come back; nothing else of this process ran while it was under way. */
  readonly onCommit = (): void => {
    const { size } = statSync(this.log)
    if (size === this.logBytes) return // nothing was changed
    if (size < this.logBytes) throw new Error('the log of the index began anew: the recording is too long')
    const bytes = Buffer.alloc(size - this.logBytes)
    const file = openSync(this.log, 'r')
    readSync(file, bytes, 0, bytes.length, this.logBytes)
    closeSync(file)
    this.calls.push({ kind: 'commit', at: this.logBytes, bytes, begin: this.now(), end: this.now() })
    this.logBytes = size
  }

  private watchWriting(handle: import('node:fs/promises').FileHandle, file: string): void {
    let at = 0
    const writev = handle.writev.bind(handle)
    handle.writev = (async (buffers: Buffer[]) => {
      const bytes = Buffer.concat(buffers)
      const from = at
      at += bytes.length
      const done = await this.during({ kind: 'write', file, at: from, bytes }, () => writev(buffers))
      if (done.bytesWritten !== bytes.length) throw new Error('a write was cut short while recording')
      return done
    }) as typeof handle.writev
    const datasync = handle.datasync.bind(handle)
    handle.datasync = () => this.during({ kind: 'sync', file }, datasync)
  }

  private watchFolder(handle: import('node:fs/promises').FileHandle, folder: string): void {
    const sync = handle.sync.bind(handle)
    handle.sync = () => this.during({ kind: 'sync-folder', folder }, sync)
  }

  private async during<T>(what: object, work: () => Promise<T>): Promise<T> {
    const call = { ...what, begin: this.now(), end: Number.POSITIVE_INFINITY } as Call
    this.calls.push(call)
    const value = await work()
    call.end = this.now()
    return value
  }

  private isOurs(file: unknown): boolean {
    return typeof file === 'string' && file.startsWith(`${this.dir}/`)
  }

  private nameOf(file: unknown): string {
    return path.relative(this.dir, String(file))
  }
}
