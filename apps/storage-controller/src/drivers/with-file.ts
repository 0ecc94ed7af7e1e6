import { open, type FileHandle } from 'node:fs/promises'

/** Opens the file, works with it, and closes it whatever happens. */
export async function withFile<T>(
  file: string,
  flags: string,
  work: (handle: FileHandle) => Promise<T>,
): Promise<T> {
  const handle = await open(file, flags)
  try {
    return await work(handle)
  } finally {
    await handle.close()
  }
}
