import { execFile, spawn } from 'node:child_process'
import { promisify } from 'node:util'
import { BundleRefused } from '@mallee/image-bundle'

/**
 * qemu-img on a file from outside: the format is said and never guessed, no backing file is opened whatever the file says,
 * and the child has no network where that can be arranged, gains no privileges, and is bounded in memory, processor time,
 * size of what it writes, and time.
 */
export interface Limits {
  /** Of any file that it writes. */
  readonly fileBytes: number
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

const memoryBytes = 4 * 1024 ** 3
/** Of what it says, in characters, for the reason. */
const keptText = 400

let hasNoNetwork: Promise<boolean> | null = null

/** A namespace without a network needs privileges, which walrus may not have. */
function noNetwork(): Promise<boolean> {
  hasNoNetwork ??= promisify(execFile)('unshare', ['--net', 'true']).then(
    () => true,
    () => false,
  )
  return hasNoNetwork
}

/** A disk as qemu-img opens it. */
export function imageOf(driver: string, file: string): string {
  return `json:${JSON.stringify({ driver, backing: null, file: { driver: 'file', filename: file } })}`
}

/** Answers what it printed; `onOutput` sees it as it comes. Throws BundleRefused with what it said. */
export async function runQemuImg(
  args: readonly string[],
  limits: Limits,
  onOutput: (text: string) => void = () => {},
): Promise<string> {
  const seconds = Math.ceil(limits.timeoutMs / 1000)
  const bounds = [`--as=${memoryBytes}`, `--fsize=${limits.fileBytes}`, `--cpu=${seconds}`, '--core=0']
  const words = [
    ...((await noNetwork()) ? ['unshare', '--net', '--'] : []),
    ...['prlimit', ...bounds, '--', 'setpriv', '--no-new-privs', '--', 'qemu-img', ...args],
  ]
  return new Promise((resolve, reject) => {
    const child = spawn(words[0]!, words.slice(1), {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
      signal: limits.signal,
      killSignal: 'SIGKILL',
      timeout: limits.timeoutMs,
    })
    let printed = ''
    let said = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      printed = (printed + text).slice(-64 * 1024)
      onOutput(text)
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(0, keptText)
    })
    child.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'ENOENT'
          ? new BundleRefused('Walrus lacks the programs to convert disks with.')
          : error,
      )
    })
    child.once('close', (code, ended) => {
      if (code === 0) return resolve(printed)
      const why = ended === null ? withoutPaths(said) : `it was ended by ${ended}`
      reject(new BundleRefused(`The disk cannot be read: ${why || `qemu-img ended with ${code}`}`))
    })
  })
}

/** Where walrus keeps its files is nobody's affair. */
const withoutPaths = (text: string): string =>
  text
    .replaceAll(/json:\{[^}]*\}\}?/g, 'the disk')
    .replaceAll(/'?\/[^\s':]+'?/g, 'the disk')
    .replaceAll(/\s+/g, ' ')
    .trim()
