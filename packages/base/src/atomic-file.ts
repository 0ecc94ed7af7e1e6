import { open, readdir, rename, rm } from 'node:fs/promises'
import path from 'node:path'

/**
 * Writes whole or not at all: a temporary file beside it, fsync, rename, fsync of the folder. Where there is no room, the
 * old file stays and nothing new does.
 */
export async function writeAtomically(
  file: string,
  content: string | Uint8Array,
  mode = 0o600,
): Promise<void> {
  const temporary = `${file}.new`
  try {
    const handle = await open(temporary, 'w', mode)
    try {
      await handle.writeFile(content)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, file)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {}) // the reason counts
    throw error
  }
  const folder = await open(path.dirname(file), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** What a process that died was still writing into this folder; its owner throws it away at its start. */
export async function removeUnfinished(dir: string): Promise<void> {
  const names = await readdir(dir).catch(() => []) // no folder, nothing unfinished
  for (const name of names) if (name.endsWith('.new')) await rm(path.join(dir, name), { force: true })
}
