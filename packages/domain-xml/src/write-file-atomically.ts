/**
 * Files that are either the old or the new one, whole, whatever stops the machine in between. A file has one writer; the
 * name of what it has not finished is always the same, so that the next write takes the place of what a death left.
 */
import { link, open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

export interface WriteOptions {
  /** Permissions of the new file. */
  mode?: number
  /** Keep what was there under this path (same folder), itself replaced in one step. */
  keepAs?: string
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Writes beside the file, brings that to the disk, then puts it in the file's place. */
export async function writeFileAtomically(
  path: string,
  data: string | Uint8Array,
  options: WriteOptions = {},
) {
  const folder = dirname(path)
  const fresh = join(folder, `.${basename(path)}.new`)
  try {
    const handle = await openAnew(fresh, options.mode ?? 0o644)
    try {
      await handle.writeFile(data)
      await handle.sync()
    } finally {
      await handle.close()
    }
    if (options.keepAs !== undefined) await keep(path, options.keepAs)
    await rename(fresh, path)
  } catch (error) {
    await rm(fresh, { force: true })
    throw error
  }
  await syncFolder(folder)
}

/** Removed first, because the mode is given only to a file that is new. */
async function openAnew(path: string, mode: number) {
  await rm(path, { force: true })
  return open(path, 'wx', mode)
}

/** A second name for the file first, so that it is never without one. */
async function keep(path: string, keptPath: string): Promise<void> {
  const second = join(dirname(path), `.${basename(keptPath)}.new`)
  await rm(second, { force: true })
  try {
    await link(path, second)
    await rename(second, keptPath)
  } catch (error) {
    // Nothing there yet, nothing to keep.
    if (
      (error as NodeJS.ErrnoException).code !== 'ENOENT' ||
      (error as NodeJS.ErrnoException).syscall !== 'link'
    ) {
      throw error
    }
  } finally {
    // Also after success: between two names of one file, rename does nothing and leaves both.
    await rm(second, { force: true })
  }
}
