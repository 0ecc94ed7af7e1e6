import { execFile, spawn } from 'node:child_process'
import { constants, copyFile, mkdir, open, rm, statfs, truncate, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import {
  endProcess,
  isAlive,
  MalleeError,
  readPidFile,
  writePidFile,
  type Log,
  type ProcessMark,
} from '@mallee/base'

const run = promisify(execFile)

/** The part of its file system that the image of volumes may grow to; it is sparse, and takes what it holds. */
const shareOfRoom = 0.9
const smallestImageBytes = 512 * 1024 * 1024
const mountMs = 10_000

/** Where the files of volumes lie: as this process reaches them, and as the target daemon does. */
export interface VolumeFileSystem {
  /** A folder in which files can be cloned; mounted anew where what held it is gone. */
  root(): Promise<string>
  /** The same folder in the target daemon's eyes. */
  readonly seenByTarget: string
  /** Words before a program that make it see the folder so. */
  within(): Promise<readonly string[]>
  space(): Promise<{ totalBytes: number; freeBytes: number }>
}

/**
 * Volumes are cloned in a moment where the file system shares blocks between files (DECISIONS 22). Where the data folder's
 * own does not, an XFS in one sparse file does, mounted in a mount namespace that a small process holds: nothing appears
 * in the machine's own table of mounts, and it all goes with that process. The process outlives us, as the target daemon
 * does, so that no guest notices our restart.
 */
export async function openVolumeFileSystem(options: {
  dataDir: string
  runDir: string
  log: Log
}): Promise<VolumeFileSystem> {
  const { dataDir, log } = options
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  if (await canClone(dataDir)) {
    const root = path.join(dataDir, 'files')
    await mkdir(root, { recursive: true, mode: 0o700 })
    return {
      root: () => Promise.resolve(root),
      seenByTarget: root,
      within: () => Promise.resolve([]),
      space: () => spaceOf(root, root),
    }
  }
  const image = path.join(dataDir, 'volumes.xfs')
  const mountPoint = path.join(dataDir, 'files')
  await ensureImage(image, dataDir, log)
  await mkdir(mountPoint, { recursive: true, mode: 0o700 })
  return new HeldFileSystem({ image, mountPoint, runDir: options.runDir, log }).opened()
}

/**
 * The mount in its holder's namespace. Where the holder died there is another: the kernel gives it the same mount, if the
 * target daemon still has that, and replays the journal if nobody has.
 */
class HeldFileSystem implements VolumeFileSystem {
  private readonly options: Parameters<typeof ensureHolder>[0]
  private holder: ProcessMark | null = null
  private mounting: Promise<ProcessMark> | null = null

  constructor(options: Parameters<typeof ensureHolder>[0]) {
    this.options = options
  }

  async opened(): Promise<this> {
    await this.held()
    return this
  }

  get seenByTarget(): string {
    return this.options.mountPoint
  }

  async root(): Promise<string> {
    return `/proc/${(await this.held()).pid}/root${this.options.mountPoint}`
  }

  async within(): Promise<readonly string[]> {
    return ['nsenter', '-t', String((await this.held()).pid), '-m', '--']
  }

  async space() {
    return spaceOf(await this.root(), path.dirname(this.options.image))
  }

  private async held(): Promise<ProcessMark> {
    if (isAlive(this.holder)) return this.holder
    this.mounting ??= ensureHolder(this.options).finally(() => (this.mounting = null))
    this.holder = await this.mounting
    return this.holder
  }
}

async function canClone(dir: string): Promise<boolean> {
  const [from, to] = [path.join(dir, '.clone-a'), path.join(dir, '.clone-b')]
  try {
    await writeFile(from, 'x')
    await copyFile(from, to, constants.COPYFILE_FICLONE_FORCE)
    return true
  } catch {
    return false
  } finally {
    await rm(from, { force: true })
    await rm(to, { force: true })
  }
}

/** Never more than what is free beneath: the image is sparse, and what it promises may not be there. */
async function spaceOf(root: string, beneath: string): Promise<{ totalBytes: number; freeBytes: number }> {
  const [inside, outside] = [await statfs(root), await statfs(beneath)]
  return {
    totalBytes: inside.blocks * inside.bsize,
    freeBytes: Math.min(inside.bavail * inside.bsize, outside.bavail * outside.bsize),
  }
}

async function ensureImage(image: string, dataDir: string, log: Log): Promise<void> {
  const present = await open(image, 'r').catch(() => null)
  await present?.close()
  if (present) return
  const { bavail, bsize } = await statfs(dataDir)
  const sizeBytes = Math.max(smallestImageBytes, Math.floor((bavail * bsize * shareOfRoom) / 4096) * 4096)
  const temporary = `${image}.new`
  await rm(temporary, { force: true })
  await writeFile(temporary, '', { mode: 0o600 })
  await truncate(temporary, sizeBytes)
  await run('mkfs.xfs', ['-q', '-m', 'reflink=1', temporary]).catch((error: unknown) => {
    throw new MalleeError({
      code: 'NoVolumeFileSystem',
      publicMessage: 'The file system of the volumes could not be made: mkfs.xfs failed.',
      cause: error,
    })
  })
  const handle = await open(temporary, 'r+')
  await handle.sync()
  await handle.close()
  await run('mv', ['-T', temporary, image])
  log.info({ sizeBytes }, 'the data folder cannot clone files: volumes lie in an XFS image')
}

async function ensureHolder(options: {
  image: string
  mountPoint: string
  runDir: string
  log: Log
}): Promise<ProcessMark> {
  const { image, mountPoint, runDir, log } = options
  const file = path.join(runDir, 'holder.pid')
  const living = await readPidFile(file)
  const ready = path.join(runDir, 'mounted')
  if (isAlive(living)) {
    if (await exists(ready)) return living
    await endProcess(living, 0)
  }
  await rm(ready, { force: true })
  const script = [
    'set -e',
    'mount --make-rprivate /',
    'mount -t xfs -o loop,discard,nouuid "$1" "$2"',
    'touch "$3"',
    'exec sleep infinity',
  ].join('\n')
  const child = spawn('unshare', ['--mount', 'sh', '-c', script, 'holder', image, mountPoint, ready], {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
    cwd: '/',
  })
  const mark = child.pid === undefined ? null : await writePidFile(file, child.pid)
  let said = ''
  child.stderr!.on('data', (chunk: Buffer) => (said += chunk.toString('utf8').slice(0, 2000)))
  const endsAt = performance.now() + mountMs
  while (!(await exists(ready))) {
    if (mark === null || child.exitCode !== null || performance.now() > endsAt)
      throw new MalleeError({
        code: 'NoVolumeFileSystem',
        publicMessage: `The file system of the volumes could not be mounted: ${said.trim().slice(-300)}`,
      })
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  child.stderr!.destroy()
  child.unref()
  log.info({ pid: child.pid }, 'the file system of the volumes is mounted')
  return mark!
}

async function exists(file: string): Promise<boolean> {
  const handle = await open(file, 'r').catch(() => null)
  await handle?.close()
  return handle !== null
}
