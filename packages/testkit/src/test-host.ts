import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'

const execute = promisify(execFile)

export interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/**
 * A host of the test's own: a network namespace with nothing but loopback, in which the cloud is brought up and all of
 * its clients run. No packet of the test can leave the machine, because there is nowhere to go.
 */
export class TestHost {
  readonly name = `mltest-${randomBytes(3).toString('hex')}`
  readonly root = path.resolve(import.meta.dirname, '../../..')
  readonly portBase = 20_000 + (randomBytes(2).readUInt16BE() % 4000) * 4
  stateDir = ''

  async open(): Promise<void> {
    await execute('ip', ['netns', 'add', this.name])
    await execute('ip', ['-n', this.name, 'link', 'set', 'lo', 'up'])
    this.stateDir = await mkdtemp('/tmp/ml-')
  }

  /** Runs a program on the test's host; never throws for its exit code. */
  run(
    file: string,
    args: readonly string[],
    options: { env?: Record<string, string>; timeoutMs?: number; input?: string } = {},
  ): Promise<Outcome> {
    return new Promise((resolve) => {
      const child = execFile(
        'nsenter',
        [`--net=/run/netns/${this.name}`, file, ...args],
        {
          encoding: 'utf8',
          timeout: options.timeoutMs ?? 300_000,
          killSignal: 'SIGKILL',
          maxBuffer: 64 * 1024 * 1024,
          env: { ...process.env, ...options.env },
        },
        (error, stdout, stderr) => {
          const code = error ? (typeof error.code === 'number' ? error.code : 255) : 0
          resolve({ code, stdout, stderr: error?.killed ? `${stderr}\n(killed after its time)` : stderr })
        },
      )
      child.stdin?.on('error', () => {})
      child.stdin?.end(options.input ?? '')
    })
  }

  async must(
    file: string,
    args: readonly string[],
    options: Parameters<TestHost['run']>[2] = {},
  ): Promise<string> {
    const outcome = await this.run(file, args, options)
    if (outcome.code !== 0)
      throw new Error(
        `${file} ${args.join(' ')} ended with ${outcome.code}: ${outcome.stderr || outcome.stdout}`,
      )
    return outcome.stdout
  }

  start(file: string, args: readonly string[]): ChildProcess {
    return spawn('nsenter', [`--net=/run/netns/${this.name}`, file, ...args], { stdio: 'ignore' })
  }

  mallee(...args: string[]): Promise<string> {
    return this.must(path.join(this.root, 'mallee'), [...args, '--state', this.stateDir], {
      timeoutMs: 900_000,
    })
  }

  async close(): Promise<void> {
    await this.run(path.join(this.root, 'mallee'), ['destroy', '--state', this.stateDir])
    await execute('ip', ['netns', 'del', this.name])
    await rm(this.stateDir, { recursive: true, force: true })
  }
}

/** Asks until the answer is there; fails with the sentence, and the last error, after `seconds`. */
export async function until<T>(
  what: string,
  seconds: number,
  ask: () => Promise<T | null | undefined | false>,
): Promise<T> {
  const deadlineMs = Date.now() + seconds * 1000
  let last: unknown = ''
  for (;;) {
    try {
      const answer = await ask()
      if (answer) return answer
    } catch (error) {
      last = error
    }
    if (Date.now() > deadlineMs)
      throw new Error(`not within ${seconds} s: ${what} ${last instanceof Error ? `(${last.message})` : ''}`)
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
}
