import { execFile } from 'node:child_process'
import type { Stats } from 'node:fs'
import {
  constants,
  copyFile,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  stat,
  type FileHandle,
} from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { MalleeError } from '@mallee/base'
import type { VolumeFileSystem } from '../host/file-system.ts'
import {
  growImage,
  ImageFiller,
  imageSize,
  placeRuns,
  readImage,
  readMap,
  writeEmptyImage,
} from '../encrypted/encrypted-file.ts'
import type { BlockDriver, Extent, FoundFile, RestoreTarget, VolumeOrSnapshot } from './block-driver.ts'
import { snapshotIdForm, volumeIdForm } from './block-driver.ts'
import { readExtents } from './read-extents.ts'
import { readFully } from './read-fully.ts'
import { withFile } from './with-file.ts'

const run = promisify(execFile)

const unfinishedSuffix = '.new'

/** The data key of an encrypted volume, or of a snapshot of one; null where it is plain. */
export type KeyOf = (what: VolumeOrSnapshot) => string | null

interface Located {
  readonly file: string
  /** Of what is encrypted. */
  readonly key: string | null
}

/**
 * Volumes as sparse raw files on a file system that clones (DECISIONS 22): a new one is zeros because nothing was ever
 * written into it, so that no block of a volume that was deleted can show up in another; a snapshot and a volume from a
 * snapshot are clones, a matter of milliseconds however large they are.
 *
 * Encrypted ones are qcow2 with LUKS, `.luks` instead of `.raw`. A clone has the key of what it is a clone of: a snapshot,
 * and volumes of it, share their volume's, as EBS's do.
 */
export class FileDriver implements BlockDriver {
  readonly name = 'file'
  private readonly files: VolumeFileSystem
  private readonly keyOf: KeyOf

  private constructor(files: VolumeFileSystem, keyOf: KeyOf) {
    this.files = files
    this.keyOf = keyOf
  }

  static async open(files: VolumeFileSystem, keyOf: KeyOf = () => null): Promise<FileDriver> {
    for (const folder of ['volumes', 'snapshots']) {
      const dir = path.join(await files.root(), folder)
      await mkdir(dir, { recursive: true, mode: 0o700 })
      for (const name of await readdir(dir))
        if (name.endsWith(unfinishedSuffix)) await rm(path.join(dir, name), { force: true })
    }
    return new FileDriver(files, keyOf)
  }

  async volumeSize(volumeId: string): Promise<number | null> {
    const { file, key } = await this.locate({ volumeId })
    const size = (await this.found(file))?.size ?? null
    return size === null || key === null ? size : withFile(file, 'r', imageSize)
  }

  async createVolume(volumeId: string, sizeBytes: number, fromSnapshot: string | null): Promise<void> {
    const { file, key } = await this.locate({ volumeId })
    await appear(file, async (temporary) => {
      if (fromSnapshot !== null) await this.clone({ snapshotId: fromSnapshot }, key, temporary)
      const handle = await open(temporary, fromSnapshot === null ? 'wx' : 'r+', 0o600)
      if (key === null) await handle.truncate(sizeBytes)
      else if (fromSnapshot === null) await writeEmptyImage(handle, sizeBytes, key)
      else await growImage(handle, sizeBytes)
      return handle
    })
  }

  async growVolume(volumeId: string, sizeBytes: number): Promise<void> {
    const { file, key } = await this.locate({ volumeId })
    const handle = await open(file, 'r+')
    try {
      const { size } = await handle.stat()
      if (key !== null) await growImage(handle, sizeBytes)
      else if (size < sizeBytes) await handle.truncate(sizeBytes)
      await handle.sync()
    } finally {
      await handle.close()
    }
  }

  async removeVolume(volumeId: string): Promise<void> {
    for (const file of await this.filesOf({ volumeId })) await vanish(file)
  }

  async hasSnapshot(snapshotId: string): Promise<boolean> {
    return (await this.found((await this.locate({ snapshotId })).file)) !== null
  }

  async canClone(snapshotId: string, volumeId: string): Promise<boolean> {
    const [from, to] = [await this.locate({ snapshotId }), await this.locate({ volumeId })]
    return from.key === to.key && (await this.found(from.file)) !== null
  }

