import { closeSync, existsSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs'
import { assert } from '@mallee/base'
import { until } from '@mallee/testkit'
import { pidOf, type Story } from './launches.ts'

/** Moments at which daemons are stopped and killed: by what they have just logged, never by the clock. */

export type Daemon = 'storage-controller' | 'node-controller' | 'walrus' | 'target daemon'

export function processOf({ host }: Story, daemon: Daemon): number {
  if (daemon !== 'target daemon') return pidOf(host.stateDir, daemon)
  return (JSON.parse(readFileSync(`${host.stateDir}/storage/run/tgtd.pid`, 'utf8')) as { pid: number }).pid
}

/** The folder of the volumes' files, as the target daemon sees it: it may lie in a file system that only that has. */
export function filesOf(story: Story): string {
  const data = `/proc/${processOf(story, 'target daemon')}/root${story.host.stateDir}/storage/data`
  return existsSync(`${data}/files/volumes`) ? `${data}/files` : data
}

export const lives = (pid: number): boolean => {
  if (!existsSync(`/proc/${pid}/stat`)) return false
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  return !'ZX'.includes(stat[stat.lastIndexOf(')') + 2]!)
}

/** Kills it at once; resolves when another has taken its place. */
export function kill(story: Story, daemon: Daemon): Promise<void> {
  const pid = processOf(story, daemon)
  process.kill(pid, 'SIGKILL')
  return until(`another ${daemon}`, 60, () => {
    const now = processOf(story, daemon)
    return Promise.resolve(now !== pid && lives(now))
  }).then(() => {})
}

/** Does the work while a daemon stands still. */
export async function whileStill<T>(story: Story, daemon: Daemon, work: () => Promise<T>): Promise<T> {
  const pid = processOf(story, daemon)
  process.kill(pid, 'SIGSTOP')
  try {
    return await work()
  } finally {
    if (lives(pid)) process.kill(pid, 'SIGCONT')
  }
}

/** The log of a daemon from now on. */
export class LogTail {
  private readonly file: string
  private at: number

  constructor({ host }: Story, daemon: 'storage-controller' | 'node-controller') {
    this.file = `${host.stateDir}/log/${daemon}.log`
    const file = openSync(this.file, 'r')
    this.at = fstatSync(file).size
    closeSync(file)
  }

  /** Resolves within milliseconds of the line that has all of these words. */
  async says(...words: string[]): Promise<void> {
    const endsAt = performance.now() + 60_000
    let text = ''
    const file = openSync(this.file, 'r')
    try {
      const buffer = Buffer.alloc(64 * 1024)
      for (;;) {
        const read = readSync(file, buffer, 0, buffer.length, this.at)
        this.at += read
        text += buffer.toString('utf8', 0, read)
        if (text.split('\n').some((line) => words.every((word) => line.includes(word)))) return
        assert(performance.now() < endsAt, `the log never said ${words.join(', ')}`)
        await new Promise((resolve) => setTimeout(resolve, 1))
      }
    } finally {
      closeSync(file)
    }
  }
}
