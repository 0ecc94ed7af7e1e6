import { execFile } from 'node:child_process'
import { mkdir, readdir, rm, truncate, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { endProcess, errorMessage, isAlive, readPidFile, type Clock, type Log } from '@mallee/base'
import { volumeIdForm } from '../drivers/block-driver.ts'
import { isMounted } from '../host/mounts.ts'
import { serveBlocks, type BlockRecipe } from '../host/storage-daemon.ts'

const run = promisify(execFile)
const lookEveryMs = 500
const failedAgainMs = 1_000
const longestWaitMs = 60_000
const endMs = 20_000
const pidPrefix = 'served-'

interface Served {
  readonly volumeId: string
  /** Nobody may open its plain file but while it is `serving`. */
  phase: 'starting' | 'serving'
  work: Promise<void>
  looking: boolean
  failures: number
  notBeforeMs: number
}

/**
 * The files of volumes that are none by themselves, because they are encrypted or lie elsewhere: while such a volume is
 * exported, a storage daemon of its own shows it to the target daemon as a file. It outlives us as the target daemon does, is found again by its pid file, and is replaced where it died, when
 * no target has its file open any more and it is known to be dead: two at once would both write.
 */
export class ServedVolumes {
  private readonly deps: {
    /** Where those files appear, in our eyes and in the target daemon's. */
    readonly folder: { own(): Promise<string>; readonly seen: string }
    readonly runDir: string
    /** Process whose mounts the target daemon sees; null while there is none. */
    readonly daemonPid: () => Promise<number | null>
    /** Resolves with whether a target serves the volume, as of a look that began after the call. */
    readonly lookIfServed: (volumeId: string) => Promise<boolean>
    /** Volumes, such or not, that somebody is to reach. */
    readonly wanted: () => readonly string[]
    /** Null where the volume is a file by itself. */
    readonly recipeOf: (volumeId: string) => BlockRecipe | null
    readonly isThere: (volumeId: string) => Promise<boolean>
    readonly clock: Clock
    readonly log: Log
    readonly onChange: (volumeId: string) => void
    /** It was grown through whoever had it open. */
    readonly onGrown?: (volumeId: string, sizeBytes: number) => void
  }
  private readonly all = new Map<string, Served>()
  private readonly stopping = new AbortController()
  private cancel: () => void = () => {}

  constructor(deps: ServedVolumes['deps']) {
    this.deps = deps
  }

  /** Finds what an earlier life of ours started. */
  async open(): Promise<void> {
    await mkdir(await this.deps.folder.own(), { recursive: true, mode: 0o700 })
    for (const name of await readdir(this.deps.runDir)) {
      const volumeId = name.slice(pidPrefix.length, -'.pid'.length)
      if (name.startsWith(pidPrefix) && name.endsWith('.pid') && volumeIdForm.test(volumeId))
        this.entry(volumeId)
    }
    this.refresh()
  }

  async stop(): Promise<void> {
    this.stopping.abort()
    this.cancel()
    await Promise.all([...this.all.values()].map(({ work }) => work))
  }

  /** What the target daemon is to open; null where the volume is a file by itself. */
  pathOf(volumeId: string): string | null {
    return this.deps.recipeOf(volumeId) === null ? null : this.seen(volumeId)
  }

  /** Nobody may have it open just now. */
  isPaused(volumeId: string): boolean {
    return this.deps.recipeOf(volumeId) !== null && this.all.get(volumeId)?.phase !== 'serving'
  }

  /** The target daemon is another: what it sees is looked at before it opens anything, or it would open an empty file. */
  recheck(): void {
    for (const served of this.all.values()) served.phase = 'starting'
    this.refresh()
  }

  /** Looks after all that is served, or should be. */
  readonly refresh = (): void => {
    this.cancel()
    if (this.stopping.signal.aborted) return
    const wanted = new Set(this.deps.wanted())
    for (const volumeId of wanted) if (this.deps.recipeOf(volumeId) !== null) this.entry(volumeId)
    for (const served of this.all.values()) {
      if (served.looking) continue
      served.looking = true
      void this.alone(served, () => this.look(served, wanted.has(served.volumeId)))
        .catch((error: unknown) => this.failed(served, error))
        .finally(() => (served.looking = false))
    }
    if (this.all.size > 0) this.cancel = this.deps.clock.after(lookEveryMs, this.refresh)
  }

  /** Through whoever has the file open; by `whenClosed` where nobody has. */
  async grow(volumeId: string, sizeBytes: number, whenClosed: () => Promise<void>): Promise<void> {
    const served = this.all.get(volumeId)
    if (!served) return whenClosed()
    await this.alone(served, async () => {
      const pid = await this.deps.daemonPid()
      const openFile = this.seen(volumeId)
      if (!isAlive(await readPidFile(this.pidFile(volumeId)))) return whenClosed()
      if (pid === null || !(await isMounted(pid, openFile)))
        throw new Error('the volume is just being opened')
      await truncate(`/proc/${pid}/root${openFile}`, sizeBytes)
      this.deps.onGrown?.(volumeId, sizeBytes)
    })
  }

  /** The volume is to go: nobody has it open when this resolves. */
  async drop(volumeId: string): Promise<void> {
    const served = this.all.get(volumeId)
    if (!served) return
    await this.alone(served, () => this.end(volumeId))
    this.all.delete(volumeId)
  }

  private entry(volumeId: string): Served {
    const present = this.all.get(volumeId)
    if (present) return present
    const work = Promise.resolve()
    const served: Served = {
      ...{ volumeId, phase: 'starting', work, looking: false, failures: 0, notBeforeMs: 0 },
    }
    this.all.set(volumeId, served)
    return served
  }

  /** One thing at a time is done to a volume. */
  private alone<T>(served: Served, work: () => Promise<T>): Promise<T> {
    const done = served.work.then(work)
    served.work = done.then(
      () => {},
      () => {},
    )
    return done
  }

  private async look(served: Served, isWanted: boolean): Promise<void> {
    const { volumeId } = served
    if (this.stopping.signal.aborted || this.all.get(volumeId) !== served) return
    const recipe = this.deps.recipeOf(volumeId)
    if (!isWanted || recipe === null) return this.release(served)
    const pid = await this.deps.daemonPid()
    if (pid === null) return
    const mark = await readPidFile(this.pidFile(volumeId))
    // Whoever lives keeps its mount; only where the target daemon is another is that to be looked for.
    const isSeen = async () => served.phase === 'serving' || (await isMounted(pid, this.seen(volumeId)))
    const serves = isAlive(mark) && (await isSeen())
    if (serves && served.phase === 'serving') return
    if (!serves) {
      if (served.phase === 'serving') {
        served.phase = 'starting'
        this.deps.log.warn({ volumeId }, 'what serves a volume has ended; it is started again')
        this.deps.onChange(volumeId)
      }
      if (this.deps.clock.now() < served.notBeforeMs || !(await this.deps.isThere(volumeId))) return
      if (await this.deps.lookIfServed(volumeId)) return
      await this.start(volumeId, recipe, pid)
    }
    served.failures = 0
    served.phase = 'serving'
    this.deps.onChange(volumeId)
  }

  /** Nobody is to reach it any more: when nobody does, it is closed. */
  private async release(served: Served): Promise<void> {
    if (await this.deps.lookIfServed(served.volumeId)) return
    if (this.deps.wanted().includes(served.volumeId)) return // meanwhile
    await this.end(served.volumeId)
    this.all.delete(served.volumeId)
  }

  private async start(volumeId: string, recipe: BlockRecipe, daemonPid: number): Promise<void> {
    await this.end(volumeId)
    const own = path.join(await this.deps.folder.own(), `${volumeId}.open`)
    await rm(own, { force: true })
    await writeFile(own, '', { mode: 0o600 })
    await serveBlocks({
      ...recipe,
      openFile: this.seen(volumeId),
      writable: true,
      within: ['nsenter', '-t', String(daemonPid), '-m', '--'],
      pidFile: this.pidFile(volumeId),
      logFile: path.join(this.deps.runDir, 'served.log'),
    })
    this.deps.log.info({ volumeId }, 'a volume is opened')
  }

  /** Asked first: it writes down what it knows. */
  private async end(volumeId: string): Promise<void> {
    await endProcess(await readPidFile(this.pidFile(volumeId)), endMs)
    const pid = await this.deps.daemonPid()
    const openFile = this.seen(volumeId)
    if (pid !== null && (await isMounted(pid, openFile)))
      await run('nsenter', ['-t', String(pid), '-m', '--', 'umount', '-l', openFile])
    await rm(path.join(await this.deps.folder.own(), `${volumeId}.open`), { force: true })
    await rm(this.pidFile(volumeId), { force: true })
  }

  private failed(served: Served, error: unknown): void {
    if (this.stopping.signal.aborted) return
    served.failures += 1
    const waitMs = Math.min(longestWaitMs, failedAgainMs * 2 ** (served.failures - 1))
    served.notBeforeMs = this.deps.clock.now() + waitMs
    const { volumeId } = served
    this.deps.log.warn({ volumeId, reason: errorMessage(error) }, 'trouble with what serves a volume')
  }

  private pidFile(volumeId: string): string {
    return path.join(this.deps.runDir, `${pidPrefix}${volumeId}.pid`)
  }

  /** As the target daemon sees it. */
  private seen(volumeId: string): string {
    return path.join(this.deps.folder.seen, `${volumeId}.open`)
  }
}
