import { execFile } from 'node:child_process'
import { MalleeError } from '@mallee/base'
import type { CephConfig } from './ceph-config.ts'

/** A cluster that has lost its monitors lets its clients wait for ever. */
const callMs = 60_000
const longestAnswer = 256 * 1024 * 1024

/** As the programs of Ceph exit. */
const missing = 2
const present = 17
const busy = 16
const notEmpty = 39

/** Images and their snapshots in one pool, by Ceph's own programs. Its key is in a file that Ceph's configuration names, and in no argument. */
export class CephPool {
  readonly config: CephConfig

  constructor(config: CephConfig) {
    this.config = config
  }

  spec(image: string, snapshot?: string): string {
    return `${this.config.pool}/${image}${snapshot === undefined ? '' : `@${snapshot}`}`
  }

  /** Answers what was printed. `ignore`: outcomes that count as success. */
  async rbd(
    args: readonly string[],
    ignore: readonly ('missing' | 'present' | 'in-use')[] = [],
  ): Promise<string> {
    const outcome = await this.run('rbd', args)
    if (outcome.code === 0) return outcome.printed
    const kind =
      outcome.code === missing
        ? 'missing'
        : outcome.code === present
          ? 'present'
          : outcome.code === busy || outcome.code === notEmpty
            ? 'in-use'
            : null
    if (kind && ignore.includes(kind)) return outcome.printed
    throw failed(args[0]!, outcome)
  }

  /** Bytes that the pool may hold, and those that are left. */
  async space(): Promise<{ totalBytes: number; freeBytes: number }> {
    const outcome = await this.run('ceph', ['df', '--format', 'json'])
    if (outcome.code !== 0) throw failed('df', outcome)
    const said = JSON.parse(outcome.printed) as {
      pools: { name: string; stats: { stored: number; max_avail: number } }[]
    }
    const pool = said.pools.find(({ name }) => name === this.config.pool)
    if (!pool) throw failed('df', { ...outcome, said: `there is no pool ${this.config.pool}` })
    const { stored, max_avail: free } = pool.stats
    return { totalBytes: stored + free, freeBytes: free }
  }

  private run(program: string, args: readonly string[]): Promise<Outcome> {
    const { conf, user } = this.config
    const own = ['--conf', conf, '--id', user]
    return new Promise((resolve) => {
      execFile(
        program,
        [...own, ...args],
        { timeout: callMs, killSignal: 'SIGKILL', maxBuffer: longestAnswer },
        (error, printed, said) => {
          const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
          resolve({ code, printed, said: error?.killed ? 'the cluster does not answer' : said })
        },
      )
    })
  }
}

interface Outcome {
  readonly code: number
  readonly printed: string
  readonly said: string
}

function failed(verb: string, { code, said }: Outcome): MalleeError {
  const why = said.trim().split('\n').at(-1)?.slice(0, 300) ?? ''
  return new MalleeError({
    code: 'CephFailed',
    publicMessage: `Ceph did not ${verb}: ${why === '' ? `it ended with ${code}` : why}`,
    retryable: true,
  })
}
