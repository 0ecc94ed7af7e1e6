/** What the machine does at best with the same bytes: the limits that walrus is held against. */
import { spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, rmSync } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import path from 'node:path'
import { inParallel } from '../bench-cloud.ts'

const mebibyte = 1024 ** 2

/** MD5 of one core, in pieces as they come from a socket; MiB a second. */
export function md5Rate(): number {
  const chunk = randomBytes(64 * 1024)
  const hash = createHash('md5')
  const began = performance.now()
  for (let done = 0; done < 256 * mebibyte; done += chunk.length) hash.update(chunk)
  hash.digest()
  return 256 / ((performance.now() - began) / 1000)
}

/** `dd conv=fsync` of one file; MiB a second by dd's own clock. */
export function ddRate(dir: string, mebibytes: number): number {
  const file = path.join(dir, 'dd')
  const words = ['if=/dev/zero', `of=${file}`, 'bs=1M', `count=${mebibytes}`, 'conv=fsync']
  const { stderr } = spawnSync('dd', words, { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } })
  rmSync(file)
  const seconds = Number(/, ([\d.e-]+) s,/.exec(stderr)?.[1])
  return mebibytes / seconds
}

/** Files of 4 KiB that are written, synced and renamed, and nothing else; how many a second. */
export async function bareFiles(dir: string, count: number, width: number): Promise<number> {
  const root = path.join(dir, 'bare')
  mkdirSync(root)
  const bytes = randomBytes(4096)
  const seconds = await inParallel(count, width, async (index) => {
    const file = path.join(root, String(index))
    const handle = await open(`${file}.new`, 'wx')
    await handle.write(bytes)
    await handle.sync()
    await handle.close()
    await rename(`${file}.new`, file)
  })
  rmSync(root, { recursive: true })
  return count / seconds
}