  async takeSnapshot(snapshotId: string, volumeId: string): Promise<void> {
    const { file, key } = await this.locate({ snapshotId })
    await appear(file, async (temporary) => {
      await this.clone({ volumeId }, key, temporary)
      return open(temporary, 'r+')
    })
  }

  async removeSnapshot(snapshotId: string): Promise<void> {
    for (const file of await this.filesOf({ snapshotId })) await vanish(file)
  }

  async extents(what: VolumeOrSnapshot): Promise<Extent[]> {
    const { file, key } = await this.locate(what)
    // The map first: what is added to a file that somebody writes lies where the extents, which are read later, say.
    const map = key === null ? null : await withFile(file, 'r', readMap)
    const args = ['-b4096', '-s', '-v', file]
    const { stdout } = await run('filefrag', args, { maxBuffer: 1024 ** 3 })
    return map === null ? readExtents(stdout) : placeRuns(map, readExtents(stdout))
  }

  async read(what: VolumeOrSnapshot, offset: number, length: number): Promise<Buffer> {
    const { file, key } = await this.locate(what)
    return withFile(file, 'r', (handle) =>
      key === null ? readFully(handle, offset, length) : readImage(handle, key, offset, length),
    )
  }

  async openForRestore(volumeId: string, sizeBytes: number): Promise<RestoreTarget> {
    const { file, key } = await this.locate({ volumeId })
    const temporary = `${file}${unfinishedSuffix}`
    await rm(temporary, { force: true })
    const handle = await open(temporary, 'wx+', 0o600)
    const filler = key === null ? null : await ImageFiller.begin(handle, sizeBytes, key)
    if (!filler) await handle.truncate(sizeBytes)
    return {
      async write(bytes, offset) {
        if (filler) await filler.write(bytes, offset)
        else await handle.write(bytes, 0, bytes.length, offset)
      },
      async finish() {
        await filler?.finish()
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
        /\.(?:raw|luks)$/.test(id) ? [{ id: id.slice(0, id.lastIndexOf('.')), changedAtMs }] : [],
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
    if (!/^(?:volumes|snapshots)\/[a-z0-9-]+\.(?:raw|luks)\.new$/.test(name))
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

  /** By a file system's clone. Throws RangeError where the key would be another: its bytes would be noise. */
  private async clone(from: VolumeOrSnapshot, key: string | null, temporary: string): Promise<void> {
    const source = await this.locate(from)
    if (source.key !== key) throw new RangeError('a clone has the key of what it is a clone of')
    await copyFile(source.file, temporary, constants.COPYFILE_FICLONE_FORCE)
  }

  private async locate(what: VolumeOrSnapshot): Promise<Located> {
    const [raw, encrypted] = await this.filesOf(what)
    const key = this.keyOf(what)
    return { file: key === null ? raw : encrypted, key }
  }

  private async filesOf({ volumeId, snapshotId }: VolumeOrSnapshot): Promise<[raw: string, luks: string]> {
    if (snapshotId === undefined) checkId(volumeId, volumeIdForm)
    else checkId(snapshotId, snapshotIdForm)
    const folder = snapshotId === undefined ? 'volumes' : 'snapshots'
    const base = path.join(await this.files.root(), folder, snapshotId ?? volumeId)
    return [`${base}.raw`, `${base}.luks`]
  }
}

/** An id becomes part of a path. */
function checkId(id: string, form: RegExp): void {
  if (!form.test(id)) throw new RangeError(`${id.slice(0, 40)} is not an id`)
}

/** Whole and durable under its name, or not there. One that is there already stays as it is. */
async function appear(file: string, make: (temporary: string) => Promise<FileHandle>): Promise<void> {
  if (await stat(file).catch(ignoreMissing)) return
  const temporary = `${file}${unfinishedSuffix}`
  await rm(temporary, { force: true })
  try {
    const handle = await make(temporary)
    try {
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

const syncFolder = (dir: string) => withFile(dir, 'r', (folder) => folder.sync())

function ignoreMissing(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
  throw error
}
