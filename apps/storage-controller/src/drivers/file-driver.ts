import { execFile } from 'node:child_process'
import type { Stats } from 'node:fs'
import { constants, copyFile, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { MalleeError } from '@mallee/base'
import type { VolumeFileSystem } from '../host/file-system.ts'
import type { BlockDriver, Extent, FoundFile, RestoreTarget, VolumeOrSnapshot } from './block-driver.ts'
import { snapshotIdForm, volumeIdForm } from './block-driver.ts'
import { readExtents } from './read-extents.ts'

const run = promisify(execFile)

const unfinishedSuffix = '.new'

/**
 * Volumes as sparse raw files on a file system that clones (DECISIONS 22): a new one is zeros because nothing was ever
 * written into it, so that no block of a volume that was deleted can show up in another; a snapshot and a volume from a
 * snapshot are clones, a matter of milliseconds however large they are.
 */
export class FileDriver implements BlockDriver {
  readonly name = 'file'
  private readonly files: VolumeFileSystem

  private constructor(files: VolumeFileSystem) {
    this.files = files
  }

  static async open(files: VolumeFileSystem): Promise<FileDriver> {
    for (const folder of ['volumes', 'snapshots']) {
      const dir = path.join(await files.root(), folder)
      await mkdir(dir, { recursive: true, mode: 0o700 })
      for (const name of await readdir(dir))
        if (name.endsWith(unfinishedSuffix)) await rm(path.join(dir, name), { force: true })
    }
    return new FileDriver(files)
  }

  async volumeSize(volumeId: string): Promise<number | null> {
    return (await this.found(await this.volumeFile(volumeId)))?.size ?? null
  }

  async createVolume(volumeId: string, sizeBytes: number, fromSnapshot: string | null): Promise<void> {
    const file = await this.volumeFile(volumeId)
    await appear(file, async (temporary) => {
      if (fromSnapshot !== null)
        await copyFile(await this.snapshotFile(fromSnapshot), temporary, constants.COPYFILE_FICLONE_FORCE)
      const handle = await open(temporary, fromSnapshot === null ? 'wx' : 'r+', 0o600)
      return { handle, sizeBytes }
    })
  }

  async growVolume(volumeId: string, sizeBytes: number): Promise<void> {
    const handle = await open(await this.volumeFile(volumeId), 'r+')
    try {
      const { size } = await handle.stat()
      if (size < sizeBytes) await handle.truncate(sizeBytes)
      await handle.sync()
    } finally {
      await handle.close()
    }
  }

  async removeVolume(volumeId: string): Promise<void> {
    await vanish(await this.volumeFile(volumeId))
  }

  async hasSnapshot(snapshotId: string): Promise<boolean> {
    return (await this.found(await this.snapshotFile(snapshotId))) !== null
  }

  async takeSnapshot(snapshotId: string, volumeId: string): Promise<void> {
    await appear(await this.snapshotFile(snapshotId), async (temporary) => {
      await copyFile(await this.volumeFile(volumeId), temporary, constants.COPYFILE_FICLONE_FORCE)
      return { handle: await open(temporary, 'r+'), sizeBytes: null }
    })
  }

  async removeSnapshot(snapshotId: string): Promise<void> {
    await vanish(await this.snapshotFile(snapshotId))
  }

  async extents(what: VolumeOrSnapshot): Promise<Extent[]> {
    const args = ['-b4096', '-s', '-v', await this.fileOf(what)]
    const { stdout } = await run('filefrag', args, { maxBuffer: 1024 ** 3 })
    return readExtents(stdout)
  }

  async read(what: VolumeOrSnapshot, offset: number, length: number): Promise<Buffer> {
    const handle = await open(await this.fileOf(what), 'r')
    try {
      const bytes = Buffer.alloc(length)
      let filled = 0
      while (filled < length) {
        const { bytesRead } = await handle.read(bytes, filled, length - filled, offset + filled)
        if (bytesRead === 0) break // beyond the end there are zeros
        filled += bytesRead
      }
      return bytes
    } finally {
      await handle.close()
    }
  }

  async openForRestore(volumeId: string, sizeBytes: number): Promise<RestoreTarget> {
    const file = await this.volumeFile(volumeId)
    const temporary = `${file}${unfinishedSuffix}`
    await rm(temporary, { force: true })
    const handle = await open(temporary, 'wx+', 0o600)
    await handle.truncate(sizeBytes)
    return {
      async write(bytes, offset) {
        await handle.write(bytes, 0, bytes.length, offset)
      },
      async finish() {
        await handle.sync()
        await handle.close()
        await rename(temporary, file)
        await syncFolder(path.dirname(file))
      },
      async abandon() {
        await handle.close()
        await rm(temporary, { force: true })
      },
    }
  }

  exportedPath(volumeId: string): string {
    checkId(volumeId, volumeIdForm)
    return path.join(this.files.seenByTarget, 'volumes', `${volumeId}.raw`)
  }

  space() {
    return this.files.space()
  }

  async inventory() {
    const list = async (folder: string) => {
      const dir = path.join(await this.files.root(), folder)
      const found: FoundFile[] = []
      for (const name of await readdir(dir)) {
        const info = await stat(path.join(dir, name)).catch(ignoreMissing)
        if (info) found.push({ id: name, changedAtMs: Math.floor(info.mtimeMs) })
      }
      return found
    }
    const whole = (files: FoundFile[]) =>
      files.flatMap(({ id, changedAtMs }) =>
        id.endsWith('.raw') ? [{ id: id.slice(0, -'.raw'.length), changedAtMs }] : [],
      )
    const [volumes, snapshots] = [await list('volumes'), await list('snapshots')]
    const under = (folder: string, files: FoundFile[]) =>
      files
        .filter(({ id }) => id.endsWith(unfinishedSuffix))
        .map(({ id, changedAtMs }) => ({ id: `${folder}/${id}`, changedAtMs }))
    return {
      volumes: whole(volumes),
      snapshots: whole(snapshots),
      unfinished: [...under('volumes', volumes), ...under('snapshots', snapshots)],
    }
  }

  async removeUnfinished(name: string): Promise<void> {
    if (!/^(?:volumes|snapshots)\/[a-z0-9-]+\.raw\.new$/.test(name))
      throw new RangeError('no unfinished file')
    await rm(path.join(await this.files.root(), name), { force: true })
  }

  /**
   * Null where there is no such file; not where the folder is gone too, because whatever held its file system just died:
   * that is no reason to call anything lost.
   */
  private async found(file: string): Promise<Stats | null> {
    const info = await stat(file).catch(ignoreMissing)
    if (info) return info
    if (await stat(path.dirname(file)).catch(ignoreMissing)) return null
    throw new MalleeError({
      code: 'NoVolumeFileSystem',
      publicMessage: 'The file system of the volumes is not there just now.',
      retryable: true,
    })
  }

  private fileOf(what: VolumeOrSnapshot): Promise<string> {
    return what.snapshotId === undefined ? this.volumeFile(what.volumeId) : this.snapshotFile(what.snapshotId)
  }

  private async volumeFile(volumeId: string): Promise<string> {
    checkId(volumeId, volumeIdForm)
    return path.join(await this.files.root(), 'volumes', `${volumeId}.raw`)
  }

  private async snapshotFile(snapshotId: string): Promise<string> {
    checkId(snapshotId, snapshotIdForm)
    return path.join(await this.files.root(), 'snapshots', `${snapshotId}.raw`)
  }
}

/** An id becomes part of a path. */
function checkId(id: string, form: RegExp): void {
  if (!form.test(id)) throw new RangeError(`${id.slice(0, 40)} is not an id`)
}

type Made = { handle: Awaited<ReturnType<typeof open>>; sizeBytes: number | null }

/** Whole and durable under its name, or not there. One that is there already stays as it is. */
async function appear(file: string, make: (temporary: string) => Promise<Made>): Promise<void> {
  if (await stat(file).catch(ignoreMissing)) return
  const temporary = `${file}${unfinishedSuffix}`
  await rm(temporary, { force: true })
  try {
    const { handle, sizeBytes } = await make(temporary)
    try {
      if (sizeBytes !== null) await handle.truncate(sizeBytes)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, file)
    await syncFolder(path.dirname(file))
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {}) // the reason counts
    throw error
  }
}

async function vanish(file: string): Promise<void> {
  await rm(file, { force: true })
  await rm(`${file}${unfinishedSuffix}`, { force: true })
  await syncFolder(path.dirname(file))
}

async function syncFolder(dir: string): Promise<void> {
  const folder = await open(dir, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

function ignoreMissing(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
  throw error
}
