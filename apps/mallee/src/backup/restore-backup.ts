import { existsSync } from 'node:fs'
import { mkdir, readFile, readdir, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { MalleeError, writeAtomically } from '@mallee/base'
import { checkSqlite, editSqlite, readSqliteColumn } from '@mallee/state-store'
import { choicesFile, readChoices, type CloudChoices } from '../layout.ts'
import { run } from '../program.ts'
import { formats, stepsFrom, writeFormats, type Formats } from './formats.ts'
import { digestOfFile, manifestName, type Manifest } from './make-backup.ts'

/** Far more revisions than a cloud makes between a backup and its loss: agents must find the restored set newer. */
const revisionsAhead = 1_000_000_000

const bad = (publicMessage: string) => new MalleeError({ code: 'BadBackup', publicMessage })

/**
 * Makes the state folder what a backup says. Everything is unpacked beside and checked before anything is put in its
 * place. On an empty machine the local node is a new one: the old one and its guests stay impaired until they come back
 * or are forgotten. In place, the node that is there goes on, and what was there before is kept in `replaced-…`.
 */
export async function restoreBackup(options: {
  file: string
  stateDir: string
  inPlace: boolean
}): Promise<Manifest> {
  const { stateDir, inPlace } = options
  await mkdir(stateDir, { recursive: true, mode: 0o755 })
  const unpacked = path.join(stateDir, '.restoring')
  await rm(unpacked, { recursive: true, force: true })
  await mkdir(unpacked, { mode: 0o700 })
  try {
    await run('tar', ['-C', unpacked, '--no-same-owner', '-xf', options.file])
    const manifest = await check(unpacked)
    prepareRecord(path.join(unpacked, 'cloud/record.db'))
    const present = readChoices(stateDir)
    const choices = JSON.parse(await readFile(path.join(unpacked, 'mallee.json'), 'utf8')) as CloudChoices
    await rm(path.join(unpacked, 'mallee.json'))
    await rm(path.join(unpacked, manifestName))
    await refuseUnlessFree(stateDir, inPlace)
    await run('sync', ['-f', unpacked])
    await writeAtomically(unfinishedRestore(stateDir), '', 0o644)
    await putInPlace(unpacked, stateDir)
    const stamp = manifest.createdAt.replaceAll(/[^0-9]/g, '').slice(2, 12)
    const kept = inPlace && present ? present : { ...choices, nodeName: `node-${stamp}` }
    await writeFormats(stateDir, manifest.formats as Formats)
    await writeAtomically(choicesFile(stateDir), `${JSON.stringify(kept)}\n`, 0o644)
    await rm(unfinishedRestore(stateDir))
    return manifest
  } finally {
    await rm(unpacked, { recursive: true, force: true })
  }
}

async function check(dir: string): Promise<Manifest> {
  const text = await readFile(path.join(dir, manifestName), 'utf8').catch(() => {
    throw bad('The file is no backup of a cloud: it has no manifest.')
  })
  const manifest = JSON.parse(text) as Manifest
  if (manifest.format > formats.backup)
    throw bad(`The backup has format ${manifest.format}; this release reads up to ${formats.backup}.`)
  stepsFrom(manifest.formats as Formats)
  for (const [name, digest] of Object.entries(manifest.sha256)) {
    const actual = await digestOfFile(path.join(dir, name)).catch(() => null)
    if (actual !== digest) throw bad(`${name} in the backup is ${actual === null ? 'missing' : 'damaged'}.`)
  }
  for (const name of ['cloud/record.db', 'walrus/data/index.db']) {
    const faults = checkSqlite(path.join(dir, name))
    if (faults.length > 0) throw bad(`${name} in the backup is damaged: ${faults[0]}.`)
  }
  const blobs = path.join(dir, 'walrus/data/blobs')
  const present = new Map<string, number>()
  for (const entry of await readdir(blobs, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) present.set(entry.name, (await stat(path.join(entry.parentPath, entry.name))).size)
  const lacking = readSqliteColumn(
    path.join(dir, 'walrus/data/index.db'),
    "select id || ' ' || size from blob where id not like 'small-%'",
  ).filter((line) => {
    const [id = '', size = ''] = line.split(' ')
    return present.get(id) !== Number(size)
  })
  if (lacking.length > 0)
    throw bad(`${lacking.length} object bodies are missing from the backup or cut short.`)
  return manifest
}

/** Agents hold sets and have sent reports that are newer than the backup: every set is made newer than theirs. */
function prepareRecord(file: string): void {
  editSqlite(file, [
    `update agent set revision = revision + ${revisionsAhead}`,
    // Their bodies go along: an agent may hold another generation of any of them.
    `update desired_item set revision = revision + ${revisionsAhead}`,
    // Agents that come with the backup begin to count anew.
    `update agent set sequence = 0 where kind <> 'node'`,
  ])
}

/** The folders of a backup; node, host, run and log are the machine's own. */
const restored = ['cloud', 'walrus', 'storage', 'keys', 'etc'] as const

/** There while folders are being exchanged: what is in the state folder then is no cloud, and is restored again. */
function unfinishedRestore(stateDir: string): string {
  return path.join(stateDir, 'restore-unfinished')
}

/** Throws where a restore into the folder was interrupted: nothing may run on half a cloud. */
export function refuseUnfinishedRestore(stateDir: string): void {
  if (existsSync(unfinishedRestore(stateDir)))
    throw new MalleeError({
      code: 'RestoreUnfinished',
      publicMessage: `A restore into ${stateDir} was interrupted; say ./mallee restore FILE --in-place again.`,
    })
}

async function refuseUnlessFree(stateDir: string, inPlace: boolean): Promise<void> {
  if (inPlace || existsSync(unfinishedRestore(stateDir))) return
  const taken = restored.find((name) => existsSync(path.join(stateDir, name)))
  if (taken !== undefined)
    throw bad(`${path.join(stateDir, taken)} is there already; restore wants an empty folder, or --in-place.`)
}

async function putInPlace(unpacked: string, stateDir: string): Promise<void> {
  const aside = path.join(stateDir, `replaced-${new Date().toISOString().replaceAll(':', '')}`)
  for (const name of restored) {
    const target = path.join(stateDir, name)
    if (existsSync(target)) {
      await mkdir(aside, { recursive: true, mode: 0o700 })
      await rename(target, path.join(aside, name))
    }
    if (existsSync(path.join(unpacked, name))) await rename(path.join(unpacked, name), target)
  }
}
