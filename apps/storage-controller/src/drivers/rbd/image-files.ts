import { spawn } from 'node:child_process'
import { mkdir, open, readdir, rm, writeFile, type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import { endProcess, readPidFile, type Clock } from '@mallee/base'
import { isMounted } from '../../host/mounts.ts'
import { serveBlocks } from '../../host/storage-daemon.ts'
import type { VolumeOrSnapshot } from '../block-driver.ts'
import type { CephConfig } from './ceph-config.ts'

const endMs = 20_000
/** A reader is kept so long: blocks are read one after the other. */
const idleMs = 10_000
const pidPrefix = 'image-'

interface OpenImage {
  readonly name: string
  readonly handle: Promise<FileHandle>
  usedAtMs: number
}

/**
 * Images as files, for ourselves: to read what is to be uploaded, to fill what is restored. Each by a storage daemon of its
 * own, which goes when nothing was read for a while, and with the next start of ours.
 */
export class ImageFiles {
  private readonly options: {
    readonly ceph: CephConfig
    readonly runDir: string
    readonly clock: Clock
  }
  private readonly all = new Map<string, OpenImage>()
  private readonly writers = new Map<string, FileHandle>()
  private cancel: () => void = () => {}

  constructor(options: ImageFiles['options']) {
    this.options = options
  }

  /** Where fronts of volumes put what the target daemon opens. */
  get folder(): string {
    return path.join(this.options.runDir, 'open')
  }

  exportedPath(volumeId: string): string {
    return path.join(this.folder, `${volumeId}.open`)
  }

  /** Ends what an earlier life left. */
  async open(): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 })
    for (const name of await readdir(this.options.runDir))
      if (name.startsWith(pidPrefix) && name.endsWith('.pid'))
        await this.end(name.slice(pidPrefix.length, -'.pid'.length))
  }

  async reader(what: VolumeOrSnapshot, of: { image: string; snapshot?: string }): Promise<FileHandle> {
    const name = nameOf(what)
    const present = this.all.get(name)
    const entry = present ?? { name, handle: this.serve(name, of, false), usedAtMs: 0 }
    entry.usedAtMs = this.options.clock.now()
    if (!present) {
      this.all.set(name, entry)
      entry.handle.catch(() => this.all.delete(name))
      this.look()
    }
    return entry.handle
  }

  async writer(image: string): Promise<{ handle: FileHandle; close(): Promise<void> }> {
    const handle = await this.serve(image, { image }, true)
    this.writers.set(image, handle)
    return { handle, close: () => this.closeImage(image) }
  }

  /** Nobody of ours has it open when this resolves. */
  async close(what: VolumeOrSnapshot): Promise<void> {
    const entry = this.all.get(nameOf(what))
    if (!entry) return
    this.all.delete(entry.name)
    await this.closeAll(entry.name, await entry.handle.catch(() => null))
  }

  /** One that was opened to be written. */
  async closeImage(image: string): Promise<void> {
    const handle = this.writers.get(image) ?? null
    this.writers.delete(image)
    await this.closeAll(image, handle)
  }

  async stop(): Promise<void> {
    this.cancel()
    for (const { name, handle } of this.all.values())
      await this.closeAll(name, await handle.catch(() => null))
    this.all.clear()
    for (const image of [...this.writers.keys()]) await this.closeImage(image)
  }

  private look(): void {
    this.cancel()
    const nowMs = this.options.clock.now()
    for (const entry of this.all.values()) {
      if (nowMs - entry.usedAtMs < idleMs) continue
      this.all.delete(entry.name)
      void entry.handle.then((handle) => this.closeAll(entry.name, handle)).catch(() => {})
    }
    if (this.all.size > 0) this.cancel = this.options.clock.after(idleMs, () => this.look())
  }

  private async closeAll(name: string, handle: FileHandle | null): Promise<void> {
    await handle?.close().catch(() => {})
    await this.end(name)
  }

  private async serve(
    name: string,
    of: { image: string; snapshot?: string },
    writable: boolean,
  ): Promise<FileHandle> {
    await this.end(name)
    const file = this.fileOf(name)
    await writeFile(file, '', { mode: 0o600 })
    await serveBlocks({
      within: [],
      nodes: [imageNode(this.options.ceph, of, 'volume', writable)],
      openFile: file,
      writable,
      secret: null,
      pidFile: this.pidFile(name),
      logFile: path.join(this.options.runDir, 'images.log'),
    })
    return open(file, writable ? 'r+' : 'r')
  }

  private async end(name: string): Promise<void> {
    await endProcess(await readPidFile(this.pidFile(name)), endMs)
    const file = this.fileOf(name)
    if (await isMounted(process.pid, file)) await unmount(file)
    await rm(file, { force: true })
    await rm(this.pidFile(name), { force: true })
  }

  private pidFile(name: string): string {
    return path.join(this.options.runDir, `${pidPrefix}${name}.pid`)
  }

  private fileOf(name: string): string {
    return path.join(this.folder, `${name}.image`)
  }
}

/** What QEMU is told of an image. Without a cache of its own: what is acknowledged is part of the next snapshot. */
export function imageNode(
  { pool, conf, user }: CephConfig,
  { image, snapshot }: { image: string; snapshot?: string },
  nodeName: string,
  writable: boolean,
): object {
  return {
    ...{ driver: 'rbd', 'node-name': nodeName, pool, image, conf, user },
    ...(snapshot === undefined ? {} : { snapshot }),
    cache: { direct: true },
    'read-only': !writable,
  }
}

const nameOf = ({ volumeId, snapshotId }: VolumeOrSnapshot): string => snapshotId ?? volumeId

function unmount(file: string): Promise<void> {
  return new Promise((resolve) => {
    const child = spawn('umount', ['-l', file], { stdio: 'ignore' })
    child.once('error', () => resolve())
    child.once('exit', () => resolve())
  })
}
