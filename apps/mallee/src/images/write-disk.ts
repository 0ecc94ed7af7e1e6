import { rename, rm } from 'node:fs/promises'
import { MalleeError } from '@mallee/base'
import { convertDisk } from './convert-disk.ts'
import { requireAbsent, writeSparse } from './sparse-file.ts'

/** Writes a disk that comes as a stream in the format that is asked for; nothing is left of what fails. */
export async function writeDisk(
  source: { readonly bytes: AsyncIterable<Buffer>; readonly format: string },
  target: { readonly file: string; readonly format: string },
): Promise<void> {
  if (source.format !== 'raw' && source.format !== 'qcow2') {
    if (target.format !== 'raw')
      throw new MalleeError({
        code: 'NoDisk',
        publicMessage: `A ${source.format} is no disk that can be converted.`,
      })
    await writeSparse(target.file, source.bytes)
    return
  }
  await requireAbsent(target.file)
  const fetched = `${target.file}.fetched`
  try {
    await writeSparse(fetched, source.bytes)
    if (source.format === target.format) await rename(fetched, target.file)
    else await convertDisk({ file: fetched, format: source.format }, target)
  } finally {
    await rm(fetched, { force: true })
  }
}
