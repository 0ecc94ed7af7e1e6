import { execFile } from 'node:child_process'
import { access, mkdir, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import {
  endProcess,
  errorMessage,
  isAlive,
  readPidFile,
  writeAtomically,
  type Clock,
  type Log,
} from '@mallee/base'
import type { SnapshotIndex } from '@mallee/agent-contract'
import {
  blockBytes,
  codecOf,
  decodeIndex,
  type SnapshotBlocks,
  type SnapshotKey,
} from '@mallee/volume-snapshots'
import { withFile } from '../drivers/with-file.ts'
import { holdsAll, writeEmptyImage } from '../encrypted/encrypted-file.ts'
import { decrypted } from '../encrypted/decrypted.ts'
import { serveBlocks } from '../host/storage-daemon.ts'
import type { VolumeFileSystem } from '../host/file-system.ts'
import { isMounted } from '../host/mounts.ts'
import type { ObjectStore } from '../snapshots/object-store.ts'
import { NbdServer } from './nbd-server.ts'
import {
  createOverlay,
  overlayProgram,
  punch,
  readOverlay,
  spawnOverlay,
  type OverlayFiles,
} from './overlay.ts'
import { SnapshotDisk } from './snapshot-disk.ts'

const run = promisify(execFile)
const lookEveryMs = 500
const failedAgainMs = 1_000
const longestWaitMs = 60_000
const endMs = 20_000
/** Of neighbouring blocks read by one program. */
const blocksAtOnce = 64

type Phase = 'starting' | 'serving' | 'changing'

interface Lazy {
  readonly volumeId: string
  readonly list: SnapshotBlocks
  readonly bucket: string
  readonly isEncrypted: boolean
  phase: Phase
  percent: number
  message: string | null
  looking: Promise<void> | null
  failures: number
  notBeforeMs: number
}

/**
 * Volumes that are used while their blocks still come out of walrus. A map says which blocks are here; QEMU's storage daemon
 * joins them with what an NBD server of ours reads from walrus into one file, which the target daemon serves, and keeps
 * what was read. When every block is here the map goes, and what stays is a raw file like any other. That the map is
 * there is all that is remembered: a volume without one is whole.
 *
 * An encrypted volume's file has a map of its own; in place of the other one lies an empty file.
 */
export class LazyRestores {
  private readonly deps: {
    readonly files: VolumeFileSystem
    readonly store: ObjectStore
    readonly runDir: string
    /** Process whose mounts the target daemon sees; null while there is none. */
    readonly daemonPid: () => Promise<number | null>
    /** Resolves with whether a target serves the volume, as of a look that began after the call. */
    readonly lookIfServed: (volumeId: string) => Promise<boolean>
    /** Its blocks in walrus are needed, or not any more. */
    readonly hold: (volumeId: string, list: SnapshotBlocks) => void
    readonly release: (volumeId: string, list: SnapshotBlocks) => Promise<void>
    /** Of a volume that is encrypted, and of what it is restored from where that is. */
    readonly keysOf: (volumeId: string) => { dataKey: string | null; snapshotKey: SnapshotKey | null }
    readonly clock: Clock
    readonly log: Log
    readonly onChange: (volumeId: string) => void
  }
  private readonly all = new Map<string, Lazy>()
  private readonly stopping = new AbortController()
  private readonly server: NbdServer
  private cancel: () => void = () => {}

  constructor(deps: LazyRestores['deps']) {
    this.deps = deps
    const { store, clock, log } = deps
    const { signal } = this.stopping
    this.server = new NbdServer({
      socketPath: this.nbdSocket,
      find: (volumeId) => {
        const lazy = this.all.get(volumeId)
        if (!lazy) return null
        const { list, bucket } = lazy
        const codec = codecOf(list, deps.keysOf(volumeId).snapshotKey)
        return new SnapshotDisk({ store, clock, log, signal, list, bucket, codec })
      },
      log,
    })
  }

  async open(): Promise<void> {
    const dir = await this.dir()
    await mkdir(dir, { recursive: true, mode: 0o700 })
    const names = await readdir(dir)
    for (const name of names) {
      const volumeId = name.split('.')[0]!
      const isComing = mapKinds.some((kind) => names.includes(`${volumeId}.${kind}`))
      if (name.endsWith('.new') || !isComing) await rm(path.join(dir, name), { force: true }).catch(() => {})
      else if (mapKinds.some((kind) => name.endsWith(`.${kind}`)))
        await this.reopen(volumeId, dir, name.endsWith(`.${mapKind(true)}`))
    }
    await this.server.listen()
    this.tick()
  }

  async stop(): Promise<void> {
    this.stopping.abort()
    this.cancel()
    await Promise.all([...this.all.values()].map((lazy) => lazy.looking))
    await this.server.close()
  }

  /** Whether this machine has what it takes. */
  async isPossible(): Promise<boolean> {
    if ((await this.deps.files.within()).length === 0) return false
    return access(overlayProgram).then(
      () => true,
      () => false,
    )
  }

  has(volumeId: string): boolean {
    return this.all.has(volumeId)
  }

  percent(volumeId: string): number {
    return this.all.get(volumeId)?.percent ?? 100
  }

  message(volumeId: string): string | null {
    return this.all.get(volumeId)?.message ?? null
  }

  /** What the target daemon is to open; null where the volume is whole. */
  pathOf(volumeId: string): string | null {
    return this.all.has(volumeId) ? this.seen(volumeId).whole : null
  }

  /** Nobody may have it open just now: what serves it starts, or gives way to the raw file. */
  isPaused(volumeId: string): boolean {
    const lazy = this.all.get(volumeId)
    return lazy !== undefined && lazy.phase !== 'serving'
  }

  /** The target daemon is another: what it sees is looked at before it opens anything, or it would open an empty file. */
  recheck(): void {
    for (const lazy of this.all.values()) if (lazy.phase === 'serving') lazy.phase = 'starting'
    this.tick()
  }

  /** The volume's files: from here on it is there, and reads what it should. The map is first and says "not whole". */
  async begin(options: {
    volumeId: string
    sizeBytes: number
    index: SnapshotIndex
    bytes: Buffer
  }): Promise<void> {
    const { volumeId, sizeBytes, index, bytes } = options
    const list = await decodeIndex(bytes, index.sha256)
    const { dataKey, snapshotKey } = this.deps.keysOf(volumeId)
    codecOf(list, snapshotKey) // throws
    const isEncrypted = dataKey !== null
    const { map, raw, list: listFile } = await this.own(volumeId, isEncrypted)
    await rm(map, { force: true })
    const [newMap, newRaw] = [`${map}.new`, path.join(await this.dir(), `${volumeId}.raw.new`)]
    for (const file of [newMap, newRaw]) await rm(file, { force: true })
    await writeAtomically(listFile, JSON.stringify({ bucket: index.bucket, bytes: bytes.toString('base64') }))
    await writeFile(newRaw, '', { mode: 0o600 })
    if (dataKey === null) {
      await truncate(newRaw, sizeBytes)
      await createOverlay(newMap, newRaw, sizeBytes)
    } else {
      await withFile(newRaw, 'r+', (handle) => writeEmptyImage(handle, sizeBytes, dataKey))
      await writeFile(newMap, '', { mode: 0o600 })
    }
    for (const file of [newMap, newRaw]) await sync(file)
    await rename(newMap, map)
    await sync(path.dirname(map))
    await rename(newRaw, raw)
    await sync(path.dirname(raw))
    this.add({ volumeId, list, bucket: index.bucket, isEncrypted })
    this.tick()
  }

  /** Nothing of it stays but the raw file, which is the driver's. */
  async drop(volumeId: string): Promise<void> {
    const lazy = this.all.get(volumeId)
    if (!lazy) return
    lazy.phase = 'changing'
    await lazy.looking
    await this.end(volumeId)
    await this.removeFiles(volumeId)
    this.all.delete(volumeId)
    await this.deps.release(volumeId, lazy.list).catch(() => {})
  }

  private async reopen(volumeId: string, dir: string, isEncrypted: boolean): Promise<void> {
    const text = await readFile(path.join(dir, `${volumeId}.list`), 'utf8')
    const { bucket, bytes } = JSON.parse(text) as { bucket: string; bytes: string }
    const list = await decodeIndex(Buffer.from(bytes, 'base64'), null)
    this.add({ volumeId, list, bucket, isEncrypted })
  }

  private add(found: Pick<Lazy, 'volumeId' | 'list' | 'bucket' | 'isEncrypted'>): void {
    this.deps.hold(found.volumeId, found.list)
    this.all.set(found.volumeId, {
      ...found,
      ...{ phase: 'starting', percent: 0, message: null, looking: null, failures: 0, notBeforeMs: 0 },
    })
  }

  private readonly tick = (): void => {
    this.cancel()
    if (this.stopping.signal.aborted || this.all.size === 0) return
    for (const lazy of this.all.values()) {
      lazy.looking ??= this.look(lazy)
        .catch((error: unknown) => {
          if (this.stopping.signal.aborted) return
          this.deps.log.warn(
            { volumeId: lazy.volumeId, err: error },
            'trouble with a volume that still comes',
          )
        })
        .finally(() => (lazy.looking = null))
    }
    this.cancel = this.deps.clock.after(lookEveryMs, this.tick)
  }

  private async look(lazy: Lazy): Promise<void> {
    const { volumeId } = lazy
    if (!(await this.ensureServing(lazy))) return
    if (this.deps.clock.now() < lazy.notBeforeMs) return
    if (!(await this.fetchAll(lazy))) return
    lazy.phase = 'changing'
    this.deps.onChange(volumeId)
    if (await this.deps.lookIfServed(volumeId)) {
      lazy.phase = 'serving' // tried again with the next look
      return
    }
    await this.end(volumeId)
    if (!(await this.becomesWhole(lazy))) {
      lazy.phase = 'starting'
      return
    }
    await this.removeFiles(volumeId)
    this.all.delete(volumeId)
    await this.deps.release(volumeId, lazy.list).catch(() => {}) // what is left the inventory finds
    this.deps.log.info({ volumeId }, 'all of a restored volume is here')
    this.deps.onChange(volumeId)
  }

  /** Whether all is here, of files that nobody has open; then the volume's own file is as it is to stay. */
  private async becomesWhole({ volumeId, list, isEncrypted }: Lazy): Promise<boolean> {
    const { map, raw } = await this.own(volumeId)
    const blocks = [...list.blocks.keys()]
    if (isEncrypted) return withFile(raw, 'r', (handle) => holdsAll(handle, blocks, blockBytes))
    const stretches = await readOverlay(map, raw)
    if (!isComplete(stretches, list)) return false
    await punch(
      raw,
      stretches.filter(({ isZeros }) => isZeros),
    )
    await sync(raw)
    return true
  }

  /** What joins is there, in the target daemon's eyes. */
  private async ensureServing(lazy: Lazy): Promise<boolean> {
    const { volumeId } = lazy
    const pid = await this.deps.daemonPid()
    if (pid === null) return false
    const { whole } = this.seen(volumeId)
    const mark = await readPidFile(this.pidFile(volumeId))
    const serves = isAlive(mark) && (await isMounted(pid, whole))
    if (serves && lazy.phase !== 'starting') return true
    if (!serves) {
      const was = lazy.phase
      lazy.phase = 'starting'
      if (was === 'serving') {
        this.deps.log.warn(
          { volumeId },
          'what serves a volume that still comes has ended; it is started again',
        )
        this.deps.onChange(volumeId)
      }
      if (await this.deps.lookIfServed(volumeId)) return false
      await this.start(volumeId, pid)
    }
    lazy.phase = 'serving'
    this.deps.onChange(volumeId)
    return true
  }

  private async start(volumeId: string, daemonPid: number): Promise<void> {
    await this.end(volumeId)
    const own = await this.own(volumeId)
    await rm(own.whole, { force: true })
    await writeFile(own.whole, '', { mode: 0o600 })
    const { dataKey } = this.deps.keysOf(volumeId)
    const shared = {
      within: ['nsenter', '-t', String(daemonPid), '-m', '--'],
      pidFile: this.pidFile(volumeId),
      logFile: path.join(this.deps.runDir, 'restore.log'),
    }
    const far = { nbdSocket: this.nbdSocket, exportName: volumeId }
    const files = this.seen(volumeId)
    if (this.all.get(volumeId)?.isEncrypted) {
      if (dataKey === null) throw new Error('its key is not here')
      return serveBlocks({
        ...{ ...shared, ...decrypted(files.raw, dataKey, far) },
        openFile: files.whole,
        writable: true,
      })
    }
    const mark = await spawnOverlay({ ...shared, ...far, files })
    const endsAt = performance.now() + endMs
    while (!(await isMounted(daemonPid, this.seen(volumeId).whole))) {
      if (!isAlive(mark) || performance.now() > endsAt)
        throw new Error('the storage daemon does not serve it')
      await this.deps.clock.sleep(20, this.stopping.signal)
    }
  }

  /** Asked first: it writes down what it knows. */
  private async end(volumeId: string): Promise<void> {
    await endProcess(await readPidFile(this.pidFile(volumeId)), endMs)
    const pid = await this.deps.daemonPid()
    const { whole } = this.seen(volumeId)
    if (pid !== null && (await isMounted(pid, whole)))
      await run('nsenter', ['-t', String(pid), '-m', '--', 'umount', '-l', whole])
    await rm(this.pidFile(volumeId), { force: true })
  }

  /** Reads every block once; what is here already is read in no time. By another program: a read may wait for long. */
  private async fetchAll(lazy: Lazy): Promise<boolean> {
    const numbers = [...lazy.list.blocks.keys()].toSorted((a, b) => a - b)
    const file = `/proc/${await this.deps.daemonPid()}/root${this.seen(lazy.volumeId).whole}`
    for (let at = 0; at < numbers.length;) {
      let count = 1
      while (count < blocksAtOnce && numbers[at + count] === numbers[at]! + count) count += 1
      this.stopping.signal.throwIfAborted()
      if (lazy.phase !== 'serving') return false
      const args = [`if=${file}`, 'of=/dev/null', `bs=${blockBytes}`, `skip=${numbers[at]}`, `count=${count}`]
      try {
        await run('dd', [...args, 'status=none'], { signal: this.stopping.signal, killSignal: 'SIGKILL' })
      } catch (error) {
        if (this.stopping.signal.aborted) throw error
        this.failed(lazy, error)
        return false
      }
      at += count
      const percent = Math.min(99, Math.floor((100 * at) / numbers.length))
      if (percent > lazy.percent) this.say(lazy, percent)
    }
    lazy.failures = 0
    lazy.message = null
    return true
  }

  /** Once may be the end of who joins them; a block that is damaged fails again. */
  private failed(lazy: Lazy, error: unknown): void {
    const { clock, log } = this.deps
    lazy.failures += 1
    lazy.notBeforeMs = clock.now() + Math.min(longestWaitMs, failedAgainMs * 2 ** (lazy.failures - 1))
    log.warn(
      { volumeId: lazy.volumeId, reason: errorMessage(error) },
      'a block of a restored volume does not come',
    )
    if (lazy.failures < 2) return
    lazy.message = 'A block of the snapshot cannot be had; what was read is as it should be.'
    this.deps.onChange(lazy.volumeId)
  }

  private say(lazy: Lazy, percent: number): void {
    lazy.percent = percent
    this.deps.onChange(lazy.volumeId)
  }

  /** The map first: without it the volume is whole. */
  private async removeFiles(volumeId: string): Promise<void> {
    const { map, whole, list } = await this.own(volumeId)
    await rm(map, { force: true })
    await sync(path.dirname(map))
    for (const file of [whole, list]) await rm(file, { force: true })
  }

  private get nbdSocket(): string {
    return path.join(this.deps.runDir, 'restore.sock')
  }

  private pidFile(volumeId: string): string {
    return path.join(this.deps.runDir, `restore-${volumeId}.pid`)
  }

  private async dir(): Promise<string> {
    return path.join(await this.deps.files.root(), 'lazy')
  }

  /** As this process reaches them. */
  private async own(volumeId: string, isEncrypted = this.all.get(volumeId)?.isEncrypted === true) {
    return filesOf(await this.deps.files.root(), volumeId, isEncrypted)
  }

  /** As the target daemon sees them. */
  private seen(volumeId: string): OverlayFiles {
    return filesOf(this.deps.files.seenByTarget, volumeId, this.all.get(volumeId)?.isEncrypted === true)
  }
}

const mapKind = (isEncrypted: boolean) => (isEncrypted ? 'encrypted' : 'qcow2')
const mapKinds = [mapKind(false), mapKind(true)]

function filesOf(root: string, volumeId: string, isEncrypted: boolean) {
  const file = (kind: string) => path.join(root, 'lazy', `${volumeId}.${kind}`)
  const raw = path.join(root, 'volumes', `${volumeId}.${isEncrypted ? 'luks' : 'raw'}`)
  return { map: file(mapKind(isEncrypted)), whole: file('whole'), list: file('list'), raw }
}

function isComplete(
  stretches: readonly { offset: number; length: number; isHere: boolean }[],
  list: SnapshotBlocks,
): boolean {
  return stretches
    .filter(({ isHere }) => !isHere)
    .every(({ offset, length }) => {
      for (let block = offset / blockBytes; block < (offset + length) / blockBytes; block += 1)
        if (list.blocks.has(block)) return false
      return true
    })
}

const sync = (file: string) => withFile(file, 'r', (handle) => handle.sync())
