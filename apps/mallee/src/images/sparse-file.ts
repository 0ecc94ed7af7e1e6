import { open, rename, rm } from 'node:fs/promises'
import { MalleeError } from '@mallee/base'

const blockBytes = 4096

/**
 * Writes a stream to a file that must not be there yet, and leaves holes where it is empty. The file has its name only
 * when it is whole; what fails leaves nothing.
 */
export async function writeSparse(file: string, chunks: AsyncIterable<Buffer>): Promise<number> {
  const temporary = `${file}.unfinished`
  await requireAbsent(file)
  const handle = await open(temporary, 'wx', 0o600).catch((error: unknown) => {
    throw exists(error, temporary)
  })
  try {
    let at = 0
    for await (const chunk of chunks) {
      for (let from = 0; from < chunk.length;) {
        const empty = isEmpty(chunk.subarray(from, from + blockBytes))
        let to = Math.min(from + blockBytes, chunk.length)
        while (to < chunk.length && isEmpty(chunk.subarray(to, to + blockBytes)) === empty)
          to = Math.min(to + blockBytes, chunk.length)
        if (!empty) await handle.write(chunk, from, to - from, at + from)
        from = to
      }
      at += chunk.length
    }
    await handle.truncate(at)
    await handle.sync()
    await handle.close()
    await rename(temporary, file)
    return at
  } catch (error) {
    await handle.close().catch(() => {})
    await rm(temporary, { force: true })
    throw error
  }
}

/** Throws `FileExists`. */
export async function requireAbsent(file: string): Promise<void> {
  const handle = await open(file, 'r').catch(() => null)
  await handle?.close()
  if (handle) throw exists({ code: 'EEXIST' }, file)
}

function exists(error: unknown, file: string): unknown {
  if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return error
  return new MalleeError({ code: 'FileExists', publicMessage: `${file} is there already.`, cause: error })
}

const empty = Buffer.alloc(blockBytes)
const isEmpty = (bytes: Buffer): boolean => empty.subarray(0, bytes.length).equals(bytes)
