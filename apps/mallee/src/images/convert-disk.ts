import { rename, rm } from 'node:fs/promises'
import { MalleeError } from '@mallee/base'
import { run } from '../program.ts'
import { requireAbsent } from './sparse-file.ts'

/** Formats that a disk is given out in, and QEMU's names of them. */
export const diskFormats: Readonly<Record<string, string>> = {
  raw: 'raw',
  qcow2: 'qcow2',
  vmdk: 'vmdk',
  vdi: 'vdi',
  vhd: 'vpc',
  vhdx: 'vhdx',
}

const convertMs = 6 * 3_600_000

/** Throws `Usage`. */
export function requireDiskFormat(format: string): void {
  if (Object.hasOwn(diskFormats, format)) return
  const known = Object.keys(diskFormats).join(', ')
  throw new MalleeError({ code: 'Usage', publicMessage: `The format ${format} is none of ${known}.` })
}

/**
 * Converts a disk whose format is known: QEMU never guesses it, since a guest may have written what looks like another
 * one. The target has its name only when it is whole.
 */
export async function convertDisk(
  source: { readonly file: string; readonly format: 'raw' | 'qcow2' },
  target: { readonly file: string; readonly format: string },
): Promise<void> {
  const to = diskFormats[target.format]!
  await requireAbsent(target.file)
  const temporary = `${target.file}.unfinished`
  try {
    await run('qemu-img', ['convert', '-f', source.format, '-O', to, source.file, temporary], {
      timeout: convertMs,
    })
    await rename(temporary, target.file)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}
