import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { digestOf, endProcess, readPidFile, silentLog, systemClock, type Clock, type Log } from '@mallee/base'
import type { DesiredItem, ExportFacts, SnapshotFacts, VolumeFacts } from '@mallee/agent-contract'
import { Ledger } from '@mallee/agent-kit'
import { freePort } from '@mallee/testkit'
import { FileDriver } from '../src/drivers/file-driver.ts'
import { servedDecrypted } from '../src/backends/open-backend.ts'
import { ServedVolumes } from '../src/exports/served-volumes.ts'
import { exportedVolumes, itemKeys, restoreKeys } from '../src/encrypted/item-keys.ts'
import { ExportKeeper } from '../src/exports/export-keeper.ts'
import { openVolumeFileSystem } from '../src/host/file-system.ts'
import { LazyRestores } from '../src/restore/lazy-restores.ts'
import { LocalIndexes } from '../src/snapshots/local-indexes.ts'
import type { ObjectStore } from '../src/snapshots/object-store.ts'
import { SnapshotKeeper } from '../src/snapshots/snapshot-keeper.ts'
import { TgtDaemon } from '../src/tgt/tgt-daemon.ts'
import { VolumeKeeper } from '../src/volumes/volume-keeper.ts'

/** Why no real target daemon can be had here, or null. */
export function whyNoTargets(): string | null {
  if (process.getuid?.() !== 0) return 'not root'
  for (const file of ['/usr/sbin/tgtd', '/usr/sbin/mkfs.xfs', '/usr/bin/qemu-io'])
    if (!existsSync(file)) return `${file} is not installed`
  return null
}

/** Objects in memory, of which a test can take and change some. */
export class MemoryStore implements ObjectStore {
  readonly objects = new Map<string, Buffer>()
  /** Fails this many of the next calls, as a walrus that is away. */
  failures = 0

  async put(key: string, bytes: Buffer): Promise<void> {
    this.stumble()
    this.objects.set(key, bytes)
  }

  async get(key: string): Promise<Buffer | null> {
    this.stumble()
    return this.objects.get(key) ?? null
  }

  async remove(key: string): Promise<void> {
    this.stumble()
    this.objects.delete(key)
  }

  async list(prefix: string): Promise<string[]> {
    return [...this.objects.keys()].filter((key) => key.startsWith(prefix))
  }

  async close(): Promise<void> {}

  private stumble(): void {
    if (this.failures === 0) return
    this.failures -= 1
    throw Object.assign(new Error('away'), { retryable: true })
  }
}

/** What is tried again is tried soon. */
export const hurried: Clock = {
  ...systemClock,
  after: (delayMs, callback) => systemClock.after(delayMs / 20, callback),
}

type Around = <T extends object>(part: T, name: string) => T
const alone: Around = (part) => part

type Facts = { volume: VolumeFacts; export: ExportFacts; snapshot: SnapshotFacts }

/**
 * A storage controller without a cloud: its keepers on a real file system and a real target daemon on loopback. It can be
 * ended as by kill -9 (`drop`) and opened anew on the same folders.
 */
export class StorageWorld {
  readonly dir: string
  readonly port: number
  readonly store: MemoryStore
  readonly said = new Map<string, unknown>()
  ledger!: Ledger
  driver!: FileDriver
  daemon!: TgtDaemon
  exports!: ExportKeeper
  volumes!: VolumeKeeper
  snapshots!: SnapshotKeeper
  lazy!: LazyRestores
  served!: ServedVolumes
  log: Log = silentLog
  /** Restores come first, and the volume when it is whole. */
  isEager = true
  private readonly items = new Map<string, { kind: string; id: string; body: object; generation: number }>()
  private revision = 0
  /** Put around everything that has an effect, so that a test may let the process die between two of them. */
  private around: Around = alone
  private clock: Clock = systemClock

  private constructor(dir: string, port: number, store: MemoryStore) {
    this.dir = dir
    this.port = port
    this.store = store
  }

  static async start(store = new MemoryStore(), around = alone, clock = systemClock): Promise<StorageWorld> {
    const world = new StorageWorld(await mkdtemp('/tmp/mlst-'), await freePort(), store)
    world.around = around
    world.clock = clock
    await world.open()
    return world
  }

  get runDir(): string {
    return path.join(this.dir, 'run')
  }

