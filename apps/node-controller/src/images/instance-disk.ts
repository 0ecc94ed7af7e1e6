import { open, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { GiB } from '@mallee/base'
import type { Artifact } from '@mallee/agent-contract'
import { fatal } from '../node-error.ts'
import { runProgram } from '../run-program.ts'

const createMs = 60_000
const copyMs = 900_000

/**
 * An instance's own disk: a copy-on-write overlay over the cached image, as large as its type says. Formats are always
 * said and never probed: a guest that writes a header into its disk must not be believed (CVE-2024-32498 and its kin).
 */
export function overlayPath(instanceDir: string): string {
  return path.join(instanceDir, 'root.qcow2')
}

export function rawCopyPath(instanceDir: string): string {
  return path.join(instanceDir, 'root.raw')
}

export async function fileExists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  )
}

/** Makes the overlay once; it has its name only when it is whole. */
export async function ensureOverlay(options: {
  instanceDir: string
  image: Artifact
  imagePath: string
  diskGiB: number
}): Promise<string> {
  const file = overlayPath(options.instanceDir)
  if (await fileExists(file)) return file
  const part = `${file}.part`
  await diskProgram(
    'qemu-img',
    [
      'create',
      '-q',
      '-f',
      'qcow2',
      '-b',
      options.imagePath,
      '-F',
      options.image.format,
      part,
      String(options.diskGiB * GiB),
    ],
    createMs,
  )
  await rename(part, file)
  return file
}

/** A raw disk of its own, for stylesheets that know no other format: made from the overlay, which it then replaces. */
export async function ensureRawCopy(options: { instanceDir: string }): Promise<string> {
  const file = rawCopyPath(options.instanceDir)
  if (await fileExists(file)) return file
  const part = `${file}.part`
  try {
    await diskProgram(
      'qemu-img',
      ['convert', '-q', '-f', 'qcow2', '-O', 'raw', overlayPath(options.instanceDir), part],
      copyMs,
    )
    const handle = await open(part, 'r')
    await handle.sync().finally(() => handle.close())
    await rename(part, file)
  } catch (error) {
    await rm(part, { force: true })
    throw error
  }
  await rm(overlayPath(options.instanceDir), { force: true })
  return file
}

async function diskProgram(file: string, args: string[], timeoutMs: number): Promise<void> {
  try {
    await runProgram(file, args, { timeoutMs })
  } catch (error) {
    await rm(args.find((arg) => arg.endsWith('.part')) ?? '', { force: true })
    if (/No space left on device/.test(String((error as Error).message)))
      throw fatal('DiskFull', 'The node has no disk space left for the instance.', error)
    throw fatal('DiskFailed', (error as Error).message, error)
  }
}
