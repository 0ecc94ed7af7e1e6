import { mkdir, readdir, readFile, rm, rmdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { writeAtomically } from '@mallee/base'
import type { FlowLog } from '@mallee/agent-contract'
import { skippedRecords, type LoggedInterface } from './records.ts'

/** Bytes of records that wait, at most: of one flow log, and of all. And of how many windows: a day's. */
const mostBytes = 64 * 1024 * 1024
const mostBytesOfAll = 512 * 1024 * 1024
const mostWindows = 1440
/** Bytes of records that go into one object, unless one window has more. */
const mostBytesAtOnce = 16 * 1024 * 1024

interface Window {
  readonly startMs: number
  readonly endMs: number
  readonly bytes: number
}

/** What goes into one object. */
export interface Batch {
  readonly log: FlowLog
  readonly startMs: number
  readonly lines: string
  readonly windows: readonly Window[]
}

/**
 * Records that have still to be delivered: a folder for each flow log, with the flow log itself and a file for each window.
 * What there is no room for becomes records which say that data was skipped.
 */
export class FlowSpool {
  private readonly dir: string
  private readonly limits: {
    readonly mostBytes: number
    readonly mostBytesOfAll: number
    readonly mostWindows: number
  }

  /** Bytes of each flow log, once they were looked at; only what waits here changes them. */
  private readonly waiting = new Map<string, number>()

  constructor(dir: string, limits: Partial<FlowSpool['limits']> = {}) {
    this.dir = dir
    this.limits = { mostBytes, mostBytesOfAll, mostWindows, ...limits }
  }

  /** Ids of flow logs of which something waits. */
  async ids(): Promise<string[]> {
    const names = await readdir(this.dir).catch(() => [])
    return names.filter((name) => /^fl-[0-9a-z]{1,32}$/.test(name))
  }

  /** Writes the records of a window; the same window again changes nothing but to say the same. */
  async put(
    log: FlowLog,
    window: { readonly startMs: number; readonly endMs: number },
    lines: string,
    interfaces: ReadonlyMap<string, LoggedInterface>,
  ): Promise<void> {
    const folder = this.folder(log.flowLogId)
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await writeAtomically(path.join(folder, 'log.json'), JSON.stringify(log))
    await writeAtomically(path.join(folder, nameOf(window)), lines)
    await this.makeRoom(log, interfaces)
  }

  /** The oldest of what waits. Null where there is nothing. */
  async batch(id: string): Promise<Batch | null> {
    const windows = await this.windows(id)
    const [first] = windows
    if (!first) return null
    const log = JSON.parse(await readFile(path.join(this.folder(id), 'log.json'), 'utf8')) as FlowLog
    let bytes = 0
    const taken = windows.filter((window, index) => {
      bytes += window.bytes
      return index === 0 || bytes <= mostBytesAtOnce
    })
    const lines = await Promise.all(
      taken.map((window) => readFile(path.join(this.folder(id), nameOf(window)), 'utf8')),
    )
    return { log, startMs: first.startMs, lines: lines.join(''), windows: taken }
  }

  async done({ log, windows }: Batch): Promise<void> {
    const folder = this.folder(log.flowLogId)
    this.waiting.delete(log.flowLogId)
    for (const window of windows) await rm(path.join(folder, nameOf(window)), { force: true })
    if ((await this.windows(log.flowLogId)).length > 0) return
    await rm(path.join(folder, 'log.json'), { force: true })
    await rmdir(folder).catch(() => {}) // something else lies there
  }

  drop(id: string): Promise<void> {
    this.waiting.delete(id)
    return rm(this.folder(id), { recursive: true, force: true })
  }

  private folder(id: string): string {
    return path.join(this.dir, id)
  }

  private async windows(id: string): Promise<Window[]> {
    const names = await readdir(this.folder(id)).catch(() => [])
    const found = names.flatMap((name) => {
      const match = /^(\d+)-(\d+)\.log$/.exec(name)
      return match ? [{ name, startMs: Number(match[1]), endMs: Number(match[2]) }] : []
    })
    const sized = await Promise.all(
      found.map(async ({ name, ...window }) => ({
        ...window,
        bytes: (await stat(path.join(this.folder(id), name))).size,
      })),
    )
    return sized.toSorted((a, b) => a.startMs - b.startMs)
  }

  /** Of the other flow logs, and how many there are of all. */
  private async beside(id: string): Promise<{ bytes: number; logs: number }> {
    const ids = new Set([...(await this.ids()), id])
    let bytes = 0
    for (const other of ids) {
      if (other === id) continue
      const known = this.waiting.get(other) ?? bytesOf(await this.windows(other))
      this.waiting.set(other, known)
      bytes += known
    }
    return { bytes, logs: ids.size }
  }

  /** The oldest go first: of the newest windows more can still be learnt. */
  private async makeRoom(log: FlowLog, interfaces: ReadonlyMap<string, LoggedInterface>): Promise<void> {
    const all = await this.windows(log.flowLogId)
    const windows = all.slice(-this.limits.mostWindows)
    const folder = this.folder(log.flowLogId)
    for (const window of all.slice(0, -this.limits.mostWindows))
      await rm(path.join(folder, nameOf(window)), { force: true })
    const beside = await this.beside(log.flowLogId)
    // Whoever has much that is not taken leaves the others their share.
    const share = Math.floor(this.limits.mostBytesOfAll / beside.logs)
    const room = Math.max(share, this.limits.mostBytesOfAll - beside.bytes)
    const bytes = bytesOf(windows)
    let over = bytes - Math.min(this.limits.mostBytes, room)
    this.waiting.set(log.flowLogId, bytes)
    for (const window of windows) {
      if (over <= 0) return
      const lines = skippedRecords(log, window, interfaces)
      if (lines.length >= window.bytes) continue
      await writeAtomically(path.join(folder, nameOf(window)), lines)
      over -= window.bytes - lines.length
      this.waiting.set(log.flowLogId, this.waiting.get(log.flowLogId)! - window.bytes + lines.length)
    }
  }
}

const bytesOf = (windows: readonly Window[]) => windows.reduce((sum, { bytes }) => sum + bytes, 0)
const nameOf = ({ startMs, endMs }: Pick<Window, 'startMs' | 'endMs'>) => `${startMs}-${endMs}.log`
