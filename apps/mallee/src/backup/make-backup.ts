import { createHash } from 'node:crypto'
import { constants, createReadStream } from 'node:fs'
import {
  chmod,
  copyFile,
  cp,
  link,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { MalleeError, errorMessage, isAlive, readProcessMark } from '@mallee/base'
import { readSqliteColumn, snapshotSqlite } from '@mallee/state-store'
import { choicesFile, type Layout } from '../layout.ts'
import { run } from '../program.ts'
import { formats, readFormats, type Formats } from './formats.ts'

/** What is in a backup, and by what its small files are known to be whole; blobs have sums of their own in the index. */
export interface Manifest {
  readonly format: number
  readonly formats: Record<string, number>
  readonly createdAt: string
  readonly sha256: Record<string, string>
  readonly blobs: number
}

export const manifestName = 'manifest.json'

/** Small files that are copied as they are, where they are there. */
const plainFiles = [
  'cloud/keyring.json',
  'cloud/credentials.json',
  'cloud/pki/authority.json',
  'cloud/pki/authority.crt',
  'walrus/agent/identity.json',
  'walrus/agent/sse-keys.json',
  'walrus/data/store.json',
  'storage/agent/identity.json',
  'keys/mallee',
  'keys/mallee.pub',
] as const

const longestTries = 5
/** Before the process that puts a backup together there: its id and its start. */
const stagingPrefix = '.staging-'

/**
 * Writes everything that a cloud is, but for what lives on its nodes, into one file, while the cloud runs. The record is
 * copied as of one moment, then walrus' index as of a later one: an object may be there that the record does not know,
 * never the other way round. Blobs are linked, not copied, until they go into the file. Mode 0600: it holds every secret
 * of the cloud.
 */
export async function makeBackup(layout: Layout, file: string): Promise<Manifest> {
  const { pid, startTicks } = readProcessMark(process.pid)
  const staging = layout.file('backups', `${stagingPrefix}${pid}-${startTicks}`)
  await mkdir(layout.file('backups'), { recursive: true, mode: 0o700 })
  await removeStale(layout.file('backups'))
  await mkdir(staging, { mode: 0o700 })
  try {
    for (const dir of ['cloud/pki', 'walrus/agent', 'walrus/data/blobs', 'storage/agent', 'keys'])
      await mkdir(path.join(staging, dir), { recursive: true, mode: 0o700 })
    snapshotSqlite(layout.file('cloud', 'record.db'), path.join(staging, 'cloud/record.db'))
    const blobs = await stageWalrus(layout, staging)
    for (const name of plainFiles)
      await cp(layout.file(name), path.join(staging, name), { preserveTimestamps: true }).catch(ignoreMissing)
    await cp(choicesFile(layout.stateDir), path.join(staging, 'mallee.json'))
    await cp(layout.file('etc'), path.join(staging, 'etc'), { recursive: true })
    const manifest = await writeManifest(staging, blobs, readFormats(layout.stateDir))
    await pack(staging, file)
    return manifest
  } catch (error) {
    throw namingFullDisk(error, `${path.dirname(file)} or ${layout.file('backups')}`)
  } finally {
    await rm(staging, { recursive: true, force: true })
  }
}

/** tar, SQLite and the filesystem each have words of their own for it. */
function namingFullDisk(error: unknown, where: string): unknown {
  if (!/ENOSPC|No space left|Wrote only|disk is full/.test(errorMessage(error))) return error
  const publicMessage = `There is no disk space left in ${where} (where it is put together); no backup was made.`
  return new MalleeError({ code: 'DiskFull', publicMessage, cause: error })
}

/** What a backup that was killed left behind: it holds keys, and links that keep deleted objects. */
export async function removeStale(dir: string): Promise<void> {
  for (const name of await readdir(dir)) {
    if (!name.startsWith(stagingPrefix)) continue
    const [pid, startTicks = ''] = name.slice(stagingPrefix.length).split('-')
    if (isAlive({ pid: Number(pid), startTicks })) continue
    await rm(path.join(dir, name), { recursive: true, force: true })
  }
}

const ignoreMissing = (error: NodeJS.ErrnoException) => {
  if (error.code !== 'ENOENT') throw error
}

/**
 * Blobs are linked before the index is copied and again afterwards: the first links keep what is deleted meanwhile, the
 * second bring what came meanwhile. A blob that came and went in between makes it all be done again.
 */
async function stageWalrus(layout: Layout, staging: string): Promise<number> {
  const from = layout.file('walrus', 'data', 'blobs')
  const to = path.join(staging, 'walrus/data/blobs')
  for (let tries = 0; tries < longestTries; tries += 1) {
    await linkBlobs(from, to)
    snapshotSqlite(layout.file('walrus', 'data', 'index.db'), path.join(staging, 'walrus/data/index.db'))
    await linkBlobs(from, to)
    const wanted = new Set(
      // Small objects have no file: their bytes are in the index.
      readSqliteColumn(
        path.join(staging, 'walrus/data/index.db'),
        `select id from blob where id not like 'small-%'`,
      ),
    )
    const present = await listBlobs(to)
    for (const [id, blob] of present) if (!wanted.has(id)) await rm(blob)
    if ([...wanted].every((id) => present.has(id))) return wanted.size
  }
  throw new MalleeError({
    code: 'WalrusTooBusy',
    publicMessage: 'Objects come and go faster than they can be linked; try again in a quieter moment.',
  })
}

async function linkBlobs(from: string, to: string): Promise<void> {
  for (const shard of await readdir(from)) {
    const names = await readdir(path.join(from, shard))
    if (names.length === 0) continue
    await mkdir(path.join(to, shard), { recursive: true, mode: 0o700 })
    for (const name of names) {
      const [blob, staged] = [path.join(from, shard, name), path.join(to, shard, name)]
      await link(blob, staged)
        .catch((error: NodeJS.ErrnoException) => {
          if (error.code !== 'EXDEV') throw error
          return copyFile(blob, staged, constants.COPYFILE_EXCL) // walrus has a filesystem of its own
        })
        .catch((error: NodeJS.ErrnoException) => {
          if (error.code !== 'EEXIST' && error.code !== 'ENOENT') throw error
        })
    }
  }
}

/** Blobs by their id, which is their shard's name and their own. */
async function listBlobs(dir: string): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const shard of await readdir(dir))
    for (const name of await readdir(path.join(dir, shard))) found.set(name, path.join(dir, shard, name))
  return found
}