  async open(): Promise<void> {
    await mkdir(this.runDir, { recursive: true })
    const files = await openVolumeFileSystem({
      dataDir: path.join(this.dir, 'data'),
      runDir: this.runDir,
      log: silentLog,
    })
    const ledger = await Ledger.open({ dir: path.join(this.dir, 'ledger'), privateKey: 'x', log: silentLog })
    this.ledger = this.around(ledger, 'ledger')
    this.driver = this.around(await FileDriver.open(files, itemKeys(ledger)), 'driver')
    const listen = { host: '127.0.0.1', port: this.port }
    this.daemon = new TgtDaemon({ runDir: this.runDir, listen, within: () => files.within(), log: silentLog })
    Object.assign(this.daemon, { client: this.around(this.daemon.client, 'targets') })
    const indexes = this.around(await LocalIndexes.open(path.join(this.dir, 'indexes')), 'indexes')
    const store = this.around(this.store, 'walrus')
    const observe = (item: DesiredItem, facts: unknown) =>
      void this.said.set(`${item.kind} ${item.id}`, facts)
    const shared = { ledger: this.ledger, driver: this.driver, clock: this.clock, log: silentLog, observe }
    this.lazy = new LazyRestores({
      ...{ files, store: this.store, runDir: this.runDir, clock: this.clock, log: silentLog },
      daemonPid: () => this.daemon.pid(),
      keysOf: (id) => restoreKeys(ledger, id),
      lookIfServed: (id) => this.exports.lookIfServed(id),
      hold: (id, list) => this.snapshots.hold(id, list),
      release: (id, list) => this.snapshots.release(id, list),
      onChange: () => this.refresh(),
    })
    const lazy = this.isEager ? null : this.lazy
    this.served = new ServedVolumes({
      ...{ ...servedDecrypted(files, ledger), runDir: this.runDir, clock: this.clock, log: this.log },
      daemonPid: () => this.daemon.pid(),
      lookIfServed: (id) => this.exports.lookIfServed(id),
      wanted: () => exportedVolumes(ledger),
      recipeOf: (id) => (this.lazy.has(id) ? null : servedDecrypted(files, ledger).recipeOf(id)),
      isThere: async (volumeId) => (await this.driver.volumeSize(volumeId)) !== null,
      onChange: () => this.exports.refresh(),
    })
    this.exports = new ExportKeeper({
      ...{ ...shared, fronts: lazy ? [lazy, this.served] : [this.served] },
      daemon: this.daemon,
      portal: listen,
      onChange: () => this.volumes.refreshAll(),
    })
    this.volumes = new VolumeKeeper({
      ...{ ...shared, lazy, served: this.served },
      store,
      isServed: (id) => this.exports.serves(id),
      servedBytes: (id) => this.exports.servedBytes(id),
      onChange: () => this.exports.refresh(),
    })
    this.snapshots = new SnapshotKeeper({
      ...{ ...shared, agentId: 'agent-1', store, indexes },
      isComing: (id) => this.lazy.has(id),
    })
    await this.snapshots.open()
    await this.lazy.open()
    await this.served.open()
    this.refresh()
  }

  /** What the cloud wants, changed by one item; null takes it out. */
  async want(kind: 'volume' | 'export' | 'snapshot', id: string, body: object | null): Promise<void> {
    const key = `${kind} ${id}`
    const before = this.items.get(key)
    if (body === null) this.items.delete(key)
    else this.items.set(key, { kind, id, body, generation: (before?.generation ?? 0) + 1 })
    this.revision += 1
    const all = [...this.items.values()].map((item) => ({ ...item, digest: digestOf(item.body) }))
    await this.ledger.accept({
      revision: this.revision,
      pollSeconds: 1,
      index: all.map(({ body: _body, ...entry }) => entry),
      bodies: all,
    })
    this.refresh()
  }

  refresh(): void {
    this.snapshots.refresh()
    this.volumes.refreshAll()
    this.served.refresh()
    this.exports.refresh()
  }

  facts<K extends keyof Facts>(kind: K, id: string): Facts[K] | undefined {
    return this.said.get(`${kind} ${id}`) as Facts[K] | undefined
  }

  /** The end of the process; what outlives it goes on. */
  async drop(): Promise<void> {
    await this.lazy.stop()
    await this.served.stop()
    await Promise.all([this.volumes.stop(), this.exports.stop(), this.snapshots.stop()])
    this.said.clear()
  }

  async stop(): Promise<void> {
    await this.drop()
    await this.daemon.kill()
    for (const name of await readdir(this.runDir))
      if (/^(?:restore|served)-.*\.pid$/.test(name))
        await endProcess(await readPidFile(path.join(this.runDir, name)), 2000)
    await endProcess(await readPidFile(path.join(this.runDir, 'holder.pid')), 0)
    await rm(this.dir, { recursive: true, force: true })
  }

  async daemonPid(): Promise<number> {
    return (JSON.parse(await readFile(this.daemon.pidFile, 'utf8')) as { pid: number }).pid
  }
}