async function writeManifest(staging: string, blobs: number, present: Formats): Promise<Manifest> {
  const sha256: Record<string, string> = {}
  for (const entry of await readdir(staging, { recursive: true, withFileTypes: true })) {
    const full = path.join(entry.parentPath, entry.name)
    const name = path.relative(staging, full)
    if (entry.isFile() && !name.startsWith('walrus/data/blobs/')) sha256[name] = await digestOfFile(full)
  }
  const manifest: Manifest = {
    format: formats.backup,
    // What the folder holds, which before an upgrade is not what this release writes.
    formats: present,
    createdAt: new Date().toISOString(),
    sha256,
    blobs,
  }
  await writeFile(path.join(staging, manifestName), `${JSON.stringify(manifest, null, 2)}\n`)
  return manifest
}

export async function digestOfFile(file: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  return hash.digest('hex')
}

/** The manifest first, so that a reader knows at once what it holds; the file appears under its name when it is whole. */
async function pack(staging: string, file: string): Promise<void> {
  const part = `${file}.part`
  const rest = (await readdir(staging)).filter((name) => name !== manifestName)
  await rm(part, { force: true })
  await (await open(part, 'wx', 0o600)).close() // ours alone, whatever lay there
  try {
    await run('tar', ['-C', staging, '--sparse', '-cf', part, manifestName, ...rest])
    await chmod(part, 0o600)
    const handle = await open(part, 'r')
    await handle.sync()
    await handle.close()
    await rename(part, file)
    const folder = await open(path.dirname(file), 'r')
    await folder.sync()
    await folder.close()
  } catch (error) {
    await rm(part, { force: true })
    throw error
  }
}

export async function sizeOf(file: string): Promise<number> {
  return (await stat(file)).size
}
